package dev.jeton.models.cuda;

import dev.jeton.models.Experts;
import dev.jeton.models.Experts.Routing;
import dev.jeton.models.cuda.DeviceWeights.Sparse;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The feed-forward half of layers of experts, as launches on the stream: the router's logits, each token's choice, rows
 * grouped by expert, gate and up and then down for the rows of each expert, from which the next norm takes a token's
 * sum ({@link #left}), and with it what all tokens go through beside them, if there is that: it costs the norm {@code 2
 * * hidden} bytes a token more, and its gate no launch, being a logit of the router. The host only knows how many tiles
 * there may be, so a captured graph serves any choice.
 *
 * <p>Weights are read in the format that they have, whatever the number of rows. Where experts have their inputs each
 * in an order of its own, rows are brought into it first, a launch more.
 *
 * <p>Bytes of a step: the weights of the experts that any token chose, once, and 2 bytes for each row of an expert and
 * element of the hidden and the expert's width, twice. Few rows an expert are bound by the weights and take tiles of
 * {@value #FEW_ROWS}; many take the tensor cores in tiles eight times as long.
 *
 * <p>Memory: rows of the hidden and of the expert's width for each token of a step and each of its experts: 0.4 GB for
 * 8,192 tokens by 8 of Qwen3-30B-A3B.
 */
final class ExpertProgram {

    private static final int FEW_ROWS = GroupedProduct.FEW_ROWS;
    /** Up to so many tokens are routed by the block that groups them, two for each warp of it. */
    private static final int ROUTED_WITH_GROUPS = 64;

    private static final int ORDER_THREADS = 256;
    /** Inputs that a block of threads brings into order. */
    private static final int ORDERED = 2048;

    /** How scores are made of logits. The numbers are the kernels'. */
    private static final int SCORES_PLAIN = 0;

    private static final int SCORES_SOFTMAX = 1;
    private static final int SCORES_SIGMOID = 2;

    private static final int SWIGLU = 4;
    private static final int GEGLU = 5;
    private static final int CLAMPED = 6;

    private final DeviceShape shape;
    private final Experts experts;
    private final Products products;
    private final Kernel choose;
    private final Kernel group;
    private final Kernel order;
    private final Map<WeightFormat, GroupedProduct> few = new EnumMap<>(WeightFormat.class);
    private final Map<WeightFormat, GroupedProduct> many = new EnumMap<>(WeightFormat.class);
    private final int chooseTokens;
    private final int groupThreads;
    private final int groupShared;
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
            Device device,
            DeviceShape shape,
            StepKernels kernels,
            Products products,
            DeviceWeights weights,
            int maxTokens) {
        return shape.spec().experts().count() == 0
                ? Optional.empty()
                : Optional.of(new ExpertProgram(device, shape, kernels, products, weights.expertFormats(), maxTokens));
    }

    private ExpertProgram(
            Device device,
            DeviceShape shape,
            StepKernels kernels,
            Products products,
            Set<WeightFormat> formats,
            int maxTokens) {
        this.shape = shape;
        this.products = products;
        experts = shape.spec().experts();
        hidden = shape.spec().hidden();
        gate = switch (shape.spec().activation()) {
            case SILU -> SWIGLU;
            case GELU_TANH -> GEGLU;
            case CLAMPED_SWIGLU -> CLAMPED;
        };
        for (WeightFormat format : formats) {
            few.put(format, GroupedProduct.few(kernels, format));
            many.put(format, GroupedProduct.many(kernels, format));
        }
        int[] constants = kernels.expertsConstants();
        choose = kernels.get("choose_experts");
        group = kernels.get("group_experts");
        order = kernels.get("order_inputs");
        chooseTokens = constants[0];
        groupThreads = constants[1];
        groupShared = Integer.BYTES * constants[2] * experts.count();
        long slots = shape.slots(maxTokens);
        logits = device.memory(4L * maxTokens * shape.routerLogits()).address();
        chosen = device.memory(4 * slots).address();
        shares = device.memory(4 * slots).address();
        slotOf = device.memory(4 * slots).address();
        choices = device.memory(4 * slots).address();
        plan = device.zeroed(8 * 4).address();
        tiles = device.memory(4L * 4 * shape.expertTiles(maxTokens, FEW_ROWS)).address();
        inner = device.memory(2 * slots * experts.intermediate()).address();
        given = device.memory(2 * slots * hidden).address();
    }

    /** The router's logits, {@code [token]} of {@link DeviceShape#routerLogits} in binary32. */
    long logits() {
        return logits;
    }

    /**
     * What experts gave, and what is beside them.
     *
     * @param norm through which their sum goes; 0 for none
     * @param beside by token; 0 for nothing
     */
    Left left(long norm, long beside) {
        long besideLogits = experts.shared().gated() ? DecoderProgram.at(logits, experts.count()) : 0;
        return new Left(given, norm, slotOf, shares, beside, besideLogits);
    }

    /**
     * Computes the router's logits.
     *
     * @param entry of the header that counts tokens
     * @param tokens that there may be at most
     * @param normed rows of the hidden width
     */
    void score(long header, int entry, int tokens, long normed, Sparse w) {
        products.logits(header, entry, tokens, normed, w.router(), logits);
    }

    /** Computes what experts give, after {@link #score} of the same rows. */
    void feed(long header, int tokens, long normed, Sparse w) {
        // on average, of which an expert here and there has twice as many
        boolean fewEach = (long) shape.slots(tokens) <= (long) FEW_ROWS * experts.count();
        boolean byFew = fewEach && fewFits(w.gateUp()) && fewFits(w.down());
        Map<WeightFormat, GroupedProduct> ways = byFew ? few : many;
        GroupedProduct up = way(ways, w.gateUp());
        GroupedProduct down = way(ways, w.down());
        assert up.rows() == down.rows() : "one plan is of tiles of so many rows";
        route(header, tokens, up.rows(), w);
        int width = experts.intermediate();
        if (w.gateUp().order() == 0) {
            multiply(up, tokens, choices, normed, w.gateUp(), w.gateUpBias(), width, gate, inner);
        } else {
            // nobody needs what experts give before down has given it
            order(tokens, normed, w.gateUp(), given);
            multiply(up, tokens, 0, given, w.gateUp(), w.gateUpBias(), width, gate, inner);
        }
        multiply(down, tokens, 0, inner, w.down(), w.downBias(), hidden, GroupedProduct.PLAIN, given);
    }

    private static boolean fewFits(Matrix w) {
        return w.columns() % w.format().fewStep() == 0;
    }

    private void route(long header, int tokens, int tileRows, Sparse w) {
        boolean together = tokens <= ROUTED_WITH_GROUPS;
        if (!together) {
            boolean plain = experts.routing().isPlain();
            int keys = plain ? 0 : Float.BYTES * chooseTokens * experts.count();
            router(choose.begin().pointer(header).pointer(logits), w)
                    .pointer(chosen)
                    .pointer(shares)
                    .launch(Kernel.blocks(tokens, chooseTokens), 1, 32 * chooseTokens, keys);
        }
        router(group.begin().pointer(header).pointer(together ? logits : 0), w)
                .integer(tileRows)
                .integer(shape.expertTiles(tokens, tileRows))
                .pointer(chosen)
                .pointer(shares)
                .pointer(slotOf)
                .pointer(choices)
                .pointer(plan)
                .pointer(tiles)
                .launch(1, 1, groupThreads, groupShared);
    }

    /** How experts are chosen by their logits. */
    private Kernel router(Kernel kernel, Sparse w) {
        Routing routing = experts.routing();
        int scores = switch (routing.scoring()) {
            case SIGMOID -> SCORES_SIGMOID;
            case SOFTMAX -> routing.isPlain() ? SCORES_PLAIN : SCORES_SOFTMAX;
        };
        return kernel.integer(shape.routerLogits())
                .pointer(w.routerBias())
                .pointer(w.correction())
                .integer(experts.count())
                .integer(experts.perToken())
                .integer(scores)
                .integer(routing.normalised() ? 1 : 0)
                .integer(routing.groups())
                .integer(routing.groupsTaken())
                .integer(routing.groupBest())
                .single((float) routing.scale());
    }

    /** Rows of each slot's token, inputs in the order of its expert. */
    private void order(int tokens, long x, Matrix w, long to) {
        order.begin()
                .pointer(plan)
                .pointer(choices)
                .pointer(chosen)
                .integer(experts.perToken())
                .pointer(x)
                .pointer(w.order())
                .integer(w.columns())
                .pointer(to)
                .launch(shape.slots(tokens), Kernel.blocks(w.columns(), ORDERED), ORDER_THREADS, 0);
    }

    private static GroupedProduct way(Map<WeightFormat, GroupedProduct> ways, Matrix w) {
        GroupedProduct way = ways.get(w.format());
        if (way == null) {
            throw new IllegalStateException("no kernel for experts in " + w.format());
        }
        return way;
    }

    /** Rows of x by choice, or by slot where {@code by} is 0. */
    private void multiply(
            GroupedProduct way, int tokens, long by, long x, Matrix w, long bias, int n, int mode, long y) {
        int most = shape.expertTiles(tokens, way.rows());
        GroupedProduct.Groups groups = new GroupedProduct.Groups(plan, tiles, most, by, experts.perToken(), 0);
        way.multiply(groups, x, w.columns(), w, bias, n, mode, y, n);
    }
}
