package dev.jeton.models;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * The translator that DJL would run a folder's model with, as serving.properties names it: what comes of the model's
 * output. Jeton does what it says by itself, since texts are tokenized, bounded and metered before an engine has them.
 * Lower case and special tokens are {@link FolderTokenizer}'s business.
 *
 * <p>Meaning and defaults are those of DJL 0.35 ({@code ai.djl.huggingface.translator}), with two exceptions.
 * {@code weightedmean} weighs tokens by their place, as sentence-transformers does, where DJL weighs texts by theirs in
 * the batch. And what DJL passes over in silence (files that are missing, activations that it does not know) is
 * refused.
 *
 * @param properties that name it
 * @param kind what comes out
 */
record DjlTranslator(ServingProperties properties, VectorSpec.Kind kind) {

    private static final String FACTORY = "translatorFactory";
    private static final String PACKAGE = "ai.djl.huggingface.translator.";

    /** What decides about results or inputs, and what only says how DJL loads a model. */
    private static final Set<String> KNOWN = Set.of(
            FACTORY,
            "addSpecialTokens",
            "application",
            "batchifier",
            "dense",
            "denseActivation",
            "doLowerCase",
            "engine",
            "includeTokenTypes",
            "int32",
            "layerNorm",
            "maxLength",
            "modelMaxLength",
            "normalize",
            "option.mapLocation",
            "option.modelName",
            "padding",
            "padToMultipleOf",
            "pooling",
            "reranking",
            "sigmoid",
            "sparse",
            "stride",
            "truncation",
            "withOverflowingTokens");

    /** How DJL Serving spreads work over its own workers, which has no part in results. */
    private static final Set<String> SERVING = Set.of(
            "batch_size",
            "job_queue_size",
            "load_on_devices",
            "log_model_metric",
            "max_batch_delay",
            "max_idle_time",
            "maxWorkers",
            "metrics_aggregation",
            "minWorkers",
            "required_memory_mb",
            "reserved_memory_mb",
            "retry_threshold");

    /** Whether one is named, known or not. */
    static boolean isNamed(ServingProperties properties) {
        return properties.text(FACTORY).isPresent();
    }

    /**
     * Reads what a folder says.
     *
     * @return empty where it names none
     * @throws ModelException naming the translator or option that is not known, or whose value is wrong
     */
    static Optional<DjlTranslator> read(Path folder) {
        ServingProperties properties = ServingProperties.read(folder);
        Optional<String> factory = properties.text(FACTORY);
        if (factory.isEmpty()) {
            return Optional.empty();
        }
        VectorSpec.Kind kind = kind(properties, factory.get());
        for (String key : new TreeSet<>(properties.keys())) {
            if (!KNOWN.contains(key) && !SERVING.contains(key)) {
                throw new ModelException("%s: the option \"%s\" is not supported".formatted(properties.file(), key));
            }
        }
        if (properties.flag("sparse", false)) {
            throw new ModelException(properties.file() + ": \"sparse\" retrieval is not supported; dense vectors are");
        }
        String batchifier = properties.text("batchifier").orElse("stack");
        if (!batchifier.equals("stack") && !batchifier.equals("padding")) {
            throw properties.wrong("batchifier", "stack or padding, since texts go through a model in batches");
        }
        return Optional.of(new DjlTranslator(properties, kind));
    }

    private static VectorSpec.Kind kind(ServingProperties properties, String factory) {
        String name = factory.startsWith(PACKAGE) ? factory.substring(PACKAGE.length()) : factory;
        VectorSpec.Kind plain = switch (name) {
            case "TextEmbeddingTranslatorFactory" -> VectorSpec.Kind.EMBEDDING;
            case "TextClassificationTranslatorFactory" -> VectorSpec.Kind.CLASSIFIER;
            case "CrossEncoderTranslatorFactory" -> VectorSpec.Kind.RERANKER;
            default ->
                throw new ModelException(("%s: the translator \"%s\" is not supported; TextEmbeddingTranslatorFactory,"
                                + " TextClassificationTranslatorFactory and CrossEncoderTranslatorFactory are")
                        .formatted(properties.file(), factory));
        };
        return properties.flag("reranking", false) ? VectorSpec.Kind.RERANKER : plain;
    }

