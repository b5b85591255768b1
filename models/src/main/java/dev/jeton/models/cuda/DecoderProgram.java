package dev.jeton.models.cuda;

import dev.jeton.models.AdapterFolder.Place;
import dev.jeton.models.DecoderFeature;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.cuda.DeviceWeights.Layer;
import dev.jeton.models.cuda.ProductSearch.Use;
import java.util.List;
import java.util.Optional;
import java.util.function.LongUnaryOperator;

/**
 * One step as a sequence of launches on the stream: {@link #forward} up to the last residual, {@link #sample} from
 * there to accepted tokens. The same launches serve a step at once and a captured graph; kernels read how many rows
 * there really are from the step's header, so a graph made for a bucket serves every step that fits.
 *
 * <p>Per layer: norm; q, k and v; rotation and storing K and V; attention; output projection; norm; gate and up; down.
 * Where few rows make products that add to the residual stream themselves, the next norm has nothing to add; else it
 * adds what the half of the layer before it left, through a norm of its own in families that have one. Layers of
 * experts have a router in place of gate and up, then what all tokens go through beside experts where there is that,
 * gate and up and down, and then the experts ({@link ExpertProgram}). Where other devices have the rest of the model,
 * what a half gave is summed over all of them first, and biases are added after.
 *
 * <p>Bytes of a decode step of n rows: all weights once, K and V of every context once, and about {@code 40 * hidden}
 * bytes of activations a row and layer, which stay in the second cache.
 */
final class DecoderProgram {

    /** Entry of a step's header that counts its tokens. */
    static final int TOKENS = 1;

    private static final int LOGIT_ROWS = 2;
    private static final int NORM_THREADS = 256;

    private final DeviceShape shape;
    private final DecoderSpec spec;
    private final DeviceWeights weights;
    private final DeviceAdapters adapters;
    private final Slots slots;
    private final StepKernels kernels;
    private final Products products;
    private final StepBuffers buffers;
    private final AttentionProgram attention;
    private final Optional<ExpertProgram> experts;
    private final Optional<Peers> peers;
    private final long outputs;
    private final long frequencies;
    /** Of layers with a window, where they turn otherwise; else 0. */
    private final long windowFrequencies;

    private final ProductSearch search;
    private final SamplingProgram sampling;
    /** Of the half of a layer that was computed last. */
    private Left left = Left.NOTHING;

    /**
     * Takes all memory that steps need beside pages, which follow by {@link AttentionProgram#pages}.
     *
     * @param outputs where results go, as {@link StepOutputs.Layout} or {@link StepVectors} says
     */
    DecoderProgram(
            Device device,
            DeviceShape shape,
            DeviceWeights weights,
            DeviceAdapters adapters,
            StepKernels kernels,
            Slots slots,
            int maxRows,
            int maxTokens,
            long outputs) {
        this.shape = shape;
        this.spec = shape.spec();
        this.weights = weights;
        this.adapters = adapters;
        this.slots = slots;
        this.kernels = kernels;
        this.outputs = outputs;
        List<Integer> sizes = Buckets.products(maxRows, maxTokens);
        products = new Products(device, kernels, weights.matrices(), weights.head(), maxTokens, sizes);
        frequencies = device.constants(spec.rotary().frequencies()).address();
        windowFrequencies = spec.features().contains(DecoderFeature.WINDOW_ROTARY)
                ? device.constants(spec.windowRotary().frequencies()).address()
                : 0;
        buffers = StepBuffers.of(device, shape, maxTokens);
        peers = Peers.of(device, shape, kernels, StepBuffers.logitRows(maxTokens));
        attention = new AttentionProgram(device, shape, kernels, products, buffers, peers, maxRows, maxTokens);
        experts = ExpertProgram.of(device, shape, kernels, products, weights, maxTokens);
        search = search(maxTokens);
        sampling = new SamplingProgram(device, shape, kernels, slots, buffers.logits(), outputs);
    }

