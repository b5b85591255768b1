package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import dev.jeton.models.AdapterFolder.Place;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.WindowGroups;
import dev.jeton.models.rows.StepRows;
import dev.jeton.models.vector.VectorMath;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * One step as a program of phases for the {@link ComputeTeam}.
 *
 * <p>Per layer: q, k and v in one multiplication; rotation, storing K and V, and attention; the output projection added
 * to the residual; gate, up and their product; the down projection added to the residual. That is five phases; a step
 * with chunks of prompt has a sixth, since then K and V of all positions must be stored before any is read (and so has
 * every step of a model whose heads are normalised together), and one with many tokens two more, since then normalising
 * is shared instead of repeated by every thread, and one before each multiplication where inputs are to be rounded
 * first ({@link Product}), or rows' adapters add to it that take long ({@link StepAdapters}). Layers of experts
 * ({@link ExpertProgram}), latent attention ({@link LatentAttention}) and linear attention ({@link DeltaLayers}) are
 * phases of their own; families that normalise what a half of a layer gives before they add it have one after each
 * half. After the layers, rows that need logits go through the output projection and are sampled ({@link StepLogits});
 * in a model that gives vectors there is no projection.
 *
 * <p>Tiles are made a few microseconds long at least (claiming costs a tenth of one), and small enough that each thread
 * gets several.
 *
 * <p>Activations are rows of floats, {@code [token][stride]}, with strides of whole panels so that no kernel has a tail
 * and {@link MatMul#SPARE_ROWS} rows to spare. Owned by the engine; during a step tiles write disjoint parts.
 */
final class DecoderStep implements ComputeTeam.Program, Product.Ends {

    private enum Phase {
        START,
        EMBED,
        ROUND,
        ATTENTION_NORM,
        QUERY_KEY_VALUE,
        STORE,
        ATTEND,
        LATENT,
        DELTA,
        OUTPUT,
        ADD_ATTENTION,
        FEED_NORM,
        GATE_UP,
        DOWN,
        ADD_FEED,
        EXPERTS,
        FINAL_NORM,
        HEAD,
        SAMPLE
    }

    /** Up to this many floats every thread normalises all rows for itself. */
    private static final int PRIVATE_NORM_FLOATS = 8192;

    private static final int EMBED_TOKENS = 8;
    private static final int NORM_TOKENS = 8;
    private static final int STORE_TOKENS = 16;

    private final DecoderSpec spec;
    private final DecoderWeights weights;
    private final StepRows batch;
    private final Workspace[] workspaces;
    private final float embeddingScale;
    private final boolean branchNorms;
    private final StepAttention attention;
    private final Optional<LatentAttention> latent;
    private final Optional<DeltaLayers> deltas;
    private final Optional<ExpertProgram> experts;
    private final StepLogits logits;
    private final StepAdapters adapters;

    private final int hiddenStride;
    private final int hiddenPadded;
    private final int innerStride;
    private final float[] x;
    private final float[] normed;
    private final float[] inner;
    /** What a half of a layer gave, where it is normalised before it is added. */
    private final float[] branch;

    private Phase phase = Phase.START;
    /** The multiplication that follows once its inputs are rounded and seen by adapters. */
    private Phase multiplication = Phase.START;

    private long phaseCount;
    private int layer;
    private int tileTokens;

    private final Product product;
    private float[] norm;
    private int linearRows;
    private boolean privateNorm;

    DecoderStep(
            DecoderSpec spec,
            DecoderWeights weights,
            List<KvArena> arenas,
            Optional<DeltaStates> states,
            WindowGroups groups,
            StepRows batch,
            StepAdapters adapters,
            StepLogits.Sampling sampling,
            int maxTokens,
            int threads,
            NativeMemory memory) {
        this.spec = spec;
        this.weights = weights;
        this.batch = batch;
        this.adapters = adapters;
        embeddingScale = (float) spec.scales().embedding();
        branchNorms = spec.norms().branches();
        DecoderWeights.Layer any = weights.layer(0);
        int rows = maxTokens + MatMul.SPARE_ROWS;
        hiddenStride = any.output().panels() * PANEL;
        hiddenPadded = VectorMath.padded(spec.hidden());
        innerStride = (spec.intermediate() + PANEL / 2 - 1) / (PANEL / 2) * (PANEL / 2);
        x = new float[rows * hiddenStride];
        normed = new float[rows * hiddenStride];
        inner = new float[weights.hasDense() ? rows * innerStride : 0];
        branch = new float[branchNorms ? rows * hiddenStride : 0];
        logits = logits(sampling, maxTokens);
        attention = new StepAttention(spec, weights, arenas, groups, batch, maxTokens);
        norm = weights.finalNorm();
        workspaces = new Workspace[threads];
        int tileRows = Math.min(Product.TILE_ROWS, Math.max(maxTokens, 1));
        int ofRow = weights.halvesOfRow();
        product = new Product(weights.head(), ofRow, Math.max(maxTokens, 1), threads, memory);
        latent = spec.latent().exists()
                ? Optional.of(attention.latent(product, arenas.getFirst(), maxTokens))
                : Optional.empty();
        deltas = states.map(of -> attention.deltas(of, maxTokens, threads));
        experts = spec.experts().layers().contains(true)
                ? Optional.of(new ExpertProgram(
                        spec, weights, batch, product, normed, x, hiddenStride, hiddenPadded, maxTokens, threads))
                : Optional.empty();
        long halves = Math.max(Product.privateHalves(ofRow), weights.halvesOfHeads());
        halves = Math.max(halves, experts.map(of -> of.halves(ofRow)).orElse(0L));
        int privateFloats = (PRIVATE_NORM_FLOATS / spec.hidden() + 1 + MatMul.SPARE_ROWS) * hiddenStride;
        for (int i = 0; i < threads; i++) {
            Attention own = new Attention(
                    HeadWidths.of(spec), (float) spec.scales().attentionCap(), NativeKernels.ATTENTION, memory);
            workspaces[i] = new Workspace(tileRows, privateFloats, halves, own, spec.vocabulary(), memory);
        }
    }

    private StepLogits logits(StepLogits.Sampling sampling, int maxTokens) {
        if (spec.vectors()) {
            return new StepLogits(normed, hiddenStride, 0, batch, sampling, maxTokens);
        }
        int stride = weights.head().panels() * PANEL;
        float[] rows = new float[StepLogits.rows(maxTokens) * stride];
        return new StepLogits(rows, stride, (float) spec.scales().logitCap(), batch, sampling, maxTokens);
    }

    /** Makes ready to run the batch; then the team runs this. */
    void begin() {
        phase = Phase.START;
        layer = 0;
        logits.begin();
        adapters.begin();
        attention.begin();
        latent.ifPresent(LatentAttention::beginStep);
        deltas.ifPresent(DeltaLayers::begin);
    }

    // ---- phases ------------------------------------------------------------------------------------------------

    @Override
    public int advance() {
        phaseCount++;
        return switch (phase) {
            case START -> tokens(Phase.EMBED, EMBED_TOKENS);
            case EMBED -> beginLayer(0);
            case ROUND -> beginTiles(multiplication);
            case ATTENTION_NORM -> beginQkv();
            case QUERY_KEY_VALUE -> beginAttention();
            case STORE -> beginAttend();
            case ATTEND -> beginOutput(attention.attended(), spec.attendedWidth());
            case DELTA -> beginOutput(deltas.orElseThrow().given(), spec.delta().valuesWidth());
            case LATENT -> advanceLatent(latent.orElseThrow());
            case OUTPUT -> branchNorms ? tokens(Phase.ADD_ATTENTION, NORM_TOKENS) : beginFeed();
            case ADD_ATTENTION -> beginFeed();
            case FEED_NORM -> spec.experts().in(layer) ? beginExperts(experts.orElseThrow()) : beginGateUp();
            case GATE_UP -> beginDown();
            case DOWN -> branchNorms ? tokens(Phase.ADD_FEED, NORM_TOKENS) : endLayer();
            case ADD_FEED -> endLayer();
            case EXPERTS -> advanceExperts(experts.orElseThrow());
            case FINAL_NORM -> spec.vectors() ? beginSample() : beginHead();
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
        privateNorm = spec.norms().inputs()
                && linearRows * spec.hidden() <= PRIVATE_NORM_FLOATS
                && adapters.alone(layer, Place.QUERY_KEY_VALUE);
        return privateNorm || !spec.norms().inputs() ? beginQkv() : tokens(Phase.ATTENTION_NORM, NORM_TOKENS);
    }

    private int endLayer() {
        return layer + 1 < spec.layers() ? beginLayer(layer + 1) : beginLogits();
    }

    private int beginQkv() {
        return linear(Phase.QUERY_KEY_VALUE, weights.layer(layer).queryKeyValue(), inputs(), hiddenStride);
    }

    private int beginAttention() {
        if (spec.delta().in(layer)) {
            phase = Phase.DELTA;
            return deltas.orElseThrow().tiles();
        }
        return latent.isPresent() ? beginLatent(latent.get()) : beginStore();
    }

    private int beginLatent(LatentAttention of) {
        phase = Phase.LATENT;
        return of.begin(layer);
    }

    private int advanceLatent(LatentAttention of) {
        int tiles = of.advance();
        return tiles > 0 ? tiles : beginOutput(of.attended(), spec.attendedWidth());
    }

    private int beginStore() {
        if (!attention.storesFirst()) {
            return beginAttend();
        }
        return tokens(Phase.STORE, batch.chunked ? STORE_TOKENS : 1);
    }

    private int beginAttend() {
        phase = Phase.ATTEND;
        return attention.tiles();
    }

    private int beginOutput(float[] attended, int width) {
        privateNorm = false;
        return linear(Phase.OUTPUT, weights.layer(layer).output(), attended, width);
    }

    private int beginFeed() {
        norm = weights.layer(layer).feedForwardNorm();
        privateNorm = spec.norms().inputs()
                && linearRows * spec.hidden() <= PRIVATE_NORM_FLOATS
                && !spec.experts().in(layer)
                && adapters.alone(layer, Place.GATE_UP);
        return privateNorm || !spec.norms().inputs() ? beginGateUp() : tokens(Phase.FEED_NORM, NORM_TOKENS);
    }

    private int beginGateUp() {
        return linear(Phase.GATE_UP, weights.dense(layer).gateUp(), inputs(), hiddenStride);
    }

    /** What a half of a layer takes. */
    private float[] inputs() {
        return spec.norms().inputs() ? normed : x;
    }

    private int beginExperts(ExpertProgram of) {
        phase = Phase.EXPERTS;
        return of.begin(layer);
    }

    private int advanceExperts(ExpertProgram of) {
        int tiles = of.advance();
        return tiles > 0 ? tiles : endLayer();
    }

    private int beginDown() {
        privateNorm = false;
        return linear(Phase.DOWN, weights.dense(layer).down(), inner, innerStride);
    }

    /** The next rows of logits, or the end. */
    private int beginLogits() {
        linearRows = logits.next();
        if (linearRows == 0) {
            return 0;
        }
        norm = weights.finalNorm();
        privateNorm = linearRows * spec.hidden() <= PRIVATE_NORM_FLOATS && !spec.vectors();
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
        return logits.sampled();
    }

    /** Begins a multiplication, with what comes before it where that is a phase of its own. */
    private int linear(Phase next, PackedMatrix w, float[] from, int stride) {
        product.begin(w, from, stride, linearRows);
        boolean rounded = product.roundTiles() > 0 && !privateNorm;
        switch (next) {
            case QUERY_KEY_VALUE -> adapters.before(layer, Place.QUERY_KEY_VALUE, from, stride, rounded);
            case OUTPUT -> adapters.before(layer, Place.OUTPUT, from, stride, rounded);
            case GATE_UP -> adapters.before(layer, Place.GATE_UP, from, stride, rounded);
            case DOWN -> adapters.before(layer, Place.DOWN, from, stride, rounded);
            default -> adapters.leave();
        }
        multiplication = next;
        int tiles = Math.max(product.roundTiles(), adapters.tiles());
        if (tiles == 0) {
            return beginTiles(next);
        }
        phase = Phase.ROUND;
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
            case ROUND -> {
                product.round(tile);
                adapters.tile(tile);
            }
            case QUERY_KEY_VALUE, OUTPUT, GATE_UP, DOWN, HEAD -> linearTile(tile, workspace);
            case EXPERTS -> experts.orElseThrow().tile(tile, member, workspace);
            case ADD_ATTENTION, ADD_FEED -> {
                int end = Math.min(batch.tokenCount, (tile + 1) * tileTokens);
                for (int t = tile * tileTokens; t < end; t++) {
                    addBranch(t, workspace);
                }
            }
            case STORE -> {
                int end = Math.min(batch.tokenCount, (tile + 1) * tileTokens);
                for (int t = tile * tileTokens; t < end; t++) {
                    attention.store(layer, t);
                }
            }
            case ATTEND -> attention.attend(layer, tile, workspace);
            case LATENT -> latent.orElseThrow().tile(tile, workspace);
            case DELTA -> deltas.orElseThrow().tile(layer, tile, member);
            case SAMPLE -> logits.sample(tile, workspace);
        }
    }

    private void embed(int from) {
        for (int t = from; t < Math.min(batch.tokenCount, from + EMBED_TOKENS); t++) {
            weights.embed(batch.tokens[t], x, t * hiddenStride);
            if (embeddingScale != 1) {
                RowKernels.scale(x, t * hiddenStride, spec.hidden(), embeddingScale);
            }
            attention.turnTo(t, batch.tokenPosition[t]);
        }
    }

    /** Normalises what a half of the layer gave of a token, and adds it. */
    private void addBranch(int token, Workspace workspace) {
        int at = token * hiddenStride;
        DecoderWeights.Layer of = weights.layer(layer);
        float[] weight = phase == Phase.ADD_ATTENTION ? of.attentionBranchNorm() : of.feedBranchNorm();
        float epsilon = (float) spec.normEpsilon();
        RowKernels.rmsNorm(branch, at, spec.hidden(), hiddenPadded, epsilon, weight, branch, at, workspace.lanes);
        RowKernels.addScaled(x, at, hiddenPadded, 1, branch, at);
    }

    /** Normalises rows [from, to) of the multiplication to come: tokens, or those that get logits. */
    private void normalise(int from, int to, float[] target, Workspace workspace) {
        boolean last = phase == Phase.FINAL_NORM || phase == Phase.HEAD;
        for (int r = from; r < to; r++) {
            int token = last ? logits.token(r) : r;
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
        adapters.begin(from, workspace);
        product.tile(tile, from, workspace, this);
    }

    /** What a tile's sums begin with: the bias, the residual, or zero. */
    @Override
    public void fill(int panel, int row, int rows, Workspace workspace) {
        float[] tile = workspace.tile;
        DecoderWeights.Layer of = weights.layer(layer);
        switch (phase) {
            case QUERY_KEY_VALUE -> RowKernels.fillBias(of.queryKeyValueBias(), panel, rows, tile);
            case OUTPUT, DOWN -> {
                if (branchNorms) {
                    Arrays.fill(tile, 0, rows * PANEL, 0);
                } else {
                    RowKernels.copyIn(x, row * hiddenStride + panel * PANEL, hiddenStride, rows, tile);
                }
                if (phase == Phase.OUTPUT && of.outputBias().length > 0) {
                    addBias(of.outputBias(), panel, rows, tile);
                }
            }
            default -> Arrays.fill(tile, 0, rows * PANEL, 0);
        }
        adapters.add(panel, row, rows, workspace);
    }

    private static void addBias(float[] bias, int panel, int rows, float[] tile) {
        for (int r = 0; r < rows; r++) {
            for (int i = 0; i < PANEL; i++) {
                tile[r * PANEL + i] += bias[panel * PANEL + i];
            }
        }
    }

    /** Where a tile's sums go. */
    @Override
    public void take(int panel, int row, int rows, Workspace workspace) {
        float[] tile = workspace.tile;
        switch (phase) {
            case QUERY_KEY_VALUE -> {
                int stride = attention.stride();
                RowKernels.copyOut(tile, rows, attention.queryKeyValue(), row * stride + panel * PANEL, stride);
            }
            case OUTPUT, DOWN -> {
                float[] target = branchNorms ? branch : x;
                RowKernels.copyOut(tile, rows, target, row * hiddenStride + panel * PANEL, hiddenStride);
            }
            case GATE_UP -> {
                int at = row * innerStride + panel * (PANEL / 2);
                RowKernels.gate(spec.activation(), tile, rows, inner, at, innerStride);
            }
            default -> logits.put(tile, panel, row, rows);
        }
    }
}
