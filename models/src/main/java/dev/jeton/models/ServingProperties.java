package dev.jeton.models;

import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;

/**
 * serving.properties, as DJL's model zoo and DJL Serving have it beside a model, with typed access.
 *
 * @param file where it is
 * @param values as they stand there
 */
record ServingProperties(Path file, Map<String, String> values) {

    private static final String NAME = "serving.properties";
    private static final long MOST_BYTES = 1 << 20;

    /** Copies the values. */
    ServingProperties {
        values = Map.copyOf(values);
    }

    /** What a folder has of it; nothing where there is none. */
    static ServingProperties read(Path folder) {
        Path file = folder.resolve(NAME);
        if (!Files.isRegularFile(file)) {
            return new ServingProperties(file, Map.of());
        }
        Properties read = new Properties();
        try {
            if (Files.size(file) > MOST_BYTES) {
                throw new ModelException("%s is larger than %d bytes".formatted(file, MOST_BYTES));
            }
            read.load(new StringReader(new String(Files.readAllBytes(file), StandardCharsets.UTF_8)));
        } catch (IOException | IllegalArgumentException e) {
            throw new ModelException("%s cannot be read: %s".formatted(file, e.getMessage()), e);
        }
        Map<String, String> values = new HashMap<>();
        for (String key : read.stringPropertyNames()) {
            values.put(key, read.getProperty(key).strip());
        }
        return new ServingProperties(file, values);
    }

    Set<String> keys() {
        return values.keySet();
    }

    /** A value; empty where the key is missing or has none. */
    Optional<String> text(String key) {
        return Optional.ofNullable(values.get(key)).filter(value -> !value.isEmpty());
    }

    boolean flag(String key, boolean otherwise) {
        return text(key)
                .map(value -> switch (value.toLowerCase(Locale.ROOT)) {
                    case "true" -> true;
                    case "false" -> false;
                    default -> throw wrong(key, "true or false");
                })
                .orElse(otherwise);
    }

    /** A whole number of at least 1. */
    Optional<Integer> number(String key) {
        return text(key).map(value -> {
            if (!value.matches("[1-9][0-9]{0,8}")) {
                throw wrong(key, "a whole number of at least 1");
            }
            return Integer.parseInt(value);
        });
    }

    /** A value that is not what is wanted. */
    ModelException wrong(String key, String wanted) {
        return new ModelException(
                "%s: \"%s\" must be %s, not \"%s\"".formatted(file, key, wanted, values.getOrDefault(key, "")));
    }
}
