package dev.jeton.models.cuda;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Latent;
import dev.jeton.models.cuda.DeviceWeights.LatentWeights;
import dev.jeton.models.cuda.DeviceWeights.Layer;
import java.util.Optional;

/**
 * The attention of models whose keys and values are computed from a narrow vector ({@link Latent}), as launches on the
 * stream: what queries are computed from and the vector, which goes to its page; queries; each head's query taken
 * through its K; attention to the vectors; what was attended to taken through each head's V.
 *
 * <p>The last and the third are products of each head's rows with a matrix of its own, which is what the products of
 * experts are ({@link GroupedProduct}): heads are as experts that every token goes through, whose rows lie in any
 * order.
 *
 * <p>Bytes of a decode step: the weights once, of which heads' are 34 MB a layer of DeepSeek-V3, and 1,152 bytes a
 * token of context and layer for all heads.
 *
 * <p>Memory: for each token and head a query, a query taken through K, what it attended to; DeepSeek-V3's 128 heads
 * take 0.33 MB a token, 1.3 GB for steps of 4,096; a share of that on each of several devices.
 */
final class LatentProgram {

    private static final int PLAN_THREADS = 256;
    private static final int PLAN_BLOCKS = 64;
    private static final int ROW_THREADS = 128;

    /**
     * What a step has of its tokens, on the device.
     *
     * @param entry of the header that counts them
     * @param count of them at most
     */
    record Tokens(long header, int entry, int count, long rotary, long rows, long positions) {}

    /** Where the pages of a layer are, and a step's block tables. */
    record Pages(long address, long blockBytes, long blocks, long tableStart) {}

    private final DecoderSpec spec;
    private final Latent latent;
    private final Products products;
    private final Kernel append;
    private final Kernel turn;
    private final Kernel planHeads;
    private final GroupedProduct few;
    private final GroupedProduct many;
    private final int keyWidth;
    private final int valueWidth;

    private final long projected;
    private final long narrow;
    private final long queries;
    private final long absorbed;
    private final long attended;
    private final long plan;
    private final long tiles;
    private final long places;

    /**
     * The program of a model that has this attention; takes the memory for steps of at most so many tokens.
     *
     * @param projected room for what the layer's input gives, {@link DeviceShape#qkvWidth} a token
     */
    static Optional<LatentProgram> of(
            Device device, DeviceShape shape, StepKernels kernels, Products products, long projected, int maxTokens) {
        return shape.spec().latent().exists()
                ? Optional.of(new LatentProgram(device, shape, kernels, products, projected, maxTokens))
                : Optional.empty();
    }

    private LatentProgram(
            Device device, DeviceShape shape, StepKernels kernels, Products products, long projected, int maxTokens) {
        this.products = products;
        this.projected = projected;
        spec = shape.spec();
        latent = spec.latent();
        append = kernels.get("latent_append");
        turn = kernels.get("latent_turn");
        planHeads = kernels.get("plan_heads");
        few = GroupedProduct.few(kernels, WeightFormat.SIXTEEN);
        many = GroupedProduct.many(kernels, WeightFormat.SIXTEEN);
        int[] constants = kernels.attentionConstants();
        keyWidth = constants[0];
        valueWidth = constants[1];
        long rows = (long) maxTokens * spec.heads();
        narrow = device.memory(2L * maxTokens * Math.max(1, latent.queryRank())).address();
        queries = device.memory(2 * rows * spec.headDim()).address();
        absorbed = device.memory(2 * rows * keyWidth).address();
        attended = device.memory(2 * rows * valueWidth).address();
        plan = device.zeroed(8 * 4).address();
        tiles = device.memory(4L * 4 * Math.max(headTiles(few, few.rows()), headTiles(many, maxTokens)))
                .address();
        places = device.memory(4 * rows).address();
    }

    private int headTiles(GroupedProduct way, int tokens) {
        return Math.multiplyExact(spec.heads(), Kernel.blocks(tokens, way.rows()));
    }

    /** Queries that are taken through K, {@code [token][head][keyWidth]}. */
    long absorbed() {
        return absorbed;
    }

