package dev.jeton.server.api;

import dev.jeton.accounting.Payer;
import dev.jeton.server.batch.BatchOwner;
import dev.jeton.server.batch.BatchRefusal;
import dev.jeton.server.batch.Batches;
import dev.jeton.server.batch.FileStore;
import dev.jeton.server.json.JsonWriter;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;

/** Where files and batches are asked for. */
final class BatchDesk {

    /** Where files are. */
    static final String FILES = "/v1/files";
    /** What names of batches begin with. */
    static final String KIND = "batch";
    /** Where batches are. */
    static final String BATCHES = "/v1/batches";

    private final Optional<Batches> batches;

    /** @param batches empty where none are kept */
    BatchDesk(Optional<Batches> batches) {
        this.batches = batches;
    }

    /**
     * The batches.
     *
     * @throws ApiException 404 where none are kept
     */
    Batches batches() {
        return batches.orElseThrow(() -> new ApiException(
                404,
                ApiException.INVALID_REQUEST,
                "",
                "batches_disabled",
                "This server keeps no files and no batches; set batches.folder to where they are to be kept"));
    }

    /** The files, likewise. */
    FileStore files() {
        return batches().files();
    }

    /** Who asks, as files and batches know them. */
    static BatchOwner owner(Call call) {
        Payer payer = call.caller().payer();
        return new BatchOwner(payer.tenant(), payer.project(), payer.key());
    }

    /** What a path names between these. */
    static String id(Call call, String before, String after) {
        String path = call.exchange().path();
        return path.substring(before.length() + 1, path.length() - after.length());
    }

    /** A refusal as the API says it. */
    static ApiException refused(BatchRefusal refusal) {
        String message = String.valueOf(refusal.getMessage());
        return switch (refusal.reason()) {
            case UNKNOWN -> new ApiException(404, ApiException.INVALID_REQUEST, refusal.field(), "not_found", message);
            case INVALID -> ApiException.invalid(refusal.field(), message);
            case CONFLICT -> new ApiException(409, ApiException.INVALID_REQUEST, refusal.field(), "conflict", message);
            case FULL -> new ApiException(429, "rate_limit_error", refusal.field(), "no_room", message);
        };
    }

    /**
     * Answers with a part of a list, the newest first unless {@code order} says otherwise.
     *
     * @param all the newest first
     * @param most most items of a part; as many are usual
     */
    static <T> void answer(
            Call call, List<T> all, Function<T, String> id, int usual, int most, Consumer<T> write, JsonWriter out) {
        BooksQuery query = query(call);
        int limit = query.limit(usual, most);
        boolean newestFirst = query.choice("order", List.of("desc", "asc")).equals("desc");
        List<T> items = newestFirst ? all : all.reversed();
        int from = query.text("after").map(after -> after(items, id, after)).orElse(0);
        List<T> part = items.subList(from, Math.min(items.size(), from + limit));
        out.beginObject();
        out.name("object").value("list");
        out.name("data").beginArray();
        part.forEach(write);
        out.endArray();
        out.name("first_id").tree(part.isEmpty() ? null : id.apply(part.getFirst()));
        out.name("last_id").tree(part.isEmpty() ? null : id.apply(part.getLast()));
        out.name("has_more").value(from + part.size() < items.size()).endObject();
        call.answer(out);
    }

    /** What a list is asked for with. */
    static BooksQuery query(Call call) {
        return new BooksQuery(call, 0, Set.of("after", "limit", "order", "purpose"));
    }

    private static <T> int after(List<T> items, Function<T, String> id, String after) {
        for (int i = 0; i < items.size(); i++) {
            if (id.apply(items.get(i)).equals(after)) {
                return i + 1;
            }
        }
        throw ApiException.invalid(
                "after", "There is no '%s' in the list; begin it anew".formatted(ApiException.shown(after)));
    }
}
