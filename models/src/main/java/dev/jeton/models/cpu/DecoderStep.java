package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static dev.jeton.models.vector.VectorMath.LANES;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.WindowGroups;
import dev.jeton.models.rows.StepRows;
import java.util.Arrays;
import java.util.List;

/**
 * One step as a program of phases for the {@link ComputeTeam}.
 *
 * <p>Per layer: q, k and v in one multiplication; rotation, storing K and V, and attention; the output projection added
 * to the residual; gate, up and their product; the down projection added to the residual. That is five phases; a step
 * with chunks of prompt has a sixth, since then K and V of all positions must be stored before any is read, and one
 * with many tokens two more, since then normalising is shared instead of repeated by every thread, and one before each
 * multiplication where inputs are to be rounded first ({@link Product}). Layers of experts have phases for the router's
 * logits, the choice, gate and up, down, and the sum ({@link SparseFeed}); families that normalise what a half of a
 * layer gives before they add it have one after each half. After the layers, rows that need logits go through the
 * output projection and are sampled, at most {@value #LOGIT_ROWS} at a time.
 *
 * <p>Tiles are made a few microseconds long at least (claiming costs a tenth of one), and small enough that each thread
 * gets several.
 *
 * <p>Activations are rows of floats, {@code [token][stride]}, with strides of whole panels so that no kernel has a tail
 * and {@link MatMul#SPARE_ROWS} rows to spare. Owned by the engine; during a step tiles write disjoint parts.
 */
final class DecoderStep implements ComputeTeam.Program {

    /** What happens to rows of logits. */
    interface Sampling {
        /** Takes rows of logits of batch row {@code row}: entries [first, end) of {@link StepRows#logitToken}. */
        void take(int row, int first, int end, float[] logits, int offset, int stride, Workspace workspace);
    }

    private enum Phase {
        START,
        EMBED,
        ROUND,
        ATTENTION_NORM,
        QUERY_KEY_VALUE,
        STORE,
        ATTEND,
        OUTPUT,
        ADD_ATTENTION,
        FEED_NORM,
        GATE_UP,
        DOWN,
        ADD_FEED,
        ROUTER,
        ROUTE,
        EXPERTS_GATE_UP,
        EXPERTS_DOWN,
        ADD_EXPERTS,
        FINAL_NORM,
        HEAD,
        SAMPLE
    }

    /** Most rows of logits held at once. */
    static final int LOGIT_ROWS = 64;

    /** Up to this many floats every thread normalises all rows for itself. */
    private static final int PRIVATE_NORM_FLOATS = 8192;

    private static final int EMBED_TOKENS = 8;
    private static final int NORM_TOKENS = 8;
    private static final int ROUTE_TOKENS = 8;
    private static final int STORE_TOKENS = 16;
    private static final int ATTEND_POSITIONS = 32;

    private final DecoderSpec spec;
    private final DecoderWeights weights;
    private final KvArena[] arenas;
    private final int[] groupOfLayer;
    private final int[] layerInGroup;
    private final StepRows batch;
    private final Sampling sampling;
    private final Workspace[] workspaces;
    private final RotaryTable rotary;
    private final RotaryTable windowRotary;
    private final float attentionScale;
    private final float embeddingScale;
    private final float logitCap;
    private final boolean branchNorms;
    private final SparseFeed sparse;

    private final int hiddenStride;
    private final int hiddenPadded;
    private final int qkvStride;
    private final int innerStride;
    private final int logitStride;
    private final float[] x;
    private final float[] normed;
    private final float[] qkv;
    private final float[] attended;
    private final float[] inner;
    private final float[] logits;
    /** What a half of a layer gave, where it is normalised before it is added. */
    private final float[] branch;

    private Phase phase = Phase.START;
    /** What follows once the inputs of a multiplication are rounded. */
    private Phase afterRound = Phase.START;

    private long phaseCount;
    private int layer;
    private int logitFrom;
    private int logitEnd;
    private int tileTokens;