    /** From hidden states to an embedding: pooling, then the layers that are named, then the norm. */
    List<VectorStage> stages(Path folder, int hidden) {
        String pooling = properties.text("pooling").orElse("mean");
        VectorStage.Pooling mode = switch (pooling) {
            case "mean" -> VectorStage.Pooling.MEAN;
            case "cls" -> VectorStage.Pooling.FIRST;
            case "max" -> VectorStage.Pooling.MAX;
            case "mean_sqrt_len" -> VectorStage.Pooling.MEAN_ROOT;
            case "weightedmean" -> VectorStage.Pooling.WEIGHTED_MEAN;
            case "lasttoken" -> VectorStage.Pooling.LAST;
            default -> throw properties.wrong("pooling", "mean, cls, max, mean_sqrt_len, weightedmean or lasttoken");
        };
        List<VectorStage> stages = new ArrayList<>();
        stages.add(new VectorStage.Pool(List.of(mode)));
        int width = hidden;
        Optional<Path> dense = file(folder, "dense");
        if (dense.isPresent()) {
            VectorStage.Dense stage = dense(dense.get(), width);
            stages.add(stage);
            width = stage.outputs();
        }
        Optional<Path> norm = file(folder, "layerNorm");
        if (norm.isPresent()) {
            stages.add(new VectorStage.LayerNorm(norm.get(), width));
        }
        if (properties.flag("normalize", true)) {
            stages.add(new VectorStage.Normalize());
        }
        return stages;
    }

    private Optional<Path> file(Path folder, String key) {
        return properties.text(key).map(name -> {
            Path file = SentenceModules.inside(folder, name, properties.file());
            if (!Files.isRegularFile(file)) {
                throw properties.wrong(key, "a safetensors file of the folder");
            }
            return file;
        });
    }

    private VectorStage.Dense dense(Path file, int width) {
        VectorStage.Activation activation =
                switch (properties.text("denseActivation").orElse("")) {
                    case "Tanh", "tanh" -> VectorStage.Activation.TANH;
                    case "", "Identity" -> VectorStage.Activation.IDENTITY;
                    default -> throw properties.wrong("denseActivation", "Tanh or Identity");
                };
        try (Safetensors weights = Safetensors.open(file)) {
            List<Long> shape = weights.find("linear.weight")
                    .map(Tensor::shape)
                    .orElseThrow(() -> new ModelException(file + " has no tensor \"linear.weight\""));
            if (shape.size() != 2 || shape.get(1) != width || shape.get(0) > 1 << 20) {
                throw new ModelException(
                        "%s: \"linear.weight\" has shape %s, where vectors of %d come".formatted(file, shape, width));
            }
            boolean bias = weights.find("linear.bias").isPresent();
            return new VectorStage.Dense(file, width, shape.getFirst().intValue(), bias, activation);
        }
    }

    /** What makes scores of logits. */
    VectorSpec.Scores scores(JsonObject config, int labels) {
        return switch (kind) {
            case EMBEDDING -> VectorSpec.Scores.NONE;
            case RERANKER -> properties.flag("sigmoid", true) ? VectorSpec.Scores.SIGMOID : VectorSpec.Scores.NONE;
            case CLASSIFIER ->
                labels == 1 || config.string("problem_type").orElse("").equals("multi_label_classification")
                        ? VectorSpec.Scores.SIGMOID
                        : VectorSpec.Scores.SOFTMAX;
        };
    }

    /** Most tokens of a text, if that is said; DJL cuts longer ones, here a request says whether that is wanted. */
    Optional<Integer> maxLength() {
        Optional<Integer> model = properties.number("modelMaxLength");
        return properties
                .number("maxLength")
                .map(most -> Math.min(most, model.orElse(most)))
                .or(() -> model);
    }

    /** Whether the model takes token types. */
    boolean tokenTypes() {
        return properties.flag("includeTokenTypes", false);
    }

    /** Whether the model's inputs are of 32 bits. */
    boolean narrow() {
        return properties.flag("int32", false);
    }
}
