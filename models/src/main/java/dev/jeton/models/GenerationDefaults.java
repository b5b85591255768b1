package dev.jeton.models;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * What a model's makers say about generation: generation_config.json, with config.json for the ids it leaves out.
 *
 * @param endTokens ids that end a sequence; several for many chat models, possibly none
 * @param beginToken id put before a text, if the model names one
 * @param temperature sampling default, where given
 * @param topK sampling default, where given
 * @param topP sampling default, where given
 * @param minP sampling default, where given
 * @param repetitionPenalty sampling default, where given
 */
public record GenerationDefaults(
        List<Integer> endTokens,
        OptionalInt beginToken,
        OptionalDouble temperature,
        OptionalInt topK,
        OptionalDouble topP,
        OptionalDouble minP,
        OptionalDouble repetitionPenalty) {

    /** Copies the list. */
    public GenerationDefaults {
        endTokens = List.copyOf(endTokens);
    }

    /** Reads a model; a folder without generation_config.json gives config.json's ids and no defaults. */
    public static GenerationDefaults read(Path model) {
        JsonObject config = ModelFiles.config(model);
        JsonObject generation = ModelFiles.generation(model).orElse(config);
        JsonObject ends = generation.has("eos_token_id") ? generation : config;
        JsonObject begins = generation.has("bos_token_id") ? generation : config;
        return new GenerationDefaults(
                ids(ends, "eos_token_id"),
                ids(begins, "bos_token_id").stream().mapToInt(Integer::intValue).findFirst(),
                real(generation, "temperature", 0, 100),
                topK(generation),
                positive(generation, "top_p", 1),
                real(generation, "min_p", 0, 1),
                positive(generation, "repetition_penalty", 100));
    }

    /** 0 where it is off, as which files have -1, too. */
    private static OptionalInt topK(JsonObject json) {
        return json.optionalInteger("top_k", -1, Integer.MAX_VALUE)
                .map(k -> OptionalInt.of(Math.max(0, k)))
                .orElse(OptionalInt.empty());
    }

    private static OptionalDouble positive(JsonObject json, String key, double most) {
        OptionalDouble value = real(json, key, 0, most);
        if (value.isPresent() && value.getAsDouble() == 0) {
            throw new ModelException(
                    "%s: \"%s\" is 0, and is to be above it; no request could be served with that default"
                            .formatted(json.source(), key));
        }
        return value;
    }

    private static List<Integer> ids(JsonObject json, String key) {
        Optional<Object> value = json.value(key);
        if (value.isEmpty()) {
            return List.of();
        }
        List<Integer> ids = new ArrayList<>();
        for (Object id : value.get() instanceof List<?> list ? list : List.of(value.get())) {
            ids.add((int) json.checked(key, id, 0, Integer.MAX_VALUE));
        }
        return ids;
    }

    private static OptionalDouble real(JsonObject json, String key, double least, double most) {
        Optional<Double> value = json.number(key);
        if (value.isEmpty()) {
            return OptionalDouble.empty();
        }
        if (value.get() < least || value.get() > most) {
            throw new ModelException(
                    "%s: \"%s\" is %s, outside %s to %s".formatted(json.source(), key, value.get(), least, most));
        }
        return OptionalDouble.of(value.get());
    }
}