    private final Product product;
    private float[] norm;
    private int linearRows;
    private boolean privateNorm;

    private int attendTiles;
    private int[] attendRow = new int[64];
    private int[] attendHead = new int[64];
    private int[] attendFrom = new int[64];
    private int[] sampleRow;
    private int sampleRows;

    DecoderStep(
            DecoderSpec spec,
            DecoderWeights weights,
            List<KvArena> arenas,
            WindowGroups groups,
            StepRows batch,
            Sampling sampling,
            int maxTokens,
            int threads,
            NativeMemory memory) {
        this.spec = spec;
        this.weights = weights;
        this.arenas = arenas.toArray(KvArena[]::new);
        this.groupOfLayer =
                groups.groupOf().stream().mapToInt(Integer::intValue).toArray();
        this.layerInGroup =
                groups.placeIn().stream().mapToInt(Integer::intValue).toArray();
        this.batch = batch;
        this.sampling = sampling;
        rotary = new RotaryTable(spec.rotary(), maxTokens);
        windowRotary =
                spec.windowRotary().equals(spec.rotary()) ? rotary : new RotaryTable(spec.windowRotary(), maxTokens);
        attentionScale = (float) spec.scales().query();
        embeddingScale = (float) spec.scales().embedding();
        logitCap = (float) spec.scales().logitCap();
        branchNorms = spec.norms().branches();
        DecoderWeights.Layer any = weights.layer(0);
        int rows = maxTokens + MatMul.SPARE_ROWS;
        hiddenStride = any.output().panels() * PANEL;
        hiddenPadded = (spec.hidden() + LANES - 1) / LANES * LANES;
        qkvStride = any.queryKeyValue().panels() * PANEL;
        innerStride = (spec.intermediate() + PANEL / 2 - 1) / (PANEL / 2) * (PANEL / 2);
        logitStride = weights.head().panels() * PANEL;
        x = new float[rows * hiddenStride];
        normed = new float[rows * hiddenStride];
        qkv = new float[rows * qkvStride];
        attended = new float[rows * spec.queryWidth()];
        inner = new float[weights.hasDense() ? rows * innerStride : 0];
        branch = new float[branchNorms ? rows * hiddenStride : 0];
        int logitRows = Math.min(LOGIT_ROWS, maxTokens);
        logits = new float[logitRows * logitStride];
        sparse = new SparseFeed(spec, hiddenStride, spec.experts().count() > 0 ? maxTokens : 0, threads);
        sampleRow = new int[logitRows];
        norm = weights.finalNorm();
        workspaces = new Workspace[threads];
        int tileRows = Math.min(Product.TILE_ROWS, Math.max(maxTokens, 1));
        int ofRow = weights.halvesOfRow();
        product = new Product(weights.head(), ofRow, Math.max(maxTokens, 1), threads, memory);
        long halves = Math.max(Product.privateHalves(ofRow), sparse.halves(ofRow));
        int privateFloats = (PRIVATE_NORM_FLOATS / spec.hidden() + 1 + MatMul.SPARE_ROWS) * hiddenStride;
        for (int i = 0; i < threads; i++) {
            Attention attention = new Attention(
                    spec.headDim(), (float) spec.scales().attentionCap(), NativeKernels.ATTENTION, memory);
            workspaces[i] = new Workspace(tileRows, privateFloats, halves, attention, spec.vocabulary(), memory);
        }
    }

    /** Makes ready to run the batch; then the team runs this. */
    void begin() {
        phase = Phase.START;
        layer = 0;
        logitFrom = 0;
        logitEnd = 0;
        listAttention();
    }

