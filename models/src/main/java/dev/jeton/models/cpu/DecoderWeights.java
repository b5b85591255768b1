package dev.jeton.models.cpu;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.ModelException;
import dev.jeton.models.Tensor;
import dev.jeton.models.WeightFiles;
import java.lang.foreign.SegmentAllocator;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
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

    /** One for all tokens, or one expert; biases in the order of the panels, empty where there are none. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Dense(PackedMatrix gateUp, float[] gateUpBias, PackedMatrix down, float[] downBias) implements Feed {}

    /**
     * A choice of experts; the router's weights are never quantised at load.
     *
     * @param correction by expert: what is added to its score for the choice, where the model has that
     * @param shared what all tokens go through beside their experts
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Sparse(
            PackedMatrix router, float[] routerBias, float[] correction, List<Dense> experts, Optional<Dense> shared)
            implements Feed {}

    /**
     * What latent attention has of a layer ({@link dev.jeton.models.Latent}) beside {@link Layer#queryKeyValue}, which
     * gives what queries are computed from (or queries), the latent vector and the turned part of the key.
     *
     * @param queryNorm of what queries are computed from; empty where they are computed from the layer's input
     * @param queryUp what computes them
     * @param norm of the latent vector
     * @param keyUp by head: {@code [rank][plain]}
     * @param valueUp by head: {@code [value][rank]}
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record LatentWeights(
            float[] queryNorm,
            Optional<PackedMatrix> queryUp,
            float[] norm,
            List<PackedMatrix> keyUp,
            List<PackedMatrix> valueUp) {

        private List<PackedMatrix> matrices() {
            List<PackedMatrix> matrices = new ArrayList<>(List.of(keyUp.getFirst(), valueUp.getFirst()));
            queryUp.ifPresent(matrices::add);
            return matrices;
        }
    }

    /**
     * What a layer of linear attention has ({@link dev.jeton.models.Delta}) beside {@link Layer#queryKeyValue}, which
     * gives q, k, v, z, b and a of all heads, and {@link Layer#output}.
     *
     * @param convolution by value head and tap, the oldest first, of the channels of its q, k and v, each padded to
     *     whole vectors
     * @param decay by value head: -e^A
     * @param stepBias by value head
     * @param norm of what a head gives, padded
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record DeltaWeights(float[] convolution, float[] decay, float[] stepBias, float[] norm) {}

    /**
     * One layer; biases and norms are empty where the model has none, norms are padded to the activations' stride.
     *
     * @param sinks by query head: a logit of its softmax that is of no token
     * @param attentionBranchNorm of what attention gives, before it is added
     * @param feedBranchNorm of what the feed-forward half gives
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Layer(
            PackedMatrix queryKeyValue,
            float[] queryKeyValueBias,
            PackedMatrix output,
            float[] outputBias,
            float[] sinks,
            Optional<LatentWeights> latent,
            Optional<DeltaWeights> delta,
            Feed feed,
            float[] attentionNorm,
            float[] attentionBranchNorm,
            float[] feedForwardNorm,
            float[] feedBranchNorm,
            float[] queryNorm,
            float[] keyNorm) {}

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
            WeightLoader loader = new WeightLoader(spec, files, quantize, halves, memory);
            List<Layer> layers = new ArrayList<>();
            for (int i = 0; i < spec.layers(); i++) {
                layers.add(loader.layer(i));
            }
            PackedMatrix head = loader.head();
            float[] norm = loader.norm("model.norm.weight");
            loader.pack(team);
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
                List.of(WeightLoader.embedding(files, spec)),
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

    /** The same of the rows of a tile of {@link HeadProducts}. */
    long halvesOfHeads() {
        return layers.stream()
                .flatMap(layer -> layer.latent.stream())
                .flatMap(of -> Stream.of(of.keyUp.getFirst(), of.valueUp.getFirst()))
                .mapToLong(HeadProducts::halves)
                .max()
                .orElse(0);
    }

    private static List<PackedMatrix> matrices(Layer layer) {
        List<PackedMatrix> matrices = new ArrayList<>(matricesOfFeed(layer));
        layer.latent.ifPresent(latent -> matrices.addAll(latent.matrices()));
        return matrices;
    }

    private static List<PackedMatrix> matricesOfFeed(Layer layer) {
        return switch (layer.feed) {
            case Dense(PackedMatrix gateUp, float[] _, PackedMatrix down, float[] _) ->
                List.of(gateUp, layer.queryKeyValue, layer.output, down);
            case Sparse sparse -> {
                Dense expert = sparse.experts.getFirst();
                List<PackedMatrix> matrices = new ArrayList<>(
                        List.of(expert.gateUp, layer.queryKeyValue, layer.output, expert.down, sparse.router));
                sparse.shared.ifPresent(shared -> matrices.addAll(List.of(shared.gateUp, shared.down)));
                yield matrices;
            }
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
}