    /**
     * Everything up to the residual stream after the last layer.
     *
     * @param input the step's arrays on the device
     * @param tokens input tokens that there may be at most
     * @param decodes whether a row may have few inputs
     * @param prefills whether a row may have many
     * @param adapted whether a row may go through an adapter
     */
    void forward(long input, StepLayout layout, int tokens, boolean decodes, boolean prefills, boolean adapted) {
        long header = input;
        adapters.begin(header, buffers.tokenRow(), adapted ? at(input, layout.adapter()) : 0);
        prepare(input, layout, tokens);
        attention.plan(input, layout, tokens);
        left = Left.NOTHING;
        for (int layer = 0; layer < spec.layers(); layer++) {
            Layer w = weights.layers().get(layer);
            norm(header, TOKENS, tokens, 0, w.attentionNorm(), attention.inputOrder(w), buffers.normed());
            if (attention.latent().isEmpty()) {
                products.activations(header, TOKENS, tokens, buffers.normed(), w.queryKeyValue(), buffers.qkv());
                adapters.add(layer, Place.QUERY_KEY_VALUE, tokens, buffers.normed(), w.queryKeyValue(), buffers.qkv());
            }
            attention.attend(input, layout, layer, w, tokens, decodes, prefills);
            project(
                    header,
                    layer,
                    Place.OUTPUT,
                    tokens,
                    buffers.attended(),
                    w.output(),
                    w.outputBias(),
                    w.attentionBranchNorm());
            norm(header, TOKENS, tokens, 0, w.feedForwardNorm(), w.feed().order(), buffers.normed());
            switch (w.feed()) {
                case DeviceWeights.Dense dense -> feedForward(header, layer, tokens, dense, w.feedBranchNorm());
                case DeviceWeights.Sparse sparse -> chooseExperts(header, tokens, sparse, w.feedBranchNorm());
            }
        }
    }

    /** How products are computed. */
    ProductSearch search() {
        return search;
    }

    /** The attention of all layers, which has their pages. */
    AttentionProgram attention() {
        return attention;
    }

    private ProductSearch search(int maxTokens) {
        int heads = Math.max(spec.latent().queryRank(), Math.max(spec.queryWidth(), spec.attendedWidth()));
        int widest = Math.max(heads, Math.max(spec.hidden(), shape.feedWidth()));
        // weights are as good an input as any, where there are enough of them
        boolean enough = (long) spec.vocabulary() * spec.hidden() >= (long) maxTokens * widest;
        LongUnaryOperator input = buffer -> enough ? weights.embedding() : buffer;
        long normed = input.applyAsLong(buffers.normed());
        long attended = input.applyAsLong(buffers.attended());
        long inner = input.applyAsLong(buffers.inner());
        int logitRows = StepBuffers.logitRows(maxTokens);
        boolean ofInput = spec.latent().queryRank() == 0;
        long narrow = ofInput
                ? normed
                : input.applyAsLong(
                        attention.latent().map(LatentProgram::narrow).orElseThrow());
        long queries = attention.latent().map(LatentProgram::queries).orElse(0L);
        long routed = experts.map(ExpertProgram::logits).orElse(0L);
        List<Use> uses = List.of(
                new Use(weights.all(Layer::queryKeyValue), false, false, normed, buffers.qkv(), maxTokens),
                new Use(weights.queryUps(), false, false, narrow, queries, maxTokens),
                new Use(weights.all(Layer::output), false, false, attended, buffers.delta(), maxTokens),
                new Use(weights.dense(DeviceWeights.Dense::gateUp), false, false, normed, buffers.gateUp(), maxTokens),
                new Use(weights.dense(DeviceWeights.Dense::down), false, false, inner, buffers.delta(), maxTokens),
                new Use(weights.beside(DeviceWeights.Dense::gateUp), false, false, normed, buffers.gateUp(), maxTokens),
                new Use(weights.beside(DeviceWeights.Dense::down), false, false, inner, buffers.delta(), maxTokens),
                new Use(weights.routers(), peers.isPresent(), true, normed, routed, maxTokens),
                new Use(weights.head().stream().toList(), false, true, normed, buffers.logits(), logitRows));
        return new ProductSearch(
                products, uses.stream().filter(use -> !use.weights().isEmpty()).toList());
    }

