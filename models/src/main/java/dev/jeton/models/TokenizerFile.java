package dev.jeton.models;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.json.JsonFactory;

/**
 * What Jeton itself must know of a {@code tokenizer.json}: each id's piece, which ids are special, and how pieces
 * become text. Encoding is the tokenizers library's business.
 *
 * <p>Read with the streaming parser, merges skipped: such files have up to some million values. Names are not
 * canonicalised, since a vocabulary's are all different.
 */
final class TokenizerFile {

    private static final long MAX_BYTES = 64L << 20;
    private static final int MAX_IDS = 1 << 22;

    private static final JsonFactory FACTORY = JsonFactory.builder()
            .disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES)
            .disable(TokenStreamFactory.Feature.INTERN_PROPERTY_NAMES)
            .build();

    private @Nullable String[] pieces = new String[1 << 15];
    private final Map<String, Integer> ids = new HashMap<>(1 << 16);
    private final BitSet special = new BitSet();
    private final BitSet added = new BitSet();
    private Optional<Map<String, Object>> decoder = Optional.empty();
    private int size;

    private TokenizerFile() {}

    /**
     * Reads a file of at most 64 MiB.
     *
     * @throws ModelException if it cannot be read or is no tokenizer
     */
    static byte[] bytes(Path file) {
        try {
            if (Files.size(file) > MAX_BYTES) {
                throw new ModelException("%s is larger than %d bytes".formatted(file, MAX_BYTES));
            }
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new ModelException("%s cannot be read: %s".formatted(file, e.getMessage()), e);
        }
    }

    /**
     * Reads what came from {@code source}.
     *
     * @throws ModelException if it is no tokenizer
     */
    static TokenizerFile parse(Path source, byte[] json) {
        TokenizerFile read = new TokenizerFile();
        try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), json)) {
            read.root(parser);
        } catch (JacksonException e) {
            throw new ModelException("%s is not valid JSON: %s".formatted(source, e.getOriginalMessage()), e);
        }
        if (read.size == 0) {
            throw new ModelException(source + " has no vocabulary");
        }
        return read;
    }

    /** Ids, the largest plus one. */
    int size() {
        return size;
    }

    /** The piece of an id; empty where it has none. */
    String piece(int id) {
        String piece = id >= 0 && id < size ? pieces[id] : null;
        return piece == null ? "" : piece;
    }

    /** The id of a piece, or -1. */
    int id(String piece) {
        return ids.getOrDefault(piece, -1);
    }

    boolean special(int id) {
        return special.get(id);
    }

    /** Whether the id is an added token, whose content is text as it stands. */
    boolean added(int id) {
        return added.get(id);
    }

    /** The decoder's own JSON, if there is one. */
    Optional<Map<String, Object>> decoder() {
        return decoder;
    }

    private void root(JsonParser parser) {
        if (parser.nextToken() != JsonToken.START_OBJECT) {
            throw new ModelException("a tokenizer.json must be a JSON object");
        }
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            JsonToken value = parser.nextToken();
            if (name.equals("added_tokens") && value == JsonToken.START_ARRAY) {
                addedTokens(parser);
            } else if (name.equals("model") && value == JsonToken.START_OBJECT) {
                model(parser);
            } else if (name.equals("decoder") && value == JsonToken.START_OBJECT) {
                decoder = Optional.of(object(parser));
            } else {
                parser.skipChildren();
            }
        }
    }

    private void addedTokens(JsonParser parser) {
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            Map<String, Object> token = object(parser);
            if (token.get("id") instanceof Integer id && token.get("content") instanceof String content) {
                put(content, id);
                added.set(id);
                special.set(id, token.get("special") == Boolean.TRUE);
            }
        }
    }

    private void model(JsonParser parser) {
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            JsonToken value = parser.nextToken();
            if (name.equals("vocab") && value == JsonToken.START_OBJECT) {
                while (parser.nextToken() != JsonToken.END_OBJECT) {
                    String piece = parser.currentName();
                    parser.nextToken();
                    put(piece, parser.getIntValue());
                }
            } else if (name.equals("vocab") && value == JsonToken.START_ARRAY) {
                scoredVocabulary(parser);
            } else {
                parser.skipChildren();
            }
        }
    }

    /** A unigram vocabulary: pairs of piece and score, the position being the id. */
    private void scoredVocabulary(JsonParser parser) {
        int id = 0;
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            parser.nextToken();
            put(parser.getString(), id++);
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                parser.skipChildren();
            }
        }
    }

    private void put(String piece, int id) {
        if (id < 0 || id >= MAX_IDS) {
            throw new ModelException("tokenizer.json: id %d is outside 0 to %d".formatted(id, MAX_IDS));
        }
        if (id >= pieces.length) {
            pieces = Arrays.copyOf(pieces, Math.max(id + 1, 2 * pieces.length));
        }
        pieces[id] = piece;
        ids.put(piece, id);
        size = Math.max(size, id + 1);
    }

    private static Map<String, Object> object(JsonParser parser) {
        Map<String, Object> values = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            JsonToken token = parser.nextToken();
            values.put(name, value(parser, token));
        }
        return values;
    }

    private static Object value(JsonParser parser, JsonToken token) {
        return switch (token) {
            case START_OBJECT -> object(parser);
            case START_ARRAY -> {
                List<Object> list = new ArrayList<>();
                for (JsonToken t = parser.nextToken(); t != JsonToken.END_ARRAY; t = parser.nextToken()) {
                    list.add(value(parser, t));
                }
                yield list;
            }
            case VALUE_STRING -> parser.getString();
            case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> parser.getNumberValue();
            case VALUE_TRUE -> Boolean.TRUE;
            case VALUE_FALSE -> Boolean.FALSE;
            default -> Optional.empty();
        };
    }
}
