package dev.jeton.server.api;

import dev.jeton.server.json.JsonWriter;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Part of a list, as Anthropic's API asks for it: {@code limit} of those behind {@code after_id}, or before
 * {@code before_id}.
 *
 * @param items of this page
 * @param more whether there are more in the direction that was asked for
 */
record Page<T>(List<T> items, boolean more) {

    private static final int USUAL = 20;
    private static final int MOST = 1_000;
    private static final String LIMIT = "limit";
    private static final String AFTER = "after_id";
    private static final String BEFORE = "before_id";

    /**
     * Reads what a URL asks for; parameters that are not known change nothing.
     *
     * @param id by which items are named
     * @throws ApiException 400, naming the parameter
     */
    static <T> Page<T> of(List<T> all, Function<T, String> id, Call call) {
        Map<String, List<String>> query = call.query();
        Optional<String> after = text(query, AFTER);
        Optional<String> before = text(query, BEFORE);
        if (after.isPresent() && before.isPresent()) {
            throw ApiException.invalid(BEFORE, "Give either '%s' or '%s', not both".formatted(AFTER, BEFORE));
        }
        int limit = text(query, LIMIT).map(Page::limit).orElse(USUAL);
        int from = after.map(name -> place(all, id, AFTER, name) + 1).orElse(0);
        int until = before.map(name -> place(all, id, BEFORE, name)).orElse(all.size());
        if (before.isPresent()) {
            from = Math.max(0, until - limit);
        }
        int to = Math.min(until, from + limit);
        return new Page<>(all.subList(from, to), before.isPresent() ? from > 0 : to < until);
    }

    private static Optional<String> text(Map<String, List<String>> query, String name) {
        return query.getOrDefault(name, List.of()).stream().findFirst();
    }

    private static int limit(String text) {
        int limit = text.matches("[0-9]{1,4}") ? Integer.parseInt(text) : 0;
        if (limit < 1 || limit > MOST) {
            throw ApiException.invalid(
                    LIMIT, "'%s' must be from 1 to %d, but is '%s'".formatted(LIMIT, MOST, ApiException.shown(text)));
        }
        return limit;
    }

    private static <T> int place(List<T> all, Function<T, String> id, String name, String wanted) {
        for (int i = 0; i < all.size(); i++) {
            if (id.apply(all.get(i)).equals(wanted)) {
                return i;
            }
        }
        throw ApiException.invalid(
                name,
                "'%s' is '%s', which is not in the list; begin it anew".formatted(name, ApiException.shown(wanted)));
    }

    /** Writes it: {@code data}, and the names of its first and last item. */
    void write(JsonWriter out, Function<T, String> id, Consumer<T> write) {
        out.beginObject().name("data").beginArray();
        items.forEach(write);
        out.endArray();
        out.name("first_id").tree(items.isEmpty() ? null : id.apply(items.getFirst()));
        out.name("last_id").tree(items.isEmpty() ? null : id.apply(items.getLast()));
        out.name("has_more").value(more).endObject();
    }
}
