package dev.jeton.models;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Reads what sentence-transformers writes beside an encoder: modules.json and the modules' folders. */
final class SentenceModules {

    private static final String POOLED = "sentence_embedding";
    private static final String LOGITS = "causal_logits";
    private static final int MOST_MODULES = 32;
    private static final long MOST_BYTES = 1 << 20;

    private SentenceModules() {}

    /** The stages that follow the encoder itself, whose hidden states are {@code hidden} wide. */
    static List<VectorStage> read(Path folder, int hidden) {
        Path file = folder.resolve("modules.json");
        if (!Files.exists(file)) {
            return List.of(new VectorStage.Pool(List.of(VectorStage.Pooling.MEAN)));
        }
        List<VectorStage> stages = new ArrayList<>();
        int width = hidden;
        List<Object> modules = modules(file);
        if (modules.size() > MOST_MODULES) {
            throw new ModelException(
                    "%s: %d modules; at most %d are read".formatted(file, modules.size(), MOST_MODULES));
        }
        for (Object module : modules) {
            if (!(module instanceof Map<?, ?> map)) {
                throw new ModelException(file + ": a module is not a JSON object");
            }
            String type = String.valueOf(map.get("type"));
            Path place = inside(folder, map.get("path") instanceof String path ? path : "", file);
            VectorStage stage;
            switch (type.substring(type.lastIndexOf('.') + 1)) {
                case "Transformer" -> {
                    continue;
                }
                case "Pooling" -> stage = pool(place, width);
                case "Dense" -> stage = dense(place, width);
                case "LayerNorm" -> stage = layerNorm(place, width);
                case "Normalize" -> stage = new VectorStage.Normalize();
                case "LogitScore" -> stage = tokenLogit(place);
                default ->
                    throw new ModelException(
                            ("%s: module \"%s\" is not supported; Transformer, Pooling, Dense, LayerNorm, Normalize and"
                                            + " LogitScore are")
                                    .formatted(file, type));
            }
            stages.add(stage);
            width = width(List.of(stage), width);
        }
        boolean scored = stages.stream().anyMatch(VectorStage.TokenLogit.class::isInstance);
        if (scored && stages.size() > 1) {
            throw new ModelException(file + ": LogitScore must be the only module after the Transformer");
        }
        if (!scored && (stages.isEmpty() || !(stages.getFirst() instanceof VectorStage.Pool))) {
            throw new ModelException(file + ": the module after the Transformer must be Pooling");
        }
        if (stages.stream().filter(VectorStage.Pool.class::isInstance).count() > 1) {
            throw new ModelException(file + ": there is more than one Pooling module");
        }
        return stages;
    }

    /** The width of what comes out of stages. */
    static int width(List<VectorStage> stages, int width) {
        int result = width;
        for (VectorStage stage : stages) {
            result = switch (stage) {
                case VectorStage.Pool pool -> result * pool.modes().size();
                case VectorStage.Dense dense -> dense.outputs();
                case VectorStage.LayerNorm _, VectorStage.Normalize _ -> result;
                case VectorStage.LabelLogits logits -> logits.labels();
                case VectorStage.TokenLogit _ -> 1;
            };
        }
        return result;
    }

    /** The file is a JSON array, which is read as the value of an object's only key. */
    private static List<Object> modules(Path file) {
        try {
            if (Files.size(file) > MOST_BYTES) {
                throw new ModelException("%s is larger than %d bytes".formatted(file, MOST_BYTES));
            }
            ByteArrayOutputStream json = new ByteArrayOutputStream();
            json.writeBytes("{\"modules\":".getBytes(StandardCharsets.UTF_8));
            json.writeBytes(Files.readAllBytes(file));
            json.write('}');
            return JsonObject.parse(file.toString(), json.toByteArray()).list("modules");
        } catch (IOException e) {
            throw new ModelException("%s cannot be read: %s".formatted(file, e.getMessage()), e);
        }
    }

    /** A place that a file names beside it, which must not be elsewhere. */
    static Path inside(Path folder, String path, Path file) {
        Path root = folder.toAbsolutePath().normalize();
        try {
            Path place = root.resolve(path).normalize();
            if (place.startsWith(root)) {
                return place;
            }
        } catch (InvalidPathException e) {
            throw new ModelException("%s: \"%s\" is no path".formatted(file, path), e);
        }
        throw new ModelException("%s: path \"%s\" is outside the folder".formatted(file, path));
    }

