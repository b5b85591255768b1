package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.ModelException;
import dev.jeton.models.QuantizedBlock;
import dev.jeton.models.Tensor;
import dev.jeton.models.TensorType;
import dev.jeton.models.WeightFiles;
import java.lang.foreign.SegmentAllocator;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.stream.Stream;

/**
 * A decoder's weights as the kernels read them. Matrices that read the same input are one: q, k and v one after the
 * other; gate and up half a panel each, so that the tile that computed both can join them.
 *
 * <p>Where the embedding is not also the output projection it stays in the mapped file, and only rows that occur are
 * ever read from disk.
 */
final class DecoderWeights implements AutoCloseable {

    /** The feed-forward half of a layer. */
    sealed interface Feed {}

    /** One for all tokens, or one expert. */
    record Dense(PackedMatrix gateUp, PackedMatrix down) implements Feed {}

    /** A choice of experts; the router's weights are never quantised at load. */
    record Sparse(PackedMatrix router, List<Dense> experts) implements Feed {}

    /**
     * One layer; biases and norms are empty where the model has none, norms are padded to the activations' stride.
     *
     * @param attentionBranchNorm of what attention gives, before it is added
     * @param feedBranchNorm of what the feed-forward half gives
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Layer(
            PackedMatrix queryKeyValue,
            float[] queryKeyValueBias,
            PackedMatrix output,
            float[] outputBias,
            Feed feed,
            float[] attentionNorm,
            float[] attentionBranchNorm,
            float[] feedForwardNorm,
            float[] feedBranchNorm,
            float[] queryNorm,
            float[] keyNorm) {}

    /** More weights than this do not stay in a core's share of the last cache from step to step. */
    private static final long CACHED_WEIGHTS = 8L << 20;

    private final List<Layer> layers;
    private final PackedMatrix head;
    private final float[] finalNorm;
    private final List<Tensor> embedding;
    private final List<AutoCloseable> mapped;

    private DecoderWeights(
            List<Layer> layers,
            PackedMatrix head,
            float[] finalNorm,
            List<Tensor> embedding,
            List<AutoCloseable> mapped) {
        this.layers = layers;
        this.head = head;
        this.finalNorm = finalNorm;
        this.embedding = embedding;
        this.mapped = mapped;
    }

    /** Packs a model folder's weights with all threads of the team. */
    static DecoderWeights load(
            Path folder,
            DecoderSpec spec,
            boolean quantize,
            boolean halves,
            SegmentAllocator memory,
            ComputeTeam team) {
        DecoderWeights weights;
        try (WeightFiles files = WeightFiles.open(folder, spec)) {
            Loader loader = new Loader(spec, files, quantize, halves, memory);
            List<Layer> layers = new ArrayList<>();
            for (int i = 0; i < spec.layers(); i++) {
                layers.add(loader.layer(i));
            }
            PackedMatrix head = loader.head();
            float[] norm = loader.norm("model.norm.weight");
            team.run(new Packing(loader.jobs, team.size()));
            weights = new DecoderWeights(List.copyOf(layers), head, norm, List.of(), List.of());
        }
        if (spec.tiedEmbedding()) {
            return weights;
        }
        // Mapped anew: the pages that packing has read stay behind with the first mapping.
        WeightFiles files = WeightFiles.open(folder, spec);
        return new DecoderWeights(
                weights.layers,
                weights.head,
                weights.finalNorm,
                List.of(Loader.embedding(files, spec)),
                List.of(files));
    }

    Layer layer(int index) {
        return layers.get(index);
    }

    /** The feed-forward half of a layer without experts. */
    Dense dense(int index) {
        if (layers.get(index).feed instanceof Dense dense) {
            return dense;
        }
        throw new IllegalStateException("layer " + index + " is of experts");
    }

    /** The feed-forward half of a layer of experts. */
    Sparse sparse(int index) {
        if (layers.get(index).feed instanceof Sparse sparse) {
            return sparse;
        }
        throw new IllegalStateException("layer " + index + " has no experts");
    }

    /** Whether any layer is without experts. */
    boolean hasDense() {
        return layers.stream().anyMatch(layer -> layer.feed instanceof Dense);
    }

    PackedMatrix head() {
        return head;
    }

    float[] finalNorm() {
        return finalNorm;
    }

