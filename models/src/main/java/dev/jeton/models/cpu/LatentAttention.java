package dev.jeton.models.cpu;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Latent;
import dev.jeton.models.ModelException;
import dev.jeton.models.QueryGrowth;
import dev.jeton.models.cpu.DecoderWeights.LatentWeights;
import dev.jeton.models.rows.StepRows;

/**
 * The attention of a {@link DecoderStep} of a model whose keys and values are computed from a narrow vector
 * ({@link Latent}), between the multiplication of the layer's input and the one that takes what was attended to.
 * Phases: norms, and K and V stored; queries, where they are computed from a narrow vector; each head's query taken
 * through {@code K_h^T}; attention to the narrow vectors themselves; what was attended to taken through {@code V_h}.
 *
 * <p>Of a token the vector and the turned part of the key are kept, and the vector once more as value: the kernels read
 * keys by element and values by token. Tiles of attention are some heads and positions of a row, since one key head
 * serves all heads.
 *
 * <p>Operations a token of context and head: 2 (2 rank + rotary), for 2 (plain + rotary + value) of heads that are
 * computed first: 3.4 times as many in DeepSeek-V3. But what is read of the context is 1 / 28 of it, and nothing is
 * computed anew.
 *
 * <p>Owned by the step; tiles write disjoint parts.
 */
final class LatentAttention {

    private enum Phase {
        /** None of them: before the first and after the last. */
        OUTSIDE,
        NORM,
        ROUND,
        QUERY_UP,
        KEY_UP,
        ATTEND,
        VALUE_UP
    }

    /** Heads of a tile of attention: as many as are computed together. */
    private static final int HEADS = Attention.GROUP;

    private static final int NORM_TOKENS = 8;

    private final DecoderSpec spec;
    private final Latent latent;
    private final DecoderWeights weights;
    private final KvArena arena;
    private final StepRows batch;
    private final Product product;
    private final Product.Ends queryEnds = new QueryEnds();
    private final HeadProducts heads = new HeadProducts();
    private final RotaryTable rotary;
    private final float scale;
    private final QueryGrowth growth;

    /** What the layer's input gives: {@code [token][stride]}: (what) queries (are computed from), vector, turned. */
    private final float[] projected;

    private final int stride;
    /** Where the vector is in it. */
    private final int vectorAt;
    /** Queries of heads that are not yet taken through K, {@code [token][queryStride]}; {@link #projected} for some. */
    private final float[] queries;

    private final int queryStride;
    /** {@code [token][head][rank + rotary]}. */
    private final float[] absorbed;
    /** {@code [token][head][rank]}. */
    private final float[] attended;
    /** {@code [token][head][value]}. */
    private final float[] values;

    private Phase phase = Phase.OUTSIDE;
    private int layer;
    private final AttentionTiles tiles = new AttentionTiles();

    /** @param projected what the multiplication of the layer's input gives, {@code [token][stride]} */
    LatentAttention(
            DecoderSpec spec,
            DecoderWeights weights,
            KvArena arena,
            StepRows batch,
            RotaryTable rotary,
            Product product,
            float[] projected,
            int stride,
            int maxTokens) {
        this.spec = spec;
        this.weights = weights;
        this.arena = arena;
        this.batch = batch;
        this.rotary = rotary;
        this.product = product;
        this.projected = projected;
        this.stride = stride;
        latent = spec.latent();
        scale = (float) spec.scales().query();
        growth = spec.scales().growth();
        boolean narrow = latent.queryRank() > 0;
        vectorAt = narrow ? latent.queryRank() : spec.queryWidth();
        int rows = maxTokens + MatMul.SPARE_ROWS;
        queryStride = narrow ? PackedMatrix.panelsFor(spec.queryWidth()) * Kernels.PANEL : stride;
        queries = narrow ? new float[rows * queryStride] : projected;
        absorbed = new float[rows * spec.heads() * latent.width()];
        attended = new float[rows * spec.heads() * latent.rank()];
        values = new float[rows * spec.attendedWidth()];
    }

    /**
     * Refuses steps of more tokens than arrays hold of what each head has of them.
     *
     * @throws ModelException where the model has this attention, and arrays do not
     */
    static void requireRoom(DecoderSpec spec, int maxTokens) {
        if (!spec.latent().exists()) {
            return;
        }
        long ofToken = Math.max((long) spec.heads() * spec.latent().width(), spec.attendedWidth());
        if ((maxTokens + (long) MatMul.SPARE_ROWS) * ofToken > Integer.MAX_VALUE - 8) {
            throw new ModelException("%d tokens of a step by %d heads each are too many; lower --max-batched-tokens"
                    .formatted(maxTokens, spec.heads()));
        }
    }

    /** What was attended to: {@code [token][attendedWidth]}. */
    float[] attended() {
        return values;
    }

    /** Lays out the tiles of a step. */
    void beginStep() {
        tiles.begin(batch, spec.heads(), HEADS);
    }

    /** Begins with a layer, whose input is multiplied; the number of tiles of the first phase. */
    int begin(int ofLayer) {
        layer = ofLayer;
        phase = Phase.NORM;
        return (batch.tokenCount + NORM_TOKENS - 1) / NORM_TOKENS;
    }

