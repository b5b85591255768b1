package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Experts;
import dev.jeton.models.rows.StepRows;
import java.util.Optional;

/**
 * The feed-forward half of layers of experts, as phases of a {@link DecoderStep}: the router's logits; each token's
 * choice; what all tokens go through beside their experts, where the model has that; gate and up, and down, of the rows
 * of each expert ({@link SparseFeed}); and each token's sum, added to the residual.
 *
 * <p>Owned by the step; tiles write disjoint parts.
 */
final class ExpertProgram {

    private enum Phase {
        /** None of them: before the first and after the last. */
        OUTSIDE,
        ROUND,
        ROUTER,
        ROUTE,
        SHARED_GATE_UP,
        GATE_SHARED,
        SHARED_DOWN,
        GATE_UP,
        DOWN,
        ADD
    }

    private static final int TOKENS = 8;

    private final DecoderSpec spec;
    private final Experts experts;
    private final DecoderWeights weights;
    private final StepRows batch;
    private final Product product;
    private final Product.Ends ends = new Ends();
    private final SparseFeed feed;
    private final int threads;
    private final float[] normed;
    private final float[] x;
    private final int hiddenStride;
    /** Elements of a row of the residual that are added to: whole vectors. */
    private final int hiddenPadded;
    /** What is beside experts, between up and down: {@code [token][innerStride]}. */
    private final float[] inner;

    private final int innerStride;

    private Phase phase = Phase.OUTSIDE;
    /** The multiplication that follows once its inputs are rounded. */
    private Phase multiplication = Phase.OUTSIDE;

    private DecoderWeights.Sparse layer;

    /**
     * @param normed the half's input, {@code [token][hiddenStride]}
     * @param x the residual, likewise
     */
    ExpertProgram(
            DecoderSpec spec,
            DecoderWeights weights,
            StepRows batch,
            Product product,
            float[] normed,
            float[] x,
            int hiddenStride,
            int hiddenPadded,
            int maxTokens,
            int threads) {
        this.spec = spec;
        this.weights = weights;
        this.batch = batch;
        this.product = product;
        this.normed = normed;
        this.x = x;
        this.hiddenStride = hiddenStride;
        this.hiddenPadded = hiddenPadded;
        this.threads = threads;
        experts = spec.experts();
        layer = weights.sparse(experts.layers().indexOf(true));
        feed = new SparseFeed(spec, hiddenStride, maxTokens, threads);
        innerStride = (experts.shared().width() + PANEL / 2 - 1) / (PANEL / 2) * (PANEL / 2);
        inner = new float[(maxTokens + MatMul.SPARE_ROWS) * innerStride];
    }

    /** Numbers that the rows of a tile take when a thread rounds them. */
    long halves(int ofRow) {
        return feed.halves(ofRow);
    }

    /** Begins with a layer, whose input is normed; the number of tiles of the first phase. */
    int begin(int ofLayer) {
        layer = weights.sparse(ofLayer);
        return multiply(Phase.ROUTER, layer.router(), normed, hiddenStride);
    }

    /** Goes on to the next phase; its number of tiles, 0 after the last. */
    int advance() {
        return switch (phase) {
            case OUTSIDE -> throw new IllegalStateException("no layer was begun");
            case ROUND -> {
                phase = multiplication;
                yield product.tiles();
            }
            case ROUTER -> tokens(Phase.ROUTE);
            case ROUTE -> beginShared();
            case SHARED_GATE_UP -> experts.shared().gated() ? tokens(Phase.GATE_SHARED) : beginSharedDown();
            case GATE_SHARED -> beginSharedDown();
            case SHARED_DOWN -> beginExperts();
            case GATE_UP -> tilesOfExperts(Phase.DOWN);
            case DOWN -> tokens(Phase.ADD);
            case ADD -> {
                phase = Phase.OUTSIDE;
                yield 0;
            }
        };
    }

    private int tokens(Phase next) {
        phase = next;
        return (batch.tokenCount + TOKENS - 1) / TOKENS;
    }

    private int multiply(Phase next, PackedMatrix w, float[] from, int stride) {
        product.begin(w, from, stride, batch.tokenCount);
        multiplication = next;
        phase = product.roundTiles() > 0 ? Phase.ROUND : next;
        return phase == Phase.ROUND ? product.roundTiles() : product.tiles();
    }

    private int beginShared() {
        Optional<DecoderWeights.Dense> shared = layer.shared();
        return shared.isPresent()
                ? multiply(Phase.SHARED_GATE_UP, shared.get().gateUp(), normed, hiddenStride)
                : beginExperts();
    }

    private int beginSharedDown() {
        return multiply(Phase.SHARED_DOWN, layer.shared().orElseThrow().down(), inner, innerStride);
    }

    private int beginExperts() {
        feed.group(batch.tokenCount);
        return tilesOfExperts(Phase.GATE_UP);
    }

    private int tilesOfExperts(Phase next) {
        phase = next;
        return feed.tiles(layer.experts(), next == Phase.DOWN, threads);
    }

    /** Computes a tile of the phase. */
    void tile(int tile, int member, Workspace workspace) {
        switch (phase) {
            case OUTSIDE -> throw new IllegalStateException("no layer was begun");
            case ROUND -> product.round(tile);
            case ROUTER, SHARED_GATE_UP, SHARED_DOWN -> product.tile(tile, product.input(), workspace, ends);
            case GATE_UP, DOWN -> feed.tile(tile, phase == Phase.DOWN, layer.experts(), normed, member, workspace);
            case ROUTE, GATE_SHARED, ADD -> {
                int end = Math.min(batch.tokenCount, (tile + 1) * TOKENS);
                for (int t = tile * TOKENS; t < end; t++) {
                    ofToken(t);
                }
            }
        }
    }

    private void ofToken(int token) {
        switch (phase) {
            case ROUTE -> feed.route(token, layer.correction());
            case ADD -> feed.add(token, x, token * hiddenStride, hiddenPadded);
            default -> {
                float share = feed.choice().gate(token);
                RowKernels.scale(inner, token * innerStride, experts.shared().width(), share);
            }
        }
    }

    /** What tiles' sums begin with, and where they go. */
    private final class Ends implements Product.Ends {

        @Override
        public void fill(int panel, int row, int rows, Workspace workspace) {
            if (phase == Phase.SHARED_DOWN) {
                RowKernels.copyIn(x, row * hiddenStride + panel * PANEL, hiddenStride, rows, workspace.tile);
            } else {
                float[] bias = phase == Phase.ROUTER ? layer.routerBias() : RowKernels.NO_BIAS;
                RowKernels.fillBias(bias, panel, rows, workspace.tile);
            }
        }

        @Override
        public void take(int panel, int row, int rows, Workspace workspace) {
            float[] tile = workspace.tile;
            switch (phase) {
                case ROUTER -> {
                    int stride = feed.choice().stride();
                    RowKernels.copyOut(tile, rows, feed.choice().logits(), row * stride + panel * PANEL, stride);
                }
                case SHARED_GATE_UP -> {
                    int at = row * innerStride + panel * (PANEL / 2);
                    RowKernels.gate(spec.activation(), tile, rows, inner, at, innerStride);
                }
                default -> RowKernels.copyOut(tile, rows, x, row * hiddenStride + panel * PANEL, hiddenStride);
            }
        }
    }
}