    /** The formats that there are, most of the weights first. */
    List<PackedMatrix.Format> formats() {
        Set<PackedMatrix.Format> formats = new LinkedHashSet<>();
        for (Layer layer : List.of(layers.getFirst(), layers.getLast())) {
            for (PackedMatrix matrix : matrices(layer)) {
                formats.addAll(matrix.formats());
            }
        }
        formats.addAll(head.formats());
        return List.copyOf(formats);
    }

    /** Numbers that a row of inputs in BF16 takes at most; 0 where no matrix wants them so. */
    int halvesOfRow() {
        Stream<PackedMatrix> all =
                Stream.concat(layers.stream().flatMap(layer -> matrices(layer).stream()), Stream.of(head));
        return all.mapToInt(HalfRows::stride).max().orElse(0);
    }

    private static List<PackedMatrix> matrices(Layer layer) {
        return switch (layer.feed) {
            case Dense(PackedMatrix gateUp, PackedMatrix down) ->
                List.of(gateUp, layer.queryKeyValue, layer.output, down);
            case Sparse(PackedMatrix router, List<Dense> experts) ->
                List.of(experts.getFirst().gateUp, layer.queryKeyValue, layer.output, experts.getFirst().down, router);
        };
    }

    /** Writes the embedding of a token. */
    void embed(int token, float[] target, int offset) {
        if (embedding.isEmpty()) {
            head.row(token, target, offset);
        } else {
            Tensor table = embedding.getFirst();
            int width = head.columns();
            table.copyTo((long) token * width, target, offset, width);
        }
    }

    @Override
    public void close() {
        for (AutoCloseable file : mapped) {
            try {
                file.close();
            } catch (Exception e) {
                throw new ModelException("weights cannot be unmapped: " + e.getMessage(), e);
            }
        }
    }

    private record Job(PackedMatrix matrix, PackedMatrix.RowSource source) {}

    /** One tile packs one panel. */
    private static final class Packing implements ComputeTeam.Program {
        private final List<Job> jobs;
        private final int[] end;
        private final PackedMatrix.Scratch[] scratch;
        private boolean begun;

        Packing(List<Job> jobs, int threads) {
            this.jobs = jobs;
            end = new int[jobs.size()];
            int panels = 0;
            for (int i = 0; i < end.length; i++) {
                panels += jobs.get(i).matrix.panels();
                end[i] = panels;
            }
            scratch = new PackedMatrix.Scratch[threads];
            Arrays.setAll(scratch, i -> new PackedMatrix.Scratch());
        }

        @Override
        public int advance() {
            int tiles = begun ? 0 : end[end.length - 1];
            begun = true;
            return tiles;
        }

        @Override
        public void tile(int tile, int member) {
            int found = Arrays.binarySearch(end, tile + 1);
            int job = found >= 0 ? found : -found - 1;
            int first = job == 0 ? 0 : end[job - 1];
            Job it = jobs.get(job);
            it.matrix.pack(tile - first, it.source, scratch[member]);
        }
    }

    /** Finds tensors, allocates matrices, and notes what is to be packed. */
    private static final class Loader {
        private final DecoderSpec spec;
        private final WeightFiles files;
        private final boolean quantize;
        private final boolean halves;
        private final SegmentAllocator memory;
        private final int stride;
        private final boolean large;
        final List<Job> jobs = new ArrayList<>();

        Loader(DecoderSpec spec, WeightFiles files, boolean quantize, boolean halves, SegmentAllocator memory) {
            this.spec = spec;
            this.files = files;
            this.quantize = quantize;
            this.halves = halves;
            this.memory = memory;
            long inner = Math.max(
                    spec.intermediate(),
                    (long) spec.experts().count() * spec.experts().intermediate());
            long width = spec.queryWidth() + spec.keyValueWidth() + (3 * inner + 1) / 2;
            this.large = 2L * spec.hidden() * (spec.layers() * width + spec.vocabulary()) > CACHED_WEIGHTS;
            this.stride = PackedMatrix.panelsFor(spec.hidden()) * PANEL;
        }