    /** Where what was attended to goes, {@code [token][head][valueWidth]}. */
    long attended() {
        return attended;
    }

    /** What queries are computed from, {@code [token][queryRank]}, where that is not the layer's input. */
    long narrow() {
        return narrow;
    }

    /** Queries as they are computed, {@code [token][head][headDim]}. */
    long queries() {
        return queries;
    }

    private GroupedProduct way(int tokens) {
        boolean fits = latent.plain() % WeightFormat.SIXTEEN.fewStep() == 0
                && latent.rank() % WeightFormat.SIXTEEN.fewStep() == 0;
        return tokens <= few.rows() && fits ? few : many;
    }

    /** Lays out the rows of a step's heads; once, for all layers. */
    void plan(Tokens tokens) {
        GroupedProduct way = way(tokens.count);
        planHeads
                .begin()
                .pointer(tokens.header)
                .integer(way.rows())
                .pointer(plan)
                .pointer(tiles)
                .pointer(places)
                .launch(
                        Math.min(PLAN_BLOCKS, Kernel.blocks((long) tokens.count * spec.heads(), PLAN_THREADS)),
                        1,
                        PLAN_THREADS,
                        0);
    }

    /** The order of the layer's normed input: that of the one matrix that reads it, none where there are two. */
    long inputOrder(Layer layer) {
        return latent.queryRank() > 0 ? layer.queryKeyValue().order() : 0;
    }

    /**
     * Everything from the layer's normed input, in {@link #inputOrder}, to queries that attend and vectors in their
     * pages.
     */
    void queries(Tokens tokens, long normed, Layer layer, Pages pages) {
        LatentWeights w = layer.latent().orElseThrow();
        long header = tokens.header;
        int count = tokens.count;
        Matrix first = layer.queryKeyValue();
        long inputs = inputOrder(layer) == first.order()
                ? normed
                : products.inOrder(header, tokens.entry, count, normed, first);
        products.activations(header, tokens.entry, count, inputs, first, projected);
        if (latent.queryRank() == 0) {
            multiply(tokens, normed, w.queryUp());
        }
        append.begin()
                .pointer(header)
                .pointer(projected)
                .integer(layer.queryKeyValue().rows())
                .integer(latent.queryRank())
                .pointer(w.queryNorm())
                .pointer(w.norm())
                .single((float) spec.normEpsilon())
                .single((float) spec.scales().growth().beta())
                .integer(spec.scales().growth().context())
                .pointer(tokens.rotary)
                .pointer(tokens.rows)
                .pointer(tokens.positions)
                .pointer(pages.blocks)
                .pointer(pages.tableStart)
                .pointer(pages.address)
                .longInteger(pages.blockBytes)
                .pointer(narrow)
                .launch(count, 1, ROW_THREADS, 0);
        if (latent.queryRank() > 0) {
            multiply(tokens, narrow, w.queryUp());
        }
        turn.begin()
                .pointer(header)
                .pointer(queries)
                .pointer(tokens.rotary)
                .pointer(absorbed)
                .launch(count, 1, ROW_THREADS, 0);
        heads(count, queries, spec.headDim(), w.keyUp(), latent.rank(), absorbed, keyWidth);
    }

    private void multiply(Tokens tokens, long x, Matrix w) {
        long ordered = products.inOrder(tokens.header, tokens.entry, tokens.count, x, w);
        products.activations(tokens.header, tokens.entry, tokens.count, ordered, w, queries);
    }

    /** Takes what was attended to through V. */
    void values(Tokens tokens, Layer layer, long to) {
        Matrix w = layer.latent().orElseThrow().valueUp();
        heads(tokens.count, attended, valueWidth, w, latent.value(), to, latent.value());
    }

    /** Rows of every token and head by the head's matrix, in the order of tokens and then heads. */
    private void heads(int tokens, long x, int xStride, Matrix w, int outputs, long y, int yStride) {
        GroupedProduct way = way(tokens);
        GroupedProduct.Groups groups =
                new GroupedProduct.Groups(plan, tiles, headTiles(way, tokens), places, 1, places);
        way.multiply(groups, x, xStride, w, 0, outputs, GroupedProduct.PLAIN, y, yStride);
    }
}