    private void prepare(long input, StepLayout layout, int tokens) {
        kernels.get("prepare_step")
                .begin()
                .pointer(input)
                .pointer(at(input, layout.slot()))
                .pointer(at(input, layout.flags()))
                .pointer(at(input, layout.position()))
                .pointer(at(input, layout.inputStart()))
                .pointer(at(input, layout.token()))
                .pointer(slots.lastToken())
                .pointer(frequencies)
                .number(spec.rotary().attentionFactor())
                .pointer(windowFrequencies)
                .number(spec.windowRotary().attentionFactor())
                .pointer(buffers.tokenId())
                .pointer(buffers.tokenRow())
                .pointer(buffers.tokenPosition())
                .pointer(buffers.rotary())
                .pointer(buffers.windowRotary())
                .launch(tokens, 1, 128, 0);
        kernels.get("embed")
                .begin()
                .pointer(input)
                .pointer(buffers.tokenId())
                .pointer(weights.embedding())
                .integer(spec.hidden())
                .single((float) spec.scales().embedding())
                .pointer(buffers.residual())
                .launch(tokens, 1, 128, 0);
    }

    /**
     * Adds what was left and normalises, where there is a weight: all rows, which then have it, or those of an index,
     * for themselves; in the order of a matrix's inputs where it has one.
     */
    private void norm(long header, int entry, int rows, long rowIndex, long weight, long order, long target) {
        kernels.get("rms_norm")
                .begin()
                .pointer(header)
                .integer(entry)
                .pointer(left.values())
                .pointer(left.norm())
                .pointer(left.slots())
                .pointer(left.shares())
                .integer(spec.experts().perToken())
                .pointer(left.beside())
                .pointer(left.besideLogits())
                .integer(shape.routerLogits())
                .pointer(buffers.residual())
                .pointer(rowIndex)
                .pointer(weight)
                .single((float) spec.normEpsilon())
                .integer(spec.hidden())
                .pointer(order)
                .pointer(target)
                .launch(rows, 1, NORM_THREADS, 4 * spec.hidden());
    }

    /** What the {@link #forward} that was just called leaves, for {@link #sample} of a recorded one. */
    Left left() {
        return left;
    }

    /** Says that a recorded {@link #forward} was the last, and what that leaves. */
    void leave(Left recorded) {
        left = recorded;
    }

    /** The projection that ends a half of a layer: added to the residual stream at once, or left for the next norm. */
    private void project(
            long header, int layer, Place place, int tokens, long inputs, Matrix w, long bias, long branchNorm) {
        long x = products.inOrder(header, TOKENS, tokens, inputs, w);
        if (peers.isPresent() || branchNorm != 0 || adapters.change(layer, place)) {
            products.activations(header, TOKENS, tokens, x, w, buffers.delta());
            adapters.add(layer, place, tokens, x, w, buffers.delta());
            peers.ifPresent(others -> others.sum(buffers.delta(), tokens));
        } else if (products.residual(header, TOKENS, tokens, x, w, bias, buffers.residual(), buffers.delta())) {
            left = Left.NOTHING;
            return;
        }
        left = Left.of(buffers.delta(), branchNorm);
        if (bias != 0) {
            kernels.get("add_bias")
                    .begin()
                    .pointer(header)
                    .integer(TOKENS)
                    .pointer(buffers.delta())
                    .pointer(bias)
                    .integer(spec.hidden())
                    .launch(tokens, 1, 256, 0);
        }
    }

    private void feedForward(long header, int layer, int tokens, DeviceWeights.Dense w, long branchNorm) {
        long normed = buffers.normed();
        if (adapters.change(layer, Place.GATE_UP)) {
            products.activations(header, TOKENS, tokens, normed, w.gateUp(), buffers.gateUp());
            adapters.add(layer, Place.GATE_UP, tokens, normed, w.gateUp(), buffers.gateUp());
            join(header, tokens, w.width());
        } else {
            gate(header, tokens, normed, w);
        }
        project(header, layer, Place.DOWN, tokens, buffers.inner(), w.down(), 0, branchNorm);
    }