        Layer layer(int index) {
            String name = "model.layers." + index + ".";
            String attention = name + "self_attn.";
            int kv = spec.keyValueWidth();
            int hidden = spec.hidden();
            PackedMatrix qkv = stacked(
                    hidden,
                    List.of(
                            files.tensor(attention + "q_proj.weight", spec.queryWidth(), hidden),
                            files.tensor(attention + "k_proj.weight", kv, hidden),
                            files.tensor(attention + "v_proj.weight", kv, hidden)));
            PackedMatrix output = stacked(
                    spec.queryWidth(), List.of(files.tensor(attention + "o_proj.weight", hidden, spec.queryWidth())));
            boolean branches = spec.norms().branches();
            return new Layer(
                    qkv,
                    biases(qkv.panels() * PANEL, attention),
                    output,
                    spec.outputBias() ? vector(attention + "o_proj.bias", hidden, stride) : new float[0],
                    spec.experts().in(index) ? sparse(name + "mlp.") : dense(name + "mlp.", spec.intermediate()),
                    norm(name + "input_layernorm.weight"),
                    branches ? norm(name + "post_attention_layernorm.weight") : new float[0],
                    norm(name + (branches ? "pre_feedforward_layernorm" : "post_attention_layernorm") + ".weight"),
                    branches ? norm(name + "post_feedforward_layernorm.weight") : new float[0],
                    headNorm(attention + "q_norm.weight"),
                    headNorm(attention + "k_norm.weight"));
        }

        private Dense dense(String name, int width) {
            int hidden = spec.hidden();
            return new Dense(
                    interleaved(
                            files.tensor(name + "gate_proj.weight", width, hidden),
                            files.tensor(name + "up_proj.weight", width, hidden)),
                    stacked(width, List.of(files.tensor(name + "down_proj.weight", hidden, width))));
        }

        /**
         * A router is small, and which experts a token goes to hangs on its last bits: not quantised, its inputs not
         * rounded.
         */
        private Sparse sparse(String name) {
            int count = spec.experts().count();
            Tensor router = files.tensor(name + "gate.weight", count, spec.hidden());
            List<PackedMatrix.Format> formats =
                    Collections.nCopies(PackedMatrix.panelsFor(count), exactly(Set.of(router.type())));
            PackedMatrix matrix =
                    packed(spec.hidden(), formats, output -> new Place(router, output < count ? output : PADDING));
            List<Dense> experts = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                experts.add(
                        dense("%sexperts.%d.".formatted(name, i), spec.experts().intermediate()));
            }
            return new Sparse(matrix, List.copyOf(experts));
        }

        PackedMatrix head() {
            Tensor table = spec.tiedEmbedding()
                    ? embedding(files, spec)
                    : files.tensor("lm_head.weight", spec.vocabulary(), spec.hidden());
            return stacked(spec.hidden(), List.of(table));
        }

        static Tensor embedding(WeightFiles files, DecoderSpec spec) {
            return files.tensor("model.embed_tokens.weight", spec.vocabulary(), spec.hidden());
        }

        float[] norm(String name) {
            return vector(name, spec.hidden(), stride);
        }

        private float[] headNorm(String name) {
            return spec.headNorms() ? vector(name, spec.headDim(), spec.headDim()) : new float[0];
        }

        private float[] biases(int padded, String attention) {
            if (!spec.queryKeyValueBias()) {
                return new float[0];
            }
            int q = spec.queryWidth();
            int kv = spec.keyValueWidth();
            float[] all = vector(attention + "q_proj.bias", q, padded);
            System.arraycopy(vector(attention + "k_proj.bias", kv, kv), 0, all, q, kv);
            System.arraycopy(vector(attention + "v_proj.bias", kv, kv), 0, all, q + kv, kv);
            return all;
        }

        private float[] vector(String name, int size, int padded) {
            return Arrays.copyOf(files.tensor(name, size).toFloats(), padded);
        }

        private PackedMatrix stacked(int columns, List<Tensor> parts) {
            int outputs = 0;
            for (Tensor part : parts) {
                outputs += part.shape().getFirst().intValue();
            }
            return packed(columns, PackedMatrix.panelsFor(outputs), output -> {
                int row = output;
                for (Tensor part : parts) {
                    int rows = part.shape().getFirst().intValue();
                    if (row < rows) {
                        return new Place(part, row);
                    }
                    row -= rows;
                }
                return new Place(parts.getLast(), PADDING);
            });
        }

