package dev.jeton.server.api;

import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What a request for a response says, whichever model answers it.
 *
 * @param body as it came
 * @param id the response's
 * @param stored whether the response is stored
 * @param before the turn that it goes on from
 * @param history items of that and of those before
 * @param input its own items, those that it refers to in their places
 */
record ResponseRequest(
        JsonObject body,
        String id,
        boolean stored,
        Optional<Turn> before,
        List<JsonObject> history,
        List<JsonObject> input) {

    static final String PREVIOUS = "previous_response_id";
    private static final String STORE = "store";
    private static final String REFERENCE = "item_reference";

    /**
     * Reads it.
     *
     * @throws ApiException 400, naming the parameter
     */
    static ResponseRequest read(Call call, JsonObject body, ResponseStore store) {
        ResponseFields.check(body);
        Optional<Turn> before = before(call, body, store);
        return new ResponseRequest(
                body, ResponseIds.of(call), stored(body, store), before, history(before), input(call, body, store));
    }

    /** Whether it is made without anybody waiting for it. */
    boolean inBackground() {
        return body.flag(ResponseFields.BACKGROUND, false);
    }

    /** Whether what is too long for the context is left out of it. */
    boolean truncated() {
        return body.optionalText("truncation").orElse("disabled").equals("auto");
    }

    private static boolean stored(JsonObject body, ResponseStore store) {
        boolean wanted = body.flag(STORE, store.open());
        if (!wanted && body.flag(ResponseFields.BACKGROUND, false)) {
            throw ApiException.invalid(
                    ResponseFields.BACKGROUND, "A response in the background is asked for later, so it must be stored");
        }
        if (wanted && !store.open()) {
            throw ApiException.unsupported(
                    STORE, "This server stores no responses (responses.store); leave 'store' out or set it to false");
        }
        return wanted;
    }

    private static Optional<Turn> before(Call call, JsonObject body, ResponseStore store) {
        return body.optionalText(PREVIOUS).map(id -> {
            if (!store.open()) {
                throw ApiException.unsupported(
                        PREVIOUS,
                        "This server stores no responses (responses.store): send the items of the conversation so far"
                                + " in 'input'");
            }
            return store.find(call.caller().payer(), id)
                    .orElseThrow(() -> new ApiException(
                            400,
                            ApiException.INVALID_REQUEST,
                            PREVIOUS,
                            "previous_response_not_found",
                            "There is no response '%s': %s; send the items of the conversation so far in 'input'"
                                    .formatted(ApiException.shown(id), ResponseDesk.WHY)))
                    .turn();
        });
    }

    private static List<JsonObject> history(Optional<Turn> last) {
        Deque<Turn> turns = new ArrayDeque<>();
        for (Optional<Turn> turn = last; turn.isPresent(); turn = turn.get().before()) {
            turns.addFirst(turn.get());
        }
        List<JsonObject> items = new ArrayList<>();
        for (Turn turn : turns) {
            items.addAll(items(PREVIOUS, turn.input()));
            items.addAll(items(PREVIOUS, turn.output()));
        }
        return items;
    }

    /** The items of a stored array. */
    static List<JsonObject> items(String path, byte[] array) {
        List<JsonObject> items = new ArrayList<>();
        if (Json.parse(new String(array, StandardCharsets.UTF_8)) instanceof List<?> list) {
            for (Object item : list) {
                if (item instanceof Map<?, ?> map) {
                    items.add(JsonObject.of(path, map));
                }
            }
        }
        return items;
    }

    private static List<JsonObject> input(Call call, JsonObject body, ResponseStore store) {
        String field = ResponseItems.FIELD;
        Object given = body.value(field)
                .orElseThrow(() -> body.wrong(field, "'input' is missing: a string or an array of items is required"));
        return switch (given) {
            case String text ->
                List.of(JsonObject.of(field, Map.of("type", "message", "role", "user", "content", text)));
            case List<?> list
            when list.isEmpty() -> throw ApiException.invalid(field, "'input' is empty: at least one item is required");
            case List<?> list ->
                body.objects(field).stream()
                        .map(item -> resolved(call, item, store))
                        .toList();
            default -> throw body.wrongType(field, "a string or an array of items", given);
        };
    }

    private static JsonObject resolved(Call call, JsonObject item, ResponseStore store) {
        boolean reference = item.has("type")
                ? REFERENCE.equals(item.value("type").orElse(""))
                : item.has("id") && !item.has("role");
        if (!reference) {
            return item;
        }
        String id = item.text("id");
        return ResponseIds.responseOf(id)
                .flatMap(response -> store.find(call.caller().payer(), response))
                .flatMap(response -> find(id, item.path(), response.turn()))
                .orElseThrow(() -> new ApiException(
                        400,
                        ApiException.INVALID_REQUEST,
                        item.path("id"),
                        "item_not_found",
                        "There is no item '%s', or its response is not there: %s; send the item itself"
                                .formatted(ApiException.shown(id), ResponseDesk.WHY)));
    }

    private static Optional<JsonObject> find(String id, String path, Turn turn) {
        List<JsonObject> items = new ArrayList<>(items(path, turn.input()));
        items.addAll(items(path, turn.output()));
        return items.stream()
                .filter(item -> id.equals(item.value("id").orElse("")))
                .findFirst();
    }

    /** Its own items as they are stored: each has an id, and messages have lists of parts. */
    byte[] inputAsStored() {
        List<Map<String, @Nullable Object>> items = new ArrayList<>();
        for (int i = 0; i < input.size(); i++) {
            JsonObject item = input.get(i);
            String type = ResponseItems.type(item);
            Map<String, @Nullable Object> fields = new LinkedHashMap<>();
            fields.put("id", item.value("id").orElse(ResponseIds.item(kind(type), id, "in" + i)));
            fields.put("type", type);
            item.fields().forEach(fields::putIfAbsent);
            if (type.equals("message") && fields.get("content") instanceof String text) {
                fields.put("content", List.of(part(item.text("role"), text)));
            }
            items.add(fields);
        }
        return new JsonWriter().tree(items).toBytes();
    }

    private static String kind(String type) {
        return switch (type) {
            case "function_call" -> "fc";
            case "function_call_output" -> "fco";
            case "reasoning" -> "rs";
            default -> "msg";
        };
    }

    private static Map<String, @Nullable Object> part(String role, String text) {
        return role.equals("assistant")
                ? Map.of("type", "output_text", "text", text, "annotations", List.of())
                : Map.of("type", "input_text", "text", text);
    }
}
