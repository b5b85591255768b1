package dev.jeton.server.json;

import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.exc.StreamReadException;
import tools.jackson.core.json.JsonFactory;

/**
 * Parses untrusted JSON into plain maps, lists, strings, numbers (Long or Double), Booleans and nulls. Bounded in
 * depth, names, numbers, length and in what it becomes in memory; duplicate names, invalid UTF-8, lone surrogates and
 * numbers that are not finite are errors.
 */
public final class Json {

    /** Deepest nesting of arrays and objects. */
    public static final int MAX_DEPTH = 100;
    /** Most objects, arrays, fields and strings: an empty object is three bytes as text and some sixty in memory. */
    public static final int MAX_PIECES = 1 << 18;
    /** Most numbers, Booleans and nulls, which take up to thirty bytes each. */
    public static final int MAX_NUMBERS = 1 << 21;

    private static final int MAX_NUMBER_LENGTH = 400;
    private static final int MAX_NAME_LENGTH = 1_024;

    private static final Pattern ADVICE = Pattern.compile("(, from|: enable) `[^`]*`( to allow)?");

    private static final JsonFactory FACTORY = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(MAX_DEPTH)
                    .maxNumberLength(MAX_NUMBER_LENGTH)
                    .maxNameLength(MAX_NAME_LENGTH)
                    // The body itself is bounded before it comes here, so a string may be as long as a body.
                    .maxStringLength(Integer.MAX_VALUE)
                    .build())
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
            .build();

    private Json() {}

    /**
     * The object that {@code body} holds.
     *
     * @throws JsonException if it is anything but one well-formed JSON object
     */
    public static JsonObject object(byte[] body) {
        return switch (parse(text(body))) {
            case Map<?, ?> map -> JsonObject.of("", map);
            case null, default -> throw new JsonException("", "the body must be a JSON object");
        };
    }

    /** The value that {@code text} holds. */
    public static @Nullable Object parse(String text) {
        return read(FACTORY.createParser(ObjectReadContext.empty(), text), parser -> {
            JsonToken first = parser.nextToken();
            if (first == null) {
                throw new JsonException("", "the body is empty; a JSON object is expected");
            }
            return new Reading(parser).value(first);
        });
    }

    /**
     * Gives the objects of a list one by one that is a field of an object, which may be too large to be held whole;
     * each of them is bounded as a body is.
     *
     * @param in UTF-8
     * @param field the list's name
     * @return how many there were
     * @throws JsonException if it is anything but one well-formed JSON object with such a list
     */
    public static int each(InputStream in, String field, Consumer<JsonObject> each) {
        Integer count = (Integer) read(FACTORY.createParser(ObjectReadContext.empty(), in), parser -> {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new JsonException("", "the body must be a JSON object");
            }
            int items = -1;
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                boolean wanted = parser.currentName().equals(field);
                JsonToken first = parser.nextToken();
                if (!wanted) {
                    new Reading(parser).value(first);
                } else if (first == JsonToken.START_ARRAY) {
                    items = each(parser, field, each);
                } else {
                    throw new JsonException(field, "'%s' must be an array of objects".formatted(field));
                }
            }
            return items;
        });
        if (count == null || count < 0) {
            throw new JsonException(field, "'%s' is missing; an array of objects is expected".formatted(field));
        }
        return count;
    }

    private static int each(JsonParser parser, String field, Consumer<JsonObject> each) {
        int items = 0;
        for (JsonToken token = parser.nextToken(); token != JsonToken.END_ARRAY; token = parser.nextToken()) {
            String path = "%s[%d]".formatted(field, items);
            if (!(new Reading(parser).value(token) instanceof Map<?, ?> map)) {
                throw new JsonException(path, "'%s' must be an object".formatted(path));
            }
            each.accept(JsonObject.of(path, map));
            items++;
        }
        return items;
    }

    private static @Nullable Object read(JsonParser from, Function<JsonParser, @Nullable Object> reading) {
        try (JsonParser parser = from) {
            Object value = reading.apply(parser);
            if (parser.nextToken() != null) {
                throw new JsonException("", "invalid JSON: something follows the end of the value");
            }
            return value;
        } catch (StreamConstraintsException e) {
            throw new JsonException("", "invalid JSON: past a bound: " + firstLine(e));
        } catch (StreamReadException e) {
            throw new JsonException(
                    "",
                    "invalid JSON at line %d, column %d: %s"
                            .formatted(
                                    e.getLocation().getLineNr(), e.getLocation().getColumnNr(), firstLine(e)));
        } catch (JacksonException e) {
            throw new JsonException("", "invalid JSON: " + firstLine(e));
        }
    }

    private static String text(byte[] body) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(body))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new JsonException("", "the body is not valid UTF-8");
        }
    }

    /** One text being read, and how much of it there was. */
    private static final class Reading {

        private final JsonParser parser;
        private int pieces;
        private int numbers;

        Reading(JsonParser parser) {
            this.parser = parser;
        }

        @Nullable
        Object value(JsonToken token) {
            return switch (token) {
                case START_OBJECT -> object();
                case START_ARRAY -> array();
                case VALUE_STRING -> {
                    countPiece();
                    yield sound(parser.getString());
                }
                case VALUE_NUMBER_INT -> {
                    countNumber();
                    yield whole(parser);
                }
                case VALUE_NUMBER_FLOAT -> {
                    countNumber();
                    yield finite(parser);
                }
                case VALUE_TRUE, VALUE_FALSE -> {
                    countNumber();
                    yield token == JsonToken.VALUE_TRUE;
                }
                case VALUE_NULL -> {
                    countNumber();
                    yield null;
                }
                case END_OBJECT, END_ARRAY, PROPERTY_NAME, NOT_AVAILABLE, VALUE_EMBEDDED_OBJECT ->
                    throw new JsonException("", "invalid JSON: unexpected " + token);
            };
        }

        private Map<String, @Nullable Object> object() {
            countPiece();
            Map<String, @Nullable Object> fields = new LinkedHashMap<>();
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                countPiece();
                String name = sound(parser.currentName());
                fields.put(name, value(parser.nextToken()));
            }
            return fields;
        }

        private List<@Nullable Object> array() {
            countPiece();
            List<@Nullable Object> items = new ArrayList<>();
            for (JsonToken token = parser.nextToken(); token != JsonToken.END_ARRAY; token = parser.nextToken()) {
                items.add(value(token));
            }
            return items;
        }

        private void countPiece() {
            if (++pieces > MAX_PIECES) {
                throw new JsonException(
                        "",
                        "invalid JSON: past a bound: it has more than %d objects, arrays, fields and strings"
                                .formatted(MAX_PIECES));
            }
        }

        private void countNumber() {
            if (++numbers > MAX_NUMBERS) {
                throw new JsonException(
                        "", "invalid JSON: past a bound: it has more than %d numbers".formatted(MAX_NUMBERS));
            }
        }
    }

    private static Number whole(JsonParser parser) {
        return switch (parser.getNumberType()) {
            case INT, LONG -> parser.getLongValue();
            // Past a long it is out of any field's range anyway; as a double it still says on which side.
            case BIG_INTEGER, FLOAT, DOUBLE, BIG_DECIMAL -> finite(parser);
        };
    }

    private static Double finite(JsonParser parser) {
        double value = Double.parseDouble(parser.getString());
        if (!Double.isFinite(value)) {
            throw new JsonException("", "invalid JSON: a number is too large");
        }
        return value;
    }

    private static String sound(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (Character.isSurrogate(c)) {
                boolean pair = Character.isHighSurrogate(c)
                        && i + 1 < text.length()
                        && Character.isLowSurrogate(text.charAt(i + 1));
                if (!pair) {
                    throw new JsonException(
                            "", "invalid JSON: a string holds a lone surrogate (\\u%04x)".formatted((int) c));
                }
                i++;
            }
        }
        return text;
    }

    /** The parser's words, without its advice on how to set it up, which is of no use to a client. */
    private static String firstLine(JacksonException e) {
        String message = e.getOriginalMessage();
        String line = message == null
                ? "not well-formed"
                : message.lines().findFirst().orElse("not well-formed");
        return ADVICE.matcher(line).replaceAll("");
    }
}