    /** Rows with the longest context first would balance best; decodes are even, so rows go in order. */
    private void listAttention() {
        attendTiles = 0;
        for (int row = 0; row < batch.rows; row++) {
            int count = batch.inputStart[row + 1] - batch.inputStart[row];
            for (int from = 0; from < count; from += ATTEND_POSITIONS) {
                for (int head = 0; head < spec.keyValueHeads(); head++) {
                    if (attendTiles == attendRow.length) {
                        attendRow = Arrays.copyOf(attendRow, 2 * attendTiles);
                        attendHead = Arrays.copyOf(attendHead, 2 * attendTiles);
                        attendFrom = Arrays.copyOf(attendFrom, 2 * attendTiles);
                    }
                    attendRow[attendTiles] = row;
                    attendHead[attendTiles] = head;
                    attendFrom[attendTiles++] = from;
                }
            }
        }
    }

    // ---- phases ------------------------------------------------------------------------------------------------

    @Override
    public int advance() {
        phaseCount++;
        return switch (phase) {
            case START -> tokens(Phase.EMBED, EMBED_TOKENS);
            case EMBED -> beginLayer(0);
            case ROUND -> beginTiles(afterRound);
            case ATTENTION_NORM -> beginQkv();
            case QUERY_KEY_VALUE -> batch.chunked ? tokens(Phase.STORE, STORE_TOKENS) : beginAttend();
            case STORE -> beginAttend();
            case ATTEND -> beginOutput();
            case OUTPUT -> branchNorms ? tokens(Phase.ADD_ATTENTION, NORM_TOKENS) : beginFeed();
            case ADD_ATTENTION -> beginFeed();
            case FEED_NORM -> spec.experts().in(layer) ? beginRouter() : beginGateUp();
            case GATE_UP -> beginDown();
            case DOWN -> branchNorms ? tokens(Phase.ADD_FEED, NORM_TOKENS) : endLayer();
            case ADD_FEED, ADD_EXPERTS -> endLayer();
            case ROUTER -> tokens(Phase.ROUTE, ROUTE_TOKENS);
            case ROUTE -> beginExperts();
            case EXPERTS_GATE_UP -> experts(Phase.EXPERTS_DOWN);
            case EXPERTS_DOWN -> tokens(Phase.ADD_EXPERTS, NORM_TOKENS);
            case FINAL_NORM -> beginHead();
            case HEAD -> beginSample();
            case SAMPLE -> beginLogits();
        };
    }

    private int tokens(Phase next, int perTile) {
        phase = next;
        tileTokens = perTile;
        return (batch.tokenCount + perTile - 1) / perTile;
    }

    private int beginLayer(int next) {
        layer = next;
        norm = weights.layer(layer).attentionNorm();
        linearRows = batch.tokenCount;
        privateNorm = linearRows * spec.hidden() <= PRIVATE_NORM_FLOATS;
        return privateNorm ? beginQkv() : tokens(Phase.ATTENTION_NORM, NORM_TOKENS);
    }

    private int endLayer() {
        return layer + 1 < spec.layers() ? beginLayer(layer + 1) : beginLogits();
    }

    private int beginQkv() {
        return linear(Phase.QUERY_KEY_VALUE, weights.layer(layer).queryKeyValue(), normed, hiddenStride);
    }

    private int beginAttend() {
        phase = Phase.ATTEND;
        return attendTiles;
    }

    private int beginOutput() {
        privateNorm = false;
        return linear(Phase.OUTPUT, weights.layer(layer).output(), attended, spec.queryWidth());
    }

    private int beginFeed() {
        norm = weights.layer(layer).feedForwardNorm();
        privateNorm = linearRows * spec.hidden() <= PRIVATE_NORM_FLOATS
                && !spec.experts().in(layer);
        return privateNorm ? beginGateUp() : tokens(Phase.FEED_NORM, NORM_TOKENS);
    }

    private int beginGateUp() {
        return linear(Phase.GATE_UP, weights.dense(layer).gateUp(), normed, hiddenStride);
    }

    private int beginRouter() {
        return linear(Phase.ROUTER, weights.sparse(layer).router(), normed, hiddenStride);
    }

    private int beginExperts() {
        sparse.group(batch.tokenCount);
        return experts(Phase.EXPERTS_GATE_UP);
    }

