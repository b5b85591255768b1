package dev.jeton.models;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What a model has beside its weights, by the names of a Hugging Face folder's files; for a GGUF file, what those files
 * would say.
 */
final class ModelFiles {

    private ModelFiles() {}

    /** config.json. */
    static JsonObject config(Path model) {
        if (GgufFile.is(model)) {
            try (GgufFile file = GgufFile.open(model)) {
                return GgufConfig.config(file);
            }
        }
        return JsonObject.read(model.resolve("config.json"));
    }

    /** generation_config.json, if there is one. */
    static Optional<JsonObject> generation(Path model) {
        if (GgufFile.is(model)) {
            try (GgufFile file = GgufFile.open(model)) {
                return Optional.of(GgufConfig.generation(file));
            }
        }
        return optional(model.resolve("generation_config.json"));
    }

    /** tokenizer_config.json, if there is one: special tokens and the chat template. */
    static Optional<JsonObject> tokenizerConfig(Path model) {
        if (GgufFile.is(model)) {
            try (GgufFile file = GgufFile.open(model)) {
                return Optional.of(GgufConfig.tokenizer(file));
            }
        }
        return optional(model.resolve("tokenizer_config.json"));
    }

    /** The bytes of tokenizer.json. */
    static byte[] tokenizer(Path model) {
        if (GgufFile.is(model)) {
            try (GgufFile file = GgufFile.open(model)) {
                return GgufTokenizer.json(file);
            }
        }
        Path json = model.resolve("tokenizer.json");
        if (!Files.isRegularFile(json)) {
            throw new ModelException(
                    "%s is missing; a model folder needs the fast tokenizer's tokenizer.json".formatted(json));
        }
        return TokenizerFile.bytes(json);
    }

    private static Optional<JsonObject> optional(Path file) {
        return Files.isRegularFile(file) ? Optional.of(JsonObject.read(file)) : Optional.empty();
    }
}