        /** Half a panel of gate, then the half of up that belongs to it. */
        private PackedMatrix interleaved(Tensor gate, Tensor up) {
            int half = PANEL / 2;
            int rows = gate.shape().getFirst().intValue();
            return packed(spec.hidden(), (rows + half - 1) / half, output -> {
                int row = output / PANEL * half + output % half;
                return new Place(output % PANEL < half ? gate : up, row < rows ? row : PADDING);
            });
        }

        private PackedMatrix packed(int columns, int panels, IntFunction<Place> places) {
            List<PackedMatrix.Format> formats = new ArrayList<>();
            for (int panel = 0; panel < panels; panel++) {
                Set<TensorType> types = EnumSet.noneOf(TensorType.class);
                for (int output = panel * PANEL; output < (panel + 1) * PANEL; output++) {
                    types.add(places.apply(output).tensor.type());
                }
                formats.add(paired(format(types), columns));
            }
            return packed(columns, formats, places);
        }

        private PackedMatrix packed(int columns, List<PackedMatrix.Format> formats, IntFunction<Place> places) {
            PackedMatrix matrix = new PackedMatrix(formats, columns, large, halves, memory);
            jobs.add(new Job(matrix, new Rows(columns, places)));
            return matrix;
        }

        /** BF16 as the kernels in C read it, where they are to. */
        private PackedMatrix.Format paired(PackedMatrix.Format format, int columns) {
            return format == PackedMatrix.Format.BF16 && halves && columns % 2 == 0
                    ? PackedMatrix.Format.BF16_PAIRS
                    : format;
        }

        /**
         * What keeps weights of these types exactly. ggml's blocks of 256 keep their bits; those of 32 without an
         * offset are whole numbers and a scale, which is Q8_0. F16 is widened to F32: BF16 has not its precision. So
         * are blocks with an offset for each 32, and the panel in which two types meet that have no format in common.
         */
        private PackedMatrix.Format format(Set<TensorType> types) {
            boolean plain = types.stream().noneMatch(TensorType::quantized);
            if (quantize && (plain || EIGHTS.containsAll(types))) {
                return PackedMatrix.Format.Q8_0;
            }
            if (quantize && types.stream().anyMatch(type -> type.quantized() && !EIGHTS.contains(type))) {
                throw new ModelException("the weights of %s are quantised already, in %s; leave --quantize"
                        .formatted(files.source(), types));
            }
            return exactly(types);
        }

        private static PackedMatrix.Format exactly(Set<TensorType> types) {
            if (EIGHTS.containsAll(types)) {
                return PackedMatrix.Format.Q8_0;
            }
            if (types.size() > 1) {
                return PackedMatrix.Format.F32;
            }
            return switch (types.iterator().next()) {
                case BF16 -> PackedMatrix.Format.BF16;
                case Q4_K -> PackedMatrix.Format.Q4_K;
                case Q5_K -> PackedMatrix.Format.Q5_K;
                case Q6_K -> PackedMatrix.Format.Q6_K;
                case Q8_0, Q5_0, Q4_0 -> PackedMatrix.Format.Q8_0;
                case F32, F16, Q4_1, Q5_1 -> PackedMatrix.Format.F32;
            };
        }
    }

    /** Types whose numbers and scales Q8_0 holds. */
    private static final Set<TensorType> EIGHTS = EnumSet.of(TensorType.Q8_0, TensorType.Q5_0, TensorType.Q4_0);

    private static final int PADDING = -1;

    /** A row of a tensor; {@link #PADDING} for none. */
    private record Place(Tensor tensor, int row) {}

    /** Rows of tensors in the order in which a matrix has them. */
    private record Rows(int columns, IntFunction<Place> places) implements PackedMatrix.RowSource {

        @Override
        public void read(int output, int first, int count, float[] target, int offset) {
            Place place = places.apply(output);
            if (place.row == PADDING) {
                Arrays.fill(target, offset, offset + count, 0);
            } else {
                place.tensor.copyTo((long) place.row * columns + first, target, offset, count);
            }
        }

        @Override
        public boolean blocks(int panel) {
            return places.apply(panel * PANEL).tensor.type().quantized();
        }

        @Override
        public boolean block(int output, int number, QuantizedBlock target) {
            Place place = places.apply(output);
            if (place.row == PADDING) {
                return false;
            }
            place.tensor.block(place.row, number, target);
            return true;
        }
    }
}