    private int experts(Phase next) {
        phase = next;
        return sparse.tiles(weights.sparse(layer).experts(), next == Phase.EXPERTS_DOWN, workspaces.length);
    }

    private int beginDown() {
        privateNorm = false;
        return linear(Phase.DOWN, weights.dense(layer).down(), inner, innerStride);
    }

    /** The next rows of logits, or the end. */
    private int beginLogits() {
        logitFrom = logitEnd;
        if (logitFrom == batch.logitCount) {
            return 0;
        }
        logitEnd = Math.min(batch.logitCount, logitFrom + LOGIT_ROWS);
        linearRows = logitEnd - logitFrom;
        norm = weights.finalNorm();
        privateNorm = linearRows * spec.hidden() <= PRIVATE_NORM_FLOATS;
        if (privateNorm) {
            return beginHead();
        }
        phase = Phase.FINAL_NORM;
        tileTokens = NORM_TOKENS;
        return (linearRows + NORM_TOKENS - 1) / NORM_TOKENS;
    }

    private int beginHead() {
        return linear(Phase.HEAD, weights.head(), normed, hiddenStride);
    }

    private int beginSample() {
        phase = Phase.SAMPLE;
        sampleRows = 0;
        int last = -1;
        for (int i = logitFrom; i < logitEnd; i++) {
            int row = batch.tokenRow[batch.logitToken[i]];
            if (row != last) {
                sampleRow[sampleRows++] = row;
                last = row;
            }
        }
        return sampleRows;
    }

    /** Begins a multiplication, with the rounding of its inputs where that is a phase of its own. */
    private int linear(Phase next, PackedMatrix w, float[] from, int stride) {
        product.begin(w, from, stride, linearRows);
        int tiles = product.roundTiles();
        if (tiles == 0) {
            return beginTiles(next);
        }
        phase = Phase.ROUND;
        afterRound = next;
        return tiles;
    }

    private int beginTiles(Phase next) {
        phase = next;
        return product.tiles();
    }

    // ---- tiles -------------------------------------------------------------------------------------------------

    @Override
    public void tile(int tile, int member) {
        Workspace workspace = workspaces[member];
        switch (phase) {
            case START -> throw new IllegalStateException("a step begins without tiles");
            case EMBED -> embed(tile * EMBED_TOKENS);
            case ATTENTION_NORM, FEED_NORM, FINAL_NORM ->
                normalise(tile * tileTokens, Math.min(linearRows, (tile + 1) * tileTokens), normed, workspace);
            case ROUND -> product.round(tile);
            case QUERY_KEY_VALUE, OUTPUT, GATE_UP, DOWN, HEAD, ROUTER -> linearTile(tile, workspace);
            case EXPERTS_GATE_UP, EXPERTS_DOWN -> {
                boolean down = phase == Phase.EXPERTS_DOWN;
                sparse.tile(tile, down, weights.sparse(layer).experts(), normed, member, workspace);
            }
            case ADD_ATTENTION, ADD_FEED, ROUTE, ADD_EXPERTS -> {
                int end = Math.min(batch.tokenCount, (tile + 1) * tileTokens);
                for (int t = tile * tileTokens; t < end; t++) {
                    betweenProducts(t, workspace);
                }
            }
            case STORE -> {
                int end = Math.min(batch.tokenCount, (tile + 1) * STORE_TOKENS);
                for (int t = tile * STORE_TOKENS; t < end; t++) {
                    for (int head = 0; head < spec.keyValueHeads(); head++) {
                        store(t, head);
                    }
                }
            }
            case ATTEND -> attend(tile, workspace);
            case SAMPLE -> {
                int row = sampleRow[tile];
                int first = Math.max(logitFrom, batch.logitStart[row]);
                int end = Math.min(logitEnd, batch.logitStart[row + 1]);
                sampling.take(row, first, end, logits, (first - logitFrom) * logitStride, logitStride, workspace);
            }
        }
    }

