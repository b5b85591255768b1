package dev.jeton.server.api;

import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonObject;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Token ids in requests, checked against the vocabulary. */
final class TokenIds {

    private TokenIds() {}

    /** A list of ids. */
    static int[] read(String field, List<? extends @Nullable Object> items, int vocabulary) {
        int[] ids = new int[items.size()];
        for (int i = 0; i < ids.length; i++) {
            Object item = items.get(i);
            if (!(item instanceof Long id)) {
                throw new JsonException(
                        field + "[" + i + "]",
                        "'%s[%d]' must be a token id, but is %s".formatted(field, i, JsonObject.kind(item)));
            }
            if (id < 0 || id >= vocabulary) {
                throw outside(field + "[" + i + "]", id.toString(), vocabulary);
            }
            ids[i] = id.intValue();
        }
        return ids;
    }

    /** An id as the name of a field. */
    static int parse(String field, String text, int vocabulary) {
        int id;
        try {
            id = Integer.parseInt(text);
        } catch (NumberFormatException e) {
            id = -1;
        }
        if (id < 0 || id >= vocabulary) {
            throw outside(field, text, vocabulary);
        }
        return id;
    }

    private static JsonException outside(String field, String id, int vocabulary) {
        return new JsonException(
                field,
                "'%s' is no token id of this model: ids are 0 to %d, but it is %s"
                        .formatted(field, vocabulary - 1, id.length() > 20 ? "longer" : id));
    }
}
