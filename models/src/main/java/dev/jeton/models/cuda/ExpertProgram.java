package dev.jeton.models.cuda;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.cuda.DeviceWeights.Sparse;
import java.util.Optional;

/**
 * The feed-forward half of layers of experts, as launches on the stream: the router's logits, each token's choice, rows
 * grouped by expert, gate and up and then down for the rows of each expert, from which the next norm takes a token's
 * sum by {@link #slotOf} and {@link #shares}. The host only knows how many tiles there may be, so a captured graph
 * serves any choice.
 *
 * <p>Bytes of a step: the weights of the experts that any token chose, once, and 2 bytes for each row of an expert and
 * element of the hidden and the expert's width, twice. Few rows an expert are bound by the weights and take tiles of
 * {@value #FEW_ROWS}; many take the tensor cores in tiles eight times as long.
 *
 * <p>Memory: rows of the hidden and of the expert's width for each token of a step and each of its experts: 0.4 GB for
 * 8,192 tokens by 8 of Qwen3-30B-A3B.
 */
final class ExpertProgram {

    private static final int FEW_ROWS = 16;
    private static final int FEW_STEP = 128;
    private static final int FEW_THREADS = 256;
    /** Up to so many tokens are routed by the block that groups them, two for each warp of it. */
    private static final int ROUTED_WITH_GROUPS = 64;

    private static final int SWIGLU = 4;
    private static final int GEGLU = 5;
    private static final int PLAIN = 0;

    /** One of the two kernels of products: rows of a tile, rows of weights of a block, and its launch. */
    private record Way(Kernel kernel, int rows, int columns, int threads, int shared) {}

    private final DeviceShape shape;
    private final DecoderSpec.Experts experts;
    private final Products products;
    private final Kernel choose;
    private final Kernel group;
    private final Way few;
    private final Way many;
    private final int chooseTokens;
    private final int groupThreads;
    private final int groupShared;
    private final boolean fewFits;
    private final int hidden;
    private final int gate;

    private final long logits;
    private final long chosen;
    private final long shares;
    private final long slotOf;
    private final long choices;
    private final long plan;
    private final long tiles;
    private final long inner;
    private final long given;

    /** The program of a model that has layers of experts; takes the memory for steps of at most so many tokens. */
    static Optional<ExpertProgram> of(
            Device device, DeviceShape shape, StepKernels kernels, Products products, int maxTokens) {
        return shape.spec().experts().count() == 0
                ? Optional.empty()
                : Optional.of(new ExpertProgram(device, shape, kernels, products, maxTokens));
    }

    private ExpertProgram(Device device, DeviceShape shape, StepKernels kernels, Products products, int maxTokens) {
        this.shape = shape;
        this.products = products;
        experts = shape.spec().experts();
        hidden = shape.spec().hidden();
        gate = switch (shape.spec().activation()) {
            case SILU -> SWIGLU;
            case GELU_TANH -> GEGLU;
        };
        int[] matmul = kernels.matmulConstants();
        int[] constants = kernels.expertsConstants();
        int sixteen = WeightFormat.SIXTEEN.constants();
        few = new Way(kernels.get("expert_few"), FEW_ROWS, matmul[sixteen], FEW_THREADS, matmul[sixteen + 1]);
        many = new Way(kernels.get("expert_many"), constants[0], constants[1], constants[2], constants[3]);
        choose = kernels.get("choose_experts");
        group = kernels.get("group_experts");
        chooseTokens = constants[4];
        groupThreads = constants[5];
        groupShared = Integer.BYTES * constants[6] * experts.count();
        fewFits = hidden % FEW_STEP == 0 && experts.intermediate() % FEW_STEP == 0;
        long slots = shape.slots(maxTokens);
        logits = device.memory(4L * maxTokens * experts.count()).address();
        chosen = device.memory(4 * slots).address();
        shares = device.memory(4 * slots).address();
        slotOf = device.memory(4 * slots).address();
        choices = device.memory(4 * slots).address();
        plan = device.zeroed(8 * 4).address();
        tiles = device.memory(4L * 4 * shape.expertTiles(maxTokens, FEW_ROWS)).address();
        inner = device.memory(2 * slots * experts.intermediate()).address();
        given = device.memory(2 * slots * hidden).address();
    }

    /** The router's logits, {@code [token][expert]} in binary32. */
    long logits() {
        return logits;
    }

    /** What experts gave, by slot. */
    long given() {
        return given;
    }

    /** By token and choice: its slot. */
    long slotOf() {
        return slotOf;
    }

    /** By token and choice: what it is multiplied by in the token's sum. */
    long shares() {
        return shares;
    }

    /**
     * Computes what experts give.
     *
     * @param entry of the header that counts tokens
     * @param tokens that there may be at most
     * @param normed rows of the hidden width
     */
    void feed(long header, int entry, int tokens, long normed, Sparse w) {
        products.logits(header, entry, tokens, normed, w.router(), logits);
        // on average, of which an expert here and there has twice as many
        boolean fewEach = (long) shape.slots(tokens) <= (long) FEW_ROWS * experts.count();
        Way way = fewFits && fewEach ? few : many;
        route(header, tokens, way);
        int width = experts.intermediate();
        multiply(way, tokens, choices, normed, hidden, w.gateUp(), width, gate, inner);
        multiply(way, tokens, 0, inner, width, w.down(), hidden, PLAIN, given);
    }

    private void route(long header, int tokens, Way way) {
        boolean together = tokens <= ROUTED_WITH_GROUPS;
        if (!together) {
            choose.begin()
                    .pointer(header)
                    .pointer(logits)
                    .integer(experts.count())
                    .integer(experts.perToken())
                    .integer(experts.normalised() ? 1 : 0)
                    .pointer(chosen)
                    .pointer(shares)
                    .launch(Kernel.blocks(tokens, chooseTokens), 1, 32 * chooseTokens, 0);
        }
        group.begin()
                .pointer(header)
                .pointer(together ? logits : 0)
                .integer(experts.count())
                .integer(experts.perToken())
                .integer(experts.normalised() ? 1 : 0)
                .integer(way.rows)
                .integer(shape.expertTiles(tokens, way.rows))
                .pointer(chosen)
                .pointer(shares)
                .pointer(slotOf)
                .pointer(choices)
                .pointer(plan)
                .pointer(tiles)
                .launch(1, 1, groupThreads, groupShared);
    }

    /** Rows of x by choice, or by slot where {@code by} is 0. */
    private void multiply(Way way, int tokens, long by, long x, int k, long w, int n, int mode, long y) {
        int columns = Kernel.blocks(n, mode == PLAIN ? way.columns : way.columns / 2);
        way.kernel
                .begin()
                .pointer(plan)
                .pointer(tiles)
                .pointer(by)
                .integer(experts.perToken())
                .pointer(x)
                .integer(k)
                .pointer(w)
                .integer(n)
                .integer(k)
                .integer(mode)
                .pointer(y)
                .integer(n)
                .launch(Math.multiplyExact(shape.expertTiles(tokens, way.rows), columns), 1, way.threads, way.shared);
    }
}