    private void embed(int from) {
        for (int t = from; t < Math.min(batch.tokenCount, from + EMBED_TOKENS); t++) {
            weights.embed(batch.tokens[t], x, t * hiddenStride);
            if (embeddingScale != 1) {
                RowKernels.scale(x, t * hiddenStride, spec.hidden(), embeddingScale);
            }
            rotary.set(t, batch.tokenPosition[t]);
            if (windowRotary != rotary) {
                windowRotary.set(t, batch.tokenPosition[t]);
            }
        }
    }

    /** What a token is done between multiplications: its choice of experts, or adding what a half of the layer gave. */
    private void betweenProducts(int token, Workspace workspace) {
        int at = token * hiddenStride;
        DecoderWeights.Layer of = weights.layer(layer);
        switch (phase) {
            case ROUTE -> sparse.route(token);
            case ADD_EXPERTS -> sparse.add(token, x, at, hiddenPadded);
            default -> {
                float[] weight = phase == Phase.ADD_ATTENTION ? of.attentionBranchNorm() : of.feedBranchNorm();
                float epsilon = (float) spec.normEpsilon();
                RowKernels.rmsNorm(
                        branch, at, spec.hidden(), hiddenPadded, epsilon, weight, branch, at, workspace.lanes);
                RowKernels.addScaled(x, at, hiddenPadded, 1, branch, at);
            }
        }
    }

    /** Normalises rows [from, to) of the multiplication to come: tokens, or those that get logits. */
    private void normalise(int from, int to, float[] target, Workspace workspace) {
        boolean last = phase == Phase.FINAL_NORM || phase == Phase.HEAD;
        for (int r = from; r < to; r++) {
            int token = last ? batch.logitToken[logitFrom + r] : r;
            RowKernels.rmsNorm(
                    x,
                    token * hiddenStride,
                    spec.hidden(),
                    hiddenPadded,
                    (float) spec.normEpsilon(),
                    norm,
                    target,
                    r * hiddenStride,
                    workspace.lanes);
        }
    }

    private void linearTile(int tile, Workspace workspace) {
        float[] from = product.input();
        if (privateNorm) {
            if (workspace.normedPhase != phaseCount) {
                normalise(0, linearRows, workspace.normed, workspace);
                workspace.normedPhase = phaseCount;
            }
            from = workspace.normed;
        }
        int row = product.row(tile);
        int rows = product.rows(tile);
        int first = product.panel(tile);
        int end = product.endPanel(tile);
        long endAddress = product.matrix().start(end);
        MatMul.begin(product.matrix(), first, endAddress, workspace);
        for (int panel = first; panel < end; panel++) {
            fill(panel, row, rows, workspace.tile);
            product.multiply(from, tile, panel, endAddress, workspace);
            drain(panel, row, rows, workspace.tile);
        }
    }

    /** What a tile's sums begin with: the bias, the residual, or zero. */
    private void fill(int panel, int row, int rows, float[] tile) {
        DecoderWeights.Layer of = weights.layer(layer);
        switch (phase) {
            case QUERY_KEY_VALUE -> fillBias(of.queryKeyValueBias(), panel, rows, tile);
            case OUTPUT, DOWN -> {
                if (branchNorms) {
                    Arrays.fill(tile, 0, rows * PANEL, 0);
                } else {
                    for (int r = 0; r < rows; r++) {
                        System.arraycopy(x, (row + r) * hiddenStride + panel * PANEL, tile, r * PANEL, PANEL);
                    }
                }
                if (phase == Phase.OUTPUT && of.outputBias().length > 0) {
                    addBias(of.outputBias(), panel, rows, tile);
                }
            }
            default -> Arrays.fill(tile, 0, rows * PANEL, 0);
        }
    }

    private static void fillBias(float[] bias, int panel, int rows, float[] tile) {
        if (bias.length == 0) {
            Arrays.fill(tile, 0, rows * PANEL, 0);
            return;
        }
        for (int r = 0; r < rows; r++) {
            System.arraycopy(bias, panel * PANEL, tile, r * PANEL, PANEL);
        }
    }

