package dev.jeton.models.cuda;

import dev.jeton.models.CheckpointQuantization;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Latent;
import dev.jeton.models.ModelException;
import dev.jeton.models.Tensor;
import dev.jeton.models.TensorType;
import dev.jeton.models.WeightFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A decoder's weights on the device, or its {@link Shard} of them. Matrices that read the same input are one: q, k and
 * v one after the other, gate and then up. What is no matrix is an address; 0 where the model has none. Norms are
 * binary32, since families that multiply with 1 more than the weight have it added here.
 *
 * @param embedding {@code [vocabulary][hidden]}, with room for {@link DeviceShape#logitStride} rows
 * @param head the output projection of {@link Shard#headRows} rows; rows of the embedding where they are tied; empty
 *     where states become vectors
 * @param finalNorm {@code [hidden]}
 * @param layers in order
 */
record DeviceWeights(long embedding, Optional<Matrix> head, long finalNorm, List<Layer> layers) {

    /**
     * One layer.
     *
     * @param attentionNorm of what attention takes; 0 where that is not normalised
     * @param feedForwardNorm of what the feed-forward layer takes; likewise
     * @param sinks a score of each query head in binary32 that has no value; 0 for none
     * @param attentionBranchNorm of what attention gives, before it is added; 0 in most families
     * @param feedBranchNorm the same of the feed-forward layer
     * @param keyScale what K is divided by in pages of fp8
     * @param valueScale the same of V
     */
    record Layer(
            long attentionNorm,
            Matrix queryKeyValue,
            long queryKeyValueBias,
            long queryNorm,
            long keyNorm,
            long sinks,
            Optional<LatentWeights> latent,
            Matrix output,
            long outputBias,
            long attentionBranchNorm,
            long feedForwardNorm,
            Feed feed,
            long feedBranchNorm,
            float keyScale,
            float valueScale) {}

    /**
     * What latent attention has of a layer beside {@link Layer#queryKeyValue}, which gives what queries are computed
     * from (nothing where they are computed from the layer's input), the vector and what of the key is turned.
     *
     * @param queryNorm of what queries are computed from; 0 for none
     * @param queryUp what computes them
     * @param norm of the vector
     * @param keyUp of all heads, {@code [rank][plain]} each
     * @param valueUp of all heads, {@code [value][rank]} each
     */
    record LatentWeights(long queryNorm, Matrix queryUp, long norm, Matrix keyUp, Matrix valueUp) {}

    /** The feed-forward half of a layer. */
    sealed interface Feed {

        /** Address of the order in which it takes its inputs; 0 where they are in order. */
        long order();
    }

    /** One for all tokens. */
    record Dense(Matrix gateUp, Matrix down) implements Feed {

        /** Inputs of down. */
        int width() {
            return down.columns();
        }

        @Override
        public long order() {
            return gateUp.order();
        }
    }

    /**
     * One of experts. Biases are in binary32, 0 for none.
     *
     * @param router {@code [DeviceShape.routerLogits()][hidden]}: rows of experts, of the gate of what is beside them
     *     where that has one, and rows of undefined content
     * @param routerBias of each expert
     * @param correction of each expert, added to its score where it is chosen
     * @param gateUp gate and up of expert 0, of expert 1 and so on
     * @param gateUpBias of each of its rows
     * @param down the same of down
     * @param downBias of each of its rows; 0 also where another device adds them
     * @param beside what all tokens go through beside their experts
     */
    record Sparse(
            Matrix router,
            long routerBias,
            long correction,
            Matrix gateUp,
            long gateUpBias,
            Matrix down,
            long downBias,
            Optional<Dense> beside)
            implements Feed {
        @Override
        public long order() {
            return 0;
        }
    }

    DeviceWeights {
        layers = List.copyOf(layers);
    }

    /** All that activations in layers are multiplied with, but for the matrices of experts. */
    List<Matrix> matrices() {
        Stream<Matrix> feeds = layers.stream().flatMap(layer -> switch (layer.feed) {
            case Dense(Matrix gateUp, Matrix down) -> Stream.of(gateUp, down);
            case Sparse sparse ->
                Stream.concat(
                        Stream.of(sparse.router),
                        sparse.beside.stream().flatMap(beside -> Stream.of(beside.gateUp, beside.down)));
        });
        Stream<Matrix> attention = layers.stream().flatMap(l -> Stream.of(l.queryKeyValue, l.output));
        return Stream.of(attention, queryUps().stream(), feeds)
                .flatMap(Function.identity())
                .toList();
    }

    /** A matrix of every layer. */
    List<Matrix> all(Function<Layer, Matrix> matrix) {
        return layers.stream().map(matrix).toList();
    }

    /** What computes queries, of every layer whose attention is latent. */
    List<Matrix> queryUps() {
        return layers.stream()
                .flatMap(layer -> layer.latent.stream())
                .map(LatentWeights::queryUp)
                .toList();
    }

    /** A matrix of every layer without experts. */
    List<Matrix> dense(Function<Dense, Matrix> matrix) {
        return feeds(Dense.class).map(matrix).toList();
    }

    /** A matrix of what is beside experts, of every layer that has it. */
    List<Matrix> beside(Function<Dense, Matrix> matrix) {
        return feeds(Sparse.class)
                .flatMap(feed -> feed.beside.stream())
                .map(matrix)
                .toList();
    }

    /** What chooses experts, of every layer of them. */
    List<Matrix> routers() {
        return feeds(Sparse.class).map(Sparse::router).toList();
    }

    /** What experts are multiplied with. */
    Set<WeightFormat> expertFormats() {
        return feeds(Sparse.class)
                .flatMap(feed -> Stream.of(feed.gateUp.format(), feed.down.format()))
                .collect(Collectors.toSet());
    }

    private <F extends Feed> Stream<F> feeds(Class<F> kind) {
        return layers.stream().map(Layer::feed).filter(kind::isInstance).map(kind::cast);
    }

    /** The output projection's format, as {@link #load} finds it. */
    static WeightFormat headFormat(Path folder, DeviceShape shape, CheckpointQuantization checkpoint) {
        if (shape.spec().tiedEmbedding() || checkpoint instanceof CheckpointQuantization.None) {
            return WeightFormat.SIXTEEN;
        }
        try (ShardFiles files =
                new ShardFiles(WeightFiles.open(folder, shape.shard().whole()), shape.shard())) {
            return new StoredMatrix(
                            files,
                            checkpoint,
                            Shard.HEAD,
                            shape.shard().headTokens(),
                            shape.spec().hidden())
                    .format();
        }
    }

    /** Whether the files have experts in MXFP4, by those of the first layer that has any. */
    static boolean expertsInMxfp4(Path folder, DecoderSpec spec) {
        OptionalInt first =
                IntStream.range(0, spec.layers()).filter(spec.experts()::in).findFirst();
        if (first.isEmpty()) {
            return false;
        }
        String name = "model.layers.%d.mlp.experts.0.gate_proj.weight".formatted(first.getAsInt());
        try (WeightFiles files = WeightFiles.open(folder, spec)) {
            return files.type(name).orElse("").equals(TensorType.MXFP4.name());
        }
    }

    /**
     * Bytes that the weights take, matrices of layers in a format, experts and the output projection in one each, all
     * else in sixteen bits; scales included.
     */
    static long bytes(DeviceShape shape, WeightFormat format, WeightFormat expertFormat, WeightFormat headFormat) {
        DecoderSpec spec = shape.spec();
        int hidden = spec.hidden();
        long sparse =
                IntStream.range(0, spec.layers()).filter(spec.experts()::in).count();
        long attention = bytes(format, shape.qkvWidth(), hidden)
                + bytes(format, hidden, spec.attendedWidth())
                + latentBytes(spec, format);
        int width = spec.experts().intermediate();
        long expertBiases = spec.experts().biased() ? Float.BYTES * (1 + 2L * width + hidden) : 0;
        long experts = spec.experts().count() * (expertBiases + feed(expertFormat, hidden, width))
                + 2L * hidden * shape.routerLogits()
                + (spec.experts().routing().corrected()
                        ? Float.BYTES * spec.experts().count()
                        : 0)
                + feed(format, hidden, spec.experts().shared().width());
        long biases = 2 * (hidden + spec.queryWidth() + 2L * spec.keyValueWidth());
        long norms = 4 * (4L * hidden + 2L * spec.headDim());
        long head = spec.tiedEmbedding() ? 0 : bytes(headFormat, shape.shard().headRows(), hidden);
        return 2L * hidden * spec.vocabulary()
                + head
                + 4L * hidden
                + spec.layers() * (attention + biases + norms)
                + (spec.layers() - sparse) * feed(format, hidden, spec.intermediate())
                + sparse * experts;
    }

    private static long latentBytes(DecoderSpec spec, WeightFormat format) {
        Latent latent = spec.latent();
        if (!latent.exists()) {
            return 0;
        }
        int inputs = latent.queryRank() > 0 ? latent.queryRank() : spec.hidden();
        long heads = 2L * spec.heads() * latent.rank() * (latent.plain() + latent.value());
        return bytes(format, spec.queryWidth(), inputs) + heads + 4L * (latent.queryRank() + latent.rank());
    }

    private static long feed(WeightFormat format, int hidden, int width) {
        return bytes(format, 2L * width, hidden) + bytes(format, hidden, width);
    }

    private static long bytes(WeightFormat format, long rows, long columns) {
        return format.valueBytes(rows, columns) + format.scaleBytes(rows, columns);
    }

    /** The type that a model's weights are brought to: fp16 where the files have F16, bf16 otherwise. */
    static DeviceShape.Type type(Path folder, DecoderSpec spec) {
        try (WeightFiles files = WeightFiles.open(folder, spec)) {
            Tensor embedding = files.find("model.embed_tokens.weight")
                    .orElseThrow(
                            () -> new ModelException(folder + ": tensor \"model.embed_tokens.weight\" is missing"));
            return embedding.type() == TensorType.F16 ? DeviceShape.Type.FP16 : DeviceShape.Type.BF16;
        }
    }

    /**
     * Uploads a model folder.
     *
     * @param wanted format of the matrices of layers that the files have in sixteen bits
     */
    static DeviceWeights load(
            Path folder,
            DeviceShape shape,
            Device device,
            StepKernels kernels,
            CheckpointQuantization checkpoint,
            WeightFormat wanted) {
        try (ShardFiles files =
                new ShardFiles(WeightFiles.open(folder, shape.shard().whole()), shape.shard())) {
            WeightUpload upload = new WeightUpload(device, shape.type(), kernels);
            MatrixLoader matrices = new MatrixLoader(files, device, upload, kernels, checkpoint, wanted);
            WeightLoader loader = new WeightLoader(shape, shape.spec(), files, upload, matrices);
            DecoderSpec spec = shape.spec();
            long embedding = loader.table(shape.logitStride(), "model.embed_tokens.weight", 0, spec.vocabulary());
            List<Layer> layers = new ArrayList<>();
            for (int i = 0; i < spec.layers(); i++) {
                layers.add(
                        loader.layer("model.layers." + i + ".", spec.experts().in(i)));
            }
            DeviceWeights weights = new DeviceWeights(
                    embedding,
                    spec.vectors() ? Optional.empty() : Optional.of(loader.head(embedding)),
                    loader.norm(spec.hidden(), "model.norm.weight"),
                    layers);
            matrices.finish();
            return weights;
        }
    }
}