    /** What goes into down: gate and up, joined. */
    private void gate(long header, int tokens, long inputs, DeviceWeights.Dense w) {
        if (!products.gated(
                spec.activation(), header, TOKENS, tokens, inputs, w.gateUp(), buffers.inner(), buffers.gateUp())) {
            join(header, tokens, w.width());
        }
    }

    private void join(long header, int tokens, int width) {
        kernels.get(
                        switch (spec.activation()) {
                            case SILU -> "swiglu";
                            case GELU_TANH -> "geglu";
                            case CLAMPED_SWIGLU -> "clamped_swiglu";
                        })
                .begin()
                .pointer(header)
                .integer(TOKENS)
                .pointer(buffers.gateUp())
                .integer(width)
                .pointer(buffers.inner())
                .launch(tokens, Kernel.blocks(width, 2048), 256, 0);
    }

    private void chooseExperts(long header, int tokens, DeviceWeights.Sparse w, long branchNorm) {
        ExpertProgram program = experts.orElseThrow();
        program.score(header, TOKENS, tokens, buffers.normed(), w);
        w.beside().ifPresent(beside -> feedBeside(header, tokens, beside));
        program.feed(header, tokens, buffers.normed(), w);
        Left given = program.left(branchNorm, w.beside().isPresent() ? buffers.delta() : 0);
        if (peers.isPresent()) {
            peers.get().combine(header, TOKENS, tokens, given, buffers.delta());
            peers.get().sum(buffers.delta(), tokens);
            left = Left.of(buffers.delta(), branchNorm);
            return;
        }
        left = given;
    }

    /** What all tokens go through beside their experts. */
    private void feedBeside(long header, int tokens, DeviceWeights.Dense w) {
        gate(header, tokens, products.inOrder(header, TOKENS, tokens, buffers.normed(), w.gateUp()), w);
        long inner = products.inOrder(header, TOKENS, tokens, buffers.inner(), w.down());
        products.activations(header, TOKENS, tokens, inner, w.down(), buffers.delta());
    }

    /**
     * Logits of the rows that want them, sampled and accepted, or their states, where these become vectors
     * ({@link StepVectors}); after {@link #forward} of the same step.
     *
     * @param logitRows rows of logits that there may be at most
     * @param scored whether log-probabilities of prompts are wanted
     * @param masks where grammar masks lie, 0 where there are none
     */
    void sample(long input, StepLayout layout, int logitRows, boolean scored, long masks) {
        for (int from = 0; from < logitRows; from += StepLayout.CHUNK) {
            int rows = Math.min(StepLayout.CHUNK, logitRows - from);
            long header = at(input, layout.header(from / StepLayout.CHUNK));
            long index = at(input, layout.logitToken() + from);
            if (weights.head().isEmpty()) {
                long states = outputs + StepVectors.bytes(from, spec.hidden());
                norm(header, LOGIT_ROWS, rows, index, weights.finalNorm(), 0, states);
                continue;
            }
            Matrix head = weights.head().get();
            norm(header, LOGIT_ROWS, rows, index, weights.finalNorm(), head.order(), buffers.normed());
            logits(header, rows, head);
            sampling.sample(input, layout, header, from, rows, scored, masks);
        }
        if (weights.head().isPresent()) {
            sampling.accept(input, layout);
        }
    }

    private void logits(long header, int rows, Matrix head) {
        if (peers.isEmpty()) {
            products.logits(header, LOGIT_ROWS, rows, buffers.normed(), head, buffers.logits());
            return;
        }
        Peers others = peers.get();
        products.logits(header, LOGIT_ROWS, rows, buffers.normed(), head, others.part(rows));
        others.gather(header, LOGIT_ROWS, rows, buffers.logits());
    }

    /** The address so many ints further. */
    static long at(long address, int ints) {
        return address + 4L * ints;
    }
}
