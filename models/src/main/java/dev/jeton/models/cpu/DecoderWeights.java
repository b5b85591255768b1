package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static dev.jeton.models.cpu.Kernels.Q8_BLOCK;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.ModelException;
import dev.jeton.models.Tensor;
import dev.jeton.models.TensorType;
import dev.jeton.models.WeightFiles;
import java.lang.foreign.SegmentAllocator;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A decoder's weights as the kernels read them. Matrices that read the same input are one: q, k and v one after the
 * other; gate and up half a panel each, so that the tile that computed both can join them.
 *
 * <p>Where the embedding is not also the output projection it stays in the mapped file, and only rows that occur are
 * ever read from disk.
 */
final class DecoderWeights implements AutoCloseable {

    /**
     * One layer; biases and head norms are empty where the model has none, norms are padded to the activations' stride.
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Layer(
            PackedMatrix queryKeyValue,
            float[] queryKeyValueBias,
            PackedMatrix output,
            float[] outputBias,
            PackedMatrix gateUp,
            PackedMatrix down,
            float[] attentionNorm,
            float[] feedForwardNorm,
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
            Path folder, DecoderSpec spec, boolean quantize, SegmentAllocator memory, ComputeTeam team) {
        DecoderWeights weights;
        try (WeightFiles files = WeightFiles.open(folder)) {
            Loader loader = new Loader(spec, files, quantize, memory);
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
        WeightFiles files = WeightFiles.open(folder);
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

    PackedMatrix head() {
        return head;
    }

    float[] finalNorm() {
        return finalNorm;
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
        private final float[][] block;
        private final float[][] turned;
        private boolean begun;

        Packing(List<Job> jobs, int threads) {
            this.jobs = jobs;
            end = new int[jobs.size()];
            int panels = 0;
            for (int i = 0; i < end.length; i++) {
                panels += jobs.get(i).matrix.panels();
                end[i] = panels;
            }
            block = new float[threads][Q8_BLOCK * PANEL];
            turned = new float[threads][Q8_BLOCK * PANEL];
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
            it.matrix.pack(tile - first, it.source, block[member], turned[member]);
        }
    }

    /** Finds tensors, allocates matrices, and notes what is to be packed. */
    private static final class Loader {
        private final DecoderSpec spec;
        private final WeightFiles files;
        private final boolean quantize;
        private final SegmentAllocator memory;
        private final int stride;
        private final boolean large;
        final List<Job> jobs = new ArrayList<>();

        Loader(DecoderSpec spec, WeightFiles files, boolean quantize, SegmentAllocator memory) {
            this.spec = spec;
            this.files = files;
            this.quantize = quantize;
            this.memory = memory;
            long width = spec.queryWidth() + spec.keyValueWidth() + (3L * spec.intermediate() + 1) / 2;
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
            PackedMatrix down = stacked(
                    spec.intermediate(),
                    List.of(files.tensor(name + "mlp.down_proj.weight", hidden, spec.intermediate())));
            return new Layer(
                    qkv,
                    biases(qkv.panels() * PANEL, attention),
                    output,
                    spec.outputBias() ? vector(attention + "o_proj.bias", hidden, stride) : new float[0],
                    interleaved(
                            files.tensor(name + "mlp.gate_proj.weight", spec.intermediate(), hidden),
                            files.tensor(name + "mlp.up_proj.weight", spec.intermediate(), hidden)),
                    down,
                    norm(name + "input_layernorm.weight"),
                    norm(name + "post_attention_layernorm.weight"),
                    headNorm(attention + "q_norm.weight"),
                    headNorm(attention + "k_norm.weight"));
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
            PackedMatrix matrix =
                    new PackedMatrix(format(parts), columns, PackedMatrix.panelsFor(outputs), large, memory);
            jobs.add(new Job(matrix, (output, first, count, target, offset) -> {
                int row = output;
                for (Tensor part : parts) {
                    int rows = part.shape().getFirst().intValue();
                    if (row < rows) {
                        part.copyTo((long) row * columns + first, target, offset, count);
                        return;
                    }
                    row -= rows;
                }
                Arrays.fill(target, offset, offset + count, 0);
            }));
            return matrix;
        }

        /** Half a panel of gate, then the half of up that belongs to it. */
        private PackedMatrix interleaved(Tensor gate, Tensor up) {
            int half = PANEL / 2;
            int columns = spec.hidden();
            int rows = spec.intermediate();
            PackedMatrix matrix =
                    new PackedMatrix(format(List.of(gate, up)), columns, (rows + half - 1) / half, large, memory);
            jobs.add(new Job(matrix, (output, first, count, target, offset) -> {
                int row = output / PANEL * half + output % half;
                if (row < rows) {
                    Tensor part = output % PANEL < half ? gate : up;
                    part.copyTo((long) row * columns + first, target, offset, count);
                } else {
                    Arrays.fill(target, offset, offset + count, 0);
                }
            }));
            return matrix;
        }

        private PackedMatrix.Format format(List<Tensor> parts) {
            if (quantize) {
                return PackedMatrix.Format.Q8_0;
            }
            boolean halves = parts.stream().allMatch(part -> part.type() == TensorType.BF16);
            return halves ? PackedMatrix.Format.BF16 : PackedMatrix.Format.F32;
        }
    }
}