    private static VectorStage pool(Path place, int width) {
        JsonObject config = JsonObject.read(place.resolve("config.json"));
        List<VectorStage.Pooling> modes = modes(config);
        if (modes.isEmpty()) {
            throw new ModelException(config.source() + ": no pooling mode is on");
        }
        int said = config.optionalInteger("word_embedding_dimension", 1, 1 << 20)
                .or(() -> config.optionalInteger("embedding_dimension", 1, 1 << 20))
                .orElse(width);
        if (said != width) {
            throw new ModelException(
                    "%s: pools vectors of %d, where the encoder's have %d".formatted(config.source(), said, width));
        }
        return new VectorStage.Pool(modes);
    }

    /** A name, or several, since sentence-transformers 6; before that those of all that are on. */
    private static List<VectorStage.Pooling> modes(JsonObject config) {
        List<VectorStage.Pooling> modes = new ArrayList<>();
        Optional<Object> named = config.value("pooling_mode");
        if (named.isEmpty()) {
            for (VectorStage.Pooling mode : VectorStage.Pooling.values()) {
                if (config.flag(mode.key(), false)) {
                    modes.add(mode);
                }
            }
            return modes;
        }
        for (Object name : named.get() instanceof List<?> list ? list : List.of(named.get())) {
            modes.add(Stream.of(VectorStage.Pooling.values())
                    .filter(mode -> mode.title().equals(name))
                    .findFirst()
                    .orElseThrow(() -> new ModelException(
                            "%s: pooling mode \"%s\" is not supported".formatted(config.source(), name))));
        }
        return modes;
    }

    private static VectorStage dense(Path place, int width) {
        JsonObject config = JsonObject.read(place.resolve("config.json"));
        int inputs = config.integer("in_features", 1, 1 << 20);
        if (inputs != width) {
            throw new ModelException(
                    "%s: takes vectors of %d, where %d wide ones come".formatted(config.source(), inputs, width));
        }
        for (String key : List.of("module_input_name", "module_output_name")) {
            String what = config.string(key).orElse(POOLED);
            if (!what.equals(POOLED)) {
                throw new ModelException("%s: \"%s\" is \"%s\"; only layers after pooling are supported"
                        .formatted(config.source(), key, what));
            }
        }
        String name = config.string("activation_function").orElse("torch.nn.modules.activation.Tanh");
        VectorStage.Activation activation = switch (name.substring(name.lastIndexOf('.') + 1)) {
            case "Identity" -> VectorStage.Activation.IDENTITY;
            case "Tanh" -> VectorStage.Activation.TANH;
            case "ReLU" -> VectorStage.Activation.RELU;
            case "GELU" -> VectorStage.Activation.GELU;
            default ->
                throw new ModelException("%s: activation \"%s\" is not supported; Identity, Tanh, ReLU and GELU are"
                        .formatted(config.source(), name));
        };
        return new VectorStage.Dense(
                place, inputs, config.integer("out_features", 1, 1 << 20), config.flag("bias", true), activation);
    }

    private static VectorStage layerNorm(Path place, int width) {
        JsonObject config = JsonObject.read(place.resolve("config.json"));
        int said = config.integer("dimension", 1, 1 << 20);
        if (said != width) {
            throw new ModelException(
                    "%s: takes vectors of %d, where %d wide ones come".formatted(config.source(), said, width));
        }
        return new VectorStage.LayerNorm(place, width);
    }

    private static VectorStage tokenLogit(Path place) {
        JsonObject config = JsonObject.read(place.resolve("config.json"));
        String input = config.string("module_input_name").orElse(LOGITS);
        if (!input.equals(LOGITS)) {
            throw new ModelException("%s: \"module_input_name\" is \"%s\"; only %s is supported"
                    .formatted(config.source(), input, LOGITS));
        }
        return new VectorStage.TokenLogit(
                config.integer("true_token_id", 0, 1 << 24),
                config.optionalInteger("false_token_id", 0, 1 << 24).orElse(-1));
    }
}
