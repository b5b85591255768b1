package dev.jeton.server.api;

import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * {@code GET /v1/responses/ID/input_items}: the items that a stored response was asked with, without those that it went
 * on from, a part at a time.
 */
final class InputItemsEndpoint implements Endpoint {

    /** What follows the id. */
    static final String END = "/input_items";

    private static final int USUAL_LIMIT = 20;
    private static final int MAX_LIMIT = 100;

    private final ResponseDesk desk;

    InputItemsEndpoint(ResponseDesk desk) {
        this.desk = desk;
    }

    @Override
    public String name() {
        return "responses_input_items";
    }

    @Override
    public String method() {
        return "GET";
    }

    @Override
    public Guard guard() {
        return Guard.TASKS;
    }

    @Override
    public void handle(Call call) {
        BooksQuery query = new BooksQuery(call, 0, Set.of("after", "include", "include[]", "limit", "order"));
        int limit = query.limit(USUAL_LIMIT, MAX_LIMIT);
        boolean newestFirst = query.choice("order", List.of("desc", "asc")).equals("desc");
        List<JsonObject> items = new ArrayList<>(
                ResponseRequest.items("", desk.find(call, END).turn().input()));
        if (newestFirst) {
            Collections.reverse(items);
        }
        int from = query.text("after").map(after -> after(items, after)).orElse(0);
        List<JsonObject> part = items.subList(from, Math.min(items.size(), from + limit));
        JsonWriter out = call.writer().beginObject();
        out.name("object").value("list");
        out.name("data").beginArray();
        part.forEach(item -> out.tree(item.fields()));
        out.endArray();
        out.name("first_id")
                .tree(part.stream().findFirst().map(InputItemsEndpoint::id).orElse(null));
        out.name("last_id").tree(part.isEmpty() ? null : id(part.getLast()));
        out.name("has_more").value(from + part.size() < items.size()).endObject();
        call.answer(out);
    }

    private static int after(List<JsonObject> items, String after) {
        Optional<JsonObject> found =
                items.stream().filter(item -> id(item).equals(after)).findFirst();
        return 1
                + items.indexOf(found.orElseThrow(() -> ApiException.invalid(
                        "after", "There is no item '%s' in this response".formatted(ApiException.shown(after)))));
    }

    private static String id(JsonObject item) {
        return item.optionalText("id").orElse("");
    }
}
