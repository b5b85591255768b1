package dev.jeton.models.cuda;

import dev.jeton.models.CheckpointQuantization;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.ModelException;
import dev.jeton.models.Tensor;
import dev.jeton.models.TensorType;
import dev.jeton.models.WeightFiles;
import dev.jeton.models.cuda.MatrixLoader.Part;
import dev.jeton.natives.DeviceMemory;
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
 * @param head the output projection of {@link Shard#headRows} rows; rows of the embedding where they are tied
 * @param finalNorm {@code [hidden]}
 * @param layers in order
 */
record DeviceWeights(long embedding, Matrix head, long finalNorm, List<Layer> layers) {

    /**
     * One layer.
     *
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
            Matrix output,
            long outputBias,
            long attentionBranchNorm,
            long feedForwardNorm,
            Feed feed,
            long feedBranchNorm,
            float keyScale,
            float valueScale) {}

    /** The feed-forward half of a layer. */
    sealed interface Feed {

        /** Address of the order in which it takes its inputs; 0 where they are in order. */
        long order();
    }

    /** One for all tokens. */
    record Dense(Matrix gateUp, Matrix down) implements Feed {
        @Override
        public long order() {
            return gateUp.order();
        }
    }

    /**
     * One of experts. Biases are in binary32, 0 for none.
     *
     * @param router {@code [experts][hidden]}
     * @param routerBias of each expert
     * @param gateUp gate and up of expert 0, of expert 1 and so on
     * @param gateUpBias of each of its rows
     * @param down the same of down
     * @param downBias of each of its rows; 0 also where another device adds them
     */
    record Sparse(Matrix router, long routerBias, Matrix gateUp, long gateUpBias, Matrix down, long downBias)
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
            case Sparse sparse -> Stream.of(sparse.router);
        });
        Stream<Matrix> attention = layers.stream().flatMap(l -> Stream.of(l.queryKeyValue, l.output));
        return Stream.concat(attention, feeds).toList();
    }

    /** A matrix of every layer. */
    List<Matrix> all(Function<Layer, Matrix> matrix) {
        return layers.stream().map(matrix).toList();
    }

    /** A matrix of every layer without experts. */
    List<Matrix> dense(Function<Dense, Matrix> matrix) {
        return feeds(Dense.class).map(matrix).toList();
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
        long attention = bytes(format, spec.queryWidth() + 2 * spec.keyValueWidth(), hidden)
                + bytes(format, hidden, spec.queryWidth());
        int width = spec.experts().intermediate();
        long expertBiases = spec.experts().biased() ? Float.BYTES * (1 + 2L * width + hidden) : 0;
        long experts = spec.experts().count() * (2L * hidden + expertBiases + feed(expertFormat, hidden, width));
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
            Loader loader = new Loader(shape, shape.spec(), files, upload, matrices);
            DecoderSpec spec = shape.spec();
            long embedding = loader.table(shape.logitStride(), "model.embed_tokens.weight", 0, spec.vocabulary());
            List<Layer> layers = new ArrayList<>();
            for (int i = 0; i < spec.layers(); i++) {
                layers.add(
                        loader.layer("model.layers." + i + ".", spec.experts().in(i)));
            }
            DeviceWeights weights = new DeviceWeights(
                    embedding, loader.head(embedding), loader.norm(spec.hidden(), "model.norm.weight"), layers);
            matrices.finish();
            return weights;
        }
    }

    private record Loader(
            DeviceShape shape, DecoderSpec spec, ShardFiles files, WeightUpload upload, MatrixLoader matrices) {

        Layer layer(String name, boolean sparse) {
            int hidden = spec.hidden();
            int query = spec.queryWidth();
            int keyValue = spec.keyValueWidth();
            String attention = name + "self_attn.";
            boolean branches = spec.norms().branches();
            return new Layer(
                    norm(hidden, name + "input_layernorm.weight"),
                    matrices.load(
                            hidden,
                            new Part(attention + "q_proj", query),
                            new Part(attention + "k_proj", keyValue),
                            new Part(attention + "v_proj", keyValue)),
                    spec.queryKeyValueBias()
                            ? join(
                                    files.tensor(attention + "q_proj.bias", query),
                                    files.tensor(attention + "k_proj.bias", keyValue),
                                    files.tensor(attention + "v_proj.bias", keyValue))
                            : 0,
                    spec.headNorms() ? norm(spec.headDim(), attention + "q_norm.weight") : 0,
                    spec.headNorms() ? norm(spec.headDim(), attention + "k_norm.weight") : 0,
                    spec.sinks() ? sinks(attention + "sinks") : 0,
                    matrices.load(query, new Part(attention + "o_proj", hidden)),
                    spec.outputBias() ? vector(hidden, attention + "o_proj.bias") : 0,
                    branches ? norm(hidden, name + "post_attention_layernorm.weight") : 0,
                    norm(hidden, name + (branches ? "pre_feedforward" : "post_attention") + "_layernorm.weight"),
                    sparse ? experts(name + "mlp.") : dense(name + "mlp."),
                    branches ? norm(hidden, name + "post_feedforward_layernorm.weight") : 0,
                    scale(attention + "k_scale"),
                    scale(attention + "v_scale"));
        }

        private Dense dense(String name) {
            int width = spec.intermediate();
            return matrices.feed(
                    spec.hidden(),
                    width,
                    new Part(name + "gate_proj", width),
                    new Part(name + "up_proj", width),
                    new Part(name + "down_proj", spec.hidden()));
        }

        private Sparse experts(String name) {
            int width = spec.experts().intermediate();
            int count = spec.experts().count();
            List<MatrixLoader.Expert> experts = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                String expert = "%sexperts.%d.".formatted(name, i);
                experts.add(new MatrixLoader.Expert(
                        new Part(expert + "gate_proj", width),
                        new Part(expert + "up_proj", width),
                        new Part(expert + "down_proj", spec.hidden())));
            }
            Matrix router =
                    new Matrix(join(files.tensor(name + "gate.weight", count, spec.hidden())), count, spec.hidden());
            MatrixLoader.Experts loaded = matrices.experts(spec.hidden(), width, experts);
            if (!spec.experts().biased()) {
                return new Sparse(router, 0, loaded.gateUp(), 0, loaded.down(), 0);
            }
            boolean adds = shape.shard().rank() == 0;
            return new Sparse(
                    router,
                    norm(count, name + "gate.bias"),
                    loaded.gateUp(),
                    biases(experts.stream()
                            .flatMap(each -> Stream.of(each.gate(), each.up()))
                            .toList()),
                    loaded.down(),
                    adds
                            ? biases(experts.stream()
                                    .map(MatrixLoader.Expert::down)
                                    .toList())
                            : 0);
        }

        /** Biases of matrices one after the other, in binary32. */
        private long biases(List<Part> parts) {
            float[] all = new float[parts.stream().mapToInt(Part::rows).sum()];
            int at = 0;
            for (Part part : parts) {
                files.tensor(part.name() + ".bias", part.rows()).copyTo(0, all, at, part.rows());
                at += part.rows();
            }
            files.release();
            return upload.floats(all).address();
        }

        /** Those of this part's query heads. */
        private long sinks(String name) {
            Shard shard = shape.shard();
            Tensor all = files.whole(name, shard.whole().heads());
            return upload.floats(all.rows((long) shard.rank() * spec.heads(), spec.heads()))
                    .address();
        }

        /** Some rows of a table of all tokens, and padding to {@code rows}, of undefined content. */
        long table(int rows, String name, int from, int count) {
            Tensor all = files.whole(name, spec.vocabulary(), spec.hidden());
            return join((long) rows * spec.hidden(), all.rows(from, count));
        }

        /** The output projection of the tokens that are this part's. */
        Matrix head(long embedding) {
            Shard shard = shape.shard();
            int rows = shard.headRows();
            if (spec.tiedEmbedding()) {
                return new Matrix(embedding + 2L * shard.rank() * rows * spec.hidden(), rows, spec.hidden());
            }
            int count = shard.headTokens();
            return matrices.head(spec.hidden(), rows, new Part(Shard.HEAD, count))
                    .orElseGet(() -> new Matrix(
                            table(rows, Shard.HEAD + ".weight", shard.firstToken(), count), rows, spec.hidden()));
        }

        /** A scale of the whole cache, as checkpoints that were calibrated for fp8 have it; 1 elsewhere. */
        private float scale(String name) {
            Optional<Tensor> tensor = files.find(name);
            if (tensor.isEmpty()) {
                return 1;
            }
            float scale = tensor.get().elements() == 1 ? tensor.get().at(0) : Float.NaN;
            if (!(scale > 0 && scale < Float.POSITIVE_INFINITY)) {
                throw new ModelException("tensor \"%s\" has shape %s and begins with %s; one positive scale is expected"
                        .formatted(name, tensor.get().shape(), tensor.get().elements() == 0 ? "nothing" : scale));
            }
            return scale;
        }

        long norm(long size, String name) {
            return upload.floats(files.tensor(name, size)).address();
        }

        long vector(long size, String name) {
            return join(files.tensor(name, size));
        }

        private long join(Tensor... parts) {
            long elements = 0;
            for (Tensor part : parts) {
                elements += part.elements();
            }
            return join(elements, parts);
        }

        private long join(long elements, Tensor... parts) {
            DeviceMemory memory = upload.memory(elements);
            long at = 0;
            for (Tensor part : parts) {
                upload.send(part, memory, at);
                at += 2 * part.elements();
            }
            return memory.address();
        }
    }
}
