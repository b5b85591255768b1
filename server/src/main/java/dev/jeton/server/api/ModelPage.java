package dev.jeton.server.api;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Part of the list of models, as Anthropic's API asks for it: {@code limit} of those behind {@code after_id}, or before
 * {@code before_id}.
 *
 * @param models of this page
 * @param more whether there are more in the direction that was asked for
 */
record ModelPage(List<ServedModel> models, boolean more) {

    private static final int USUAL = 20;
    private static final int MOST = 1_000;
    private static final String LIMIT = "limit";
    private static final String AFTER = "after_id";
    private static final String BEFORE = "before_id";

    /**
     * Reads what a URL asks for; parameters that are not known change nothing.
     *
     * @throws ApiException 400, naming the parameter
     */
    static ModelPage of(List<ServedModel> all, Call call) {
        Map<String, List<String>> query = call.query();
        Optional<String> after = text(query, AFTER);
        Optional<String> before = text(query, BEFORE);
        if (after.isPresent() && before.isPresent()) {
            throw ApiException.invalid(BEFORE, "Give either '%s' or '%s', not both".formatted(AFTER, BEFORE));
        }
        int limit = text(query, LIMIT).map(ModelPage::limit).orElse(USUAL);
        int from = after.map(id -> place(all, AFTER, id) + 1).orElse(0);
        int until = before.map(id -> place(all, BEFORE, id)).orElse(all.size());
        if (before.isPresent()) {
            from = Math.max(0, until - limit);
        }
        int to = Math.min(until, from + limit);
        return new ModelPage(all.subList(from, to), before.isPresent() ? from > 0 : to < until);
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

    private static int place(List<ServedModel> all, String name, String id) {
        for (int i = 0; i < all.size(); i++) {
            if (all.get(i).name().equals(id)) {
                return i;
            }
        }
        throw ApiException.invalid(
                name, "'%s' is '%s', which is not served; begin the list anew".formatted(name, ApiException.shown(id)));
    }
}