    /** Goes on to the next phase; its number of tiles, 0 after the last. */
    int advance() {
        LatentWeights w = of();
        return switch (phase) {
            case OUTSIDE -> throw new IllegalStateException("no layer was begun");
            case NORM -> w.queryUp().isPresent() ? beginQueries(w.queryUp().get()) : beginKeys(w);
            case ROUND -> {
                phase = Phase.QUERY_UP;
                yield product.tiles();
            }
            case QUERY_UP -> beginKeys(w);
            case KEY_UP -> {
                phase = Phase.ATTEND;
                yield tiles.count();
            }
            case ATTEND -> {
                phase = Phase.VALUE_UP;
                int ofToken = spec.heads() * latent.rank();
                heads.begin(w.valueUp(), attended, 0, ofToken, latent.rank(), batch.tokenCount);
                heads.to(values, latent.value(), spec.attendedWidth(), latent.value());
                yield heads.tiles();
            }
            case VALUE_UP -> {
                phase = Phase.OUTSIDE;
                yield 0;
            }
        };
    }

    private LatentWeights of() {
        return weights.layer(layer).latent().orElseThrow();
    }

    private int beginQueries(PackedMatrix queryUp) {
        product.begin(queryUp, projected, stride, batch.tokenCount);
        phase = product.roundTiles() > 0 ? Phase.ROUND : Phase.QUERY_UP;
        return phase == Phase.ROUND ? product.roundTiles() : product.tiles();
    }

    private int beginKeys(LatentWeights w) {
        phase = Phase.KEY_UP;
        heads.begin(w.keyUp(), queries, 0, queryStride, spec.headDim(), batch.tokenCount);
        heads.to(absorbed, latent.rank(), spec.heads() * latent.width(), latent.width());
        return heads.tiles();
    }

    /** Computes a tile of the phase. */
    void tile(int tile, Workspace workspace) {
        switch (phase) {
            case OUTSIDE -> throw new IllegalStateException("no layer was begun");
            case NORM -> {
                int end = Math.min(batch.tokenCount, (tile + 1) * NORM_TOKENS);
                for (int t = tile * NORM_TOKENS; t < end; t++) {
                    store(t);
                }
            }
            case ROUND -> product.round(tile);
            case QUERY_UP -> product.tile(tile, projected, workspace, queryEnds);
            case KEY_UP -> keyUp(tile, workspace);
            case ATTEND -> attend(tile, workspace);
            case VALUE_UP -> heads.tile(tile, workspace);
        }
    }

    /** Norms what queries are computed from and the vector, turns the rest of the key, and keeps both. */
    private void store(int token) {
        LatentWeights w = of();
        float epsilon = (float) spec.normEpsilon();
        int at = token * stride;
        if (w.queryNorm().length > 0) {
            RowKernels.headNorm(projected, at, latent.queryRank(), epsilon, w.queryNorm());
        }
        if (growth.exists()) {
            // queries are products of this, so they grow with it
            RowKernels.scale(projected, at, latent.queryRank(), (float) growth.at(batch.tokenPosition[token]));
        }
        int vector = at + vectorAt;
        RowKernels.headNorm(projected, vector, latent.rank(), epsilon, w.norm());
        turn(token, projected, vector + latent.rank(), 1);
        int position = batch.tokenPosition[token];
        int blockSize = arena.group().blockSize();
        int block = batch.blocks[0][batch.tableStart[0][batch.tokenRow[token]] + position / blockSize];
        arena.write(block, layer, 0, position % blockSize, projected, vector, vector);
    }

    private void turn(int token, float[] x, int at, float by) {
        if (latent.paired()) {
            rotary.rotatePairs(token, x, at, by);
        } else {
            rotary.rotate(token, x, at, latent.rotary(), by);
        }
    }

    /** Takes a head's queries through its K; what is turned of them goes behind that. */
    private void keyUp(int tile, Workspace workspace) {
        heads.tile(tile, workspace);
        int head = heads.head(tile);
        int first = heads.row(tile);
        for (int t = first; t < first + heads.rows(tile); t++) {
            int to = (t * spec.heads() + head) * latent.width();
            RowKernels.scale(absorbed, to, latent.rank(), scale);
            int from = t * queryStride + head * spec.headDim() + latent.plain();
            System.arraycopy(queries, from, absorbed, to + latent.rank(), latent.rotary());
            turn(t, absorbed, to + latent.rank(), scale);
        }
    }

    private void attend(int tile, Workspace workspace) {
        int row = tiles.row(tile);
        int head = tiles.head(tile);
        int first = tiles.first(tile, batch);
        workspace.attention.compute(
                arena,
                layer,
                0,
                batch.blocks[0],
                batch.tableStart[0][row],
                batch.tokenPosition[first],
                tiles.positions(tile, batch),
                absorbed,
                (first * spec.heads() + head) * latent.width(),
                spec.heads() * latent.width(),
                Math.min(HEADS, spec.heads() - head),
                weights.layer(layer).sinks(),
                head,
                attended,
                (first * spec.heads() + head) * latent.rank(),
                spec.heads() * latent.rank());
    }

    /** Queries of heads begin with nothing and go to {@link #queries}. */
    private final class QueryEnds implements Product.Ends {

        @Override
        public void fill(int panel, int row, int rows, Workspace workspace) {
            RowKernels.fillBias(RowKernels.NO_BIAS, panel, rows, workspace.tile);
        }

        @Override
        public void take(int panel, int row, int rows, Workspace workspace) {
            int to = row * queryStride + panel * Kernels.PANEL;
            RowKernels.copyOut(workspace.tile, rows, queries, to, queryStride);
        }
    }
}
