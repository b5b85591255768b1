package dev.jeton.models;

import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;

/**
 * A JSON object of a model folder with typed access, whose errors name the file and the key.
 *
 * <p>Read with the streaming parser alone: data binding would cost a tenth of a second of the start. Duplicate names,
 * nesting deeper than {@value #MAX_DEPTH} and input past the given size are errors. A JSON null is the same as a
 * missing key.
 */
final class JsonObject {

    private static final int MAX_DEPTH = 64;
    private static final long MAX_CONFIG_BYTES = 16L << 20;

    private static final JsonFactory FACTORY = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(MAX_DEPTH)
                    .maxNameLength(10_000)
                    .maxNumberLength(100)
                    .maxStringLength(1 << 20)
                    .build())
            .build();

    private final String source;
    private final Map<String, Object> values;

    private JsonObject(String source, Map<String, Object> values) {
        this.source = source;
        this.values = values;
    }

    /** Reads a configuration file of at most 16 MiB. */
    static JsonObject read(Path file) {
        try {
            long size = Files.size(file);
            if (size > MAX_CONFIG_BYTES) {
                throw new ModelException("%s is %d bytes; at most %d are read".formatted(file, size, MAX_CONFIG_BYTES));
            }
            return parse(file.toString(), Files.readAllBytes(file));
        } catch (IOException e) {
            throw new ModelException("%s cannot be read: %s".formatted(file, e.getMessage()), e);
        }
    }

    /** Values that came from {@code source} in another format: strings, numbers, truth values, lists, maps. */
    static JsonObject of(String source, Map<String, Object> values) {
        return new JsonObject(source, values);
    }

    /** Parses bytes that came from {@code source}. */
    static JsonObject parse(String source, byte[] json) {
        try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), json)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new ModelException(source + " is not a JSON object");
            }
            Map<String, Object> values = object(parser);
            if (parser.nextToken() != null) {
                throw new ModelException(source + " goes on after its JSON object");
            }
            return new JsonObject(source, values);
        } catch (JacksonException e) {
            throw new ModelException("%s is not valid JSON: %s".formatted(source, e.getOriginalMessage()), e);
        }
    }

    private static Map<String, Object> object(JsonParser parser) {
        Map<String, Object> values = new LinkedHashMap<>();
        for (JsonToken token = parser.nextToken(); token != JsonToken.END_OBJECT; token = parser.nextToken()) {
            String name = parser.currentName();
            JsonToken first = parser.nextToken();
            if (first != JsonToken.VALUE_NULL) {
                values.put(name, value(parser, first));
            }
        }
        return values;
    }

    private static Object value(JsonParser parser, JsonToken token) {
        return switch (token) {
            case START_OBJECT -> object(parser);
            case START_ARRAY -> {
                List<Object> list = new ArrayList<>();
                for (JsonToken t = parser.nextToken(); t != JsonToken.END_ARRAY; t = parser.nextToken()) {
                    list.add(t == JsonToken.VALUE_NULL ? Optional.empty() : value(parser, t));
                }
                yield list;
            }
            case VALUE_STRING -> parser.getString();
            case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> parser.getNumberValue();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            default -> throw new ModelException("unexpected " + token + " in JSON");
        };
    }

    /** Where this came from, for messages. */
    String source() {
        return source;
    }

    /** All keys that have a value. */
    Iterable<String> keys() {
        return values.keySet();
    }

    boolean has(String key) {
        return values.containsKey(key);
    }

    /** The raw value of a key. */
    Optional<Object> value(String key) {
        return Optional.ofNullable(values.get(key));
    }

    /** A nested object, if the key is there. */
    Optional<JsonObject> object(String key) {
        return value(key).map(v -> {
            if (v instanceof Map<?, ?> map) {
                Map<String, Object> nested = new LinkedHashMap<>();
                map.forEach((k, inner) -> nested.put(String.valueOf(k), inner));
                return new JsonObject(source + ": " + key, nested);
            }
            throw wrong(key, "an object", v);
        });
    }

    /** A list, empty where the key is missing. */
    List<Object> list(String key) {
        return value(key)
                .map(v -> {
                    if (v instanceof List<?> list) {
                        return List.<Object>copyOf(list);
                    }
                    throw wrong(key, "a list", v);
                })
                .orElse(List.of());
    }

    Optional<String> string(String key) {
        return value(key).map(v -> {
            if (v instanceof String s) {
                return s;
            }
            throw wrong(key, "a string", v);
        });
    }

    boolean flag(String key, boolean otherwise) {
        return value(key)
                .map(v -> {
                    if (v instanceof Boolean b) {
                        return b;
                    }
                    throw wrong(key, "true or false", v);
                })
                .orElse(otherwise);
    }

    /** A number, if the key is there; must be finite. */
    Optional<Double> number(String key) {
        return value(key).map(v -> {
            if (v instanceof Number n && Double.isFinite(n.doubleValue())) {
                return n.doubleValue();
            }
            throw wrong(key, "a number", v);
        });
    }

    double number(String key, double otherwise) {
        return number(key).orElse(otherwise);
    }

    /** A whole number in a range; an error where it is missing. */
    int integer(String key, int least, int most) {
        return optionalInteger(key, least, most)
                .orElseThrow(() -> new ModelException("%s: \"%s\" is missing".formatted(source, key)));
    }

    /** A whole number in a range, if the key is there. */
    Optional<Integer> optionalInteger(String key, int least, int most) {
        return value(key).map(v -> (int) checked(key, v, least, most));
    }

    /** A value as a whole number in a range; errors name {@code key}. */
    long checked(String key, Object value, long least, long most) {
        long whole = switch (value) {
            case Integer i -> i;
            case Long l -> l;
            case BigInteger b when b.bitLength() < 64 -> b.longValue();
            case Double d when d == Math.rint(d) && Math.abs(d) < 1e15 -> d.longValue();
            case BigDecimal d
            when d.abs().compareTo(BigDecimal.valueOf(1e15)) < 0
                    && d.stripTrailingZeros().scale() <= 0 -> d.longValue();
            default -> throw wrong(key, "a whole number", value);
        };
        if (whole < least || whole > most) {
            throw new ModelException("%s: \"%s\" is %d, outside %d to %d".formatted(source, key, whole, least, most));
        }
        return whole;
    }

    private ModelException wrong(String key, String wanted, Object value) {
        String shown = String.valueOf(value);
        return new ModelException("%s: \"%s\" must be %s, not %s"
                .formatted(source, key, wanted, shown.length() > 80 ? shown.substring(0, 80) + "..." : shown));
    }
}