    private static void addBias(float[] bias, int panel, int rows, float[] tile) {
        for (int r = 0; r < rows; r++) {
            for (int i = 0; i < PANEL; i++) {
                tile[r * PANEL + i] += bias[panel * PANEL + i];
            }
        }
    }

    /** Where a tile's sums go. */
    private void drain(int panel, int row, int rows, float[] tile) {
        switch (phase) {
            case QUERY_KEY_VALUE -> copyOut(tile, rows, qkv, row * qkvStride + panel * PANEL, qkvStride);
            case OUTPUT, DOWN -> {
                float[] target = branchNorms ? branch : x;
                copyOut(tile, rows, target, row * hiddenStride + panel * PANEL, hiddenStride);
            }
            case GATE_UP -> {
                int at = row * innerStride + panel * (PANEL / 2);
                RowKernels.gate(spec.activation(), tile, rows, inner, at, innerStride);
            }
            case ROUTER -> {
                int stride = sparse.scoreStride();
                copyOut(tile, rows, sparse.scores(), row * stride + panel * PANEL, stride);
            }
            default -> {
                if (logitCap > 0) {
                    RowKernels.cap(tile, 0, rows * PANEL, logitCap);
                }
                copyOut(tile, rows, logits, row * logitStride + panel * PANEL, logitStride);
            }
        }
    }

    static void copyOut(float[] tile, int rows, float[] target, int at, int stride) {
        for (int r = 0; r < rows; r++) {
            System.arraycopy(tile, r * PANEL, target, at + r * stride, PANEL);
        }
    }

    /** Normalises (where the model does) and rotates the heads of a token that share a key head; stores K and V. */
    private void store(int token, int head) {
        DecoderWeights.Layer of = weights.layer(layer);
        int headDim = spec.headDim();
        int perHead = spec.heads() / spec.keyValueHeads();
        RotaryTable table = arenas[groupOfLayer[layer]].group().window() > 0 ? windowRotary : rotary;
        int at = token * qkvStride;
        for (int h = head * perHead; h < (head + 1) * perHead; h++) {
            if (spec.headNorms()) {
                RowKernels.headNorm(qkv, at + h * headDim, headDim, (float) spec.normEpsilon(), of.queryNorm());
            }
            table.rotate(token, qkv, at + h * headDim, headDim, attentionScale);
        }
        int key = at + spec.queryWidth() + head * headDim;
        if (spec.headNorms()) {
            RowKernels.headNorm(qkv, key, headDim, (float) spec.normEpsilon(), of.keyNorm());
        }
        table.rotate(token, qkv, key, headDim, 1);
        int group = groupOfLayer[layer];
        int row = batch.tokenRow[token];
        int position = batch.tokenPosition[token];
        int blockSize = arenas[group].group().blockSize();
        int block = batch.blocks[group][batch.tableStart[group][row] + position / blockSize];
        int value = key + spec.keyValueWidth();
        arenas[group].write(block, layerInGroup[layer], head, position % blockSize, qkv, key, value);
    }

    private void attend(int tile, Workspace workspace) {
        int row = attendRow[tile];
        int head = attendHead[tile];
        int first = batch.inputStart[row] + attendFrom[tile];
        int count = Math.min(ATTEND_POSITIONS, batch.inputStart[row + 1] - first);
        if (!batch.chunked) {
            store(first, head);
        }
        int group = groupOfLayer[layer];
        int perHead = spec.heads() / spec.keyValueHeads();
        int headAt = head * perHead * spec.headDim();
        workspace.attention.compute(
                arenas[group],
                layerInGroup[layer],
                head,
                batch.blocks[group],
                batch.tableStart[group][row],
                batch.tokenPosition[first],
                count,
                qkv,
                first * qkvStride + headAt,
                qkvStride,
                perHead,
                attended,
                first * spec.queryWidth() + headAt,
                spec.queryWidth());
    }
}
