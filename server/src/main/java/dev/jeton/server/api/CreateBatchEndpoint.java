package dev.jeton.server.api;

import dev.jeton.server.batch.Batch;
import dev.jeton.server.batch.BatchLine;
import dev.jeton.server.json.JsonObject;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** {@code POST /v1/batches}: the requests of a file are answered by and by. */
final class CreateBatchEndpoint implements Endpoint {

    private static final int MOST_HOURS = 336;
    private static final long LEAST_LIFE = 3_600;
    private static final int MOST_METADATA = 16;
    private static final int MOST_NAME = 64;
    private static final int MOST_VALUE = 512;

    private final BatchDesk desk;
    private final Duration timeToLive;

    /** @param timeToLive how long results are kept at most */
    CreateBatchEndpoint(BatchDesk desk, Duration timeToLive) {
        this.desk = desk;
        this.timeToLive = timeToLive;
    }

    @Override
    public String name() {
        return "batches_create";
    }

    @Override
    public String method() {
        return "POST";
    }

    @Override
    public Guard guard() {
        return Guard.TASKS;
    }

    @Override
    public boolean repeatable() {
        return true;
    }

    @Override
    public void handle(Call call) {
        var batches = desk.batches();
        JsonObject body = call.json();
        String endpoint = body.text("endpoint");
        if (!BatchLine.PATHS.contains(endpoint)) {
            throw ApiException.invalid(
                    "endpoint",
                    "'endpoint' is '%s'; it must be one of %s"
                            .formatted(ApiException.shown(endpoint), String.join(", ", BatchLine.PATHS)));
        }
        String window = body.optionalText("completion_window").orElse("24h");
        Batch.Asked asked = new Batch.Asked(
                body.text("input_file_id"),
                endpoint,
                window,
                seconds(window),
                lifetime(body),
                metadata(body),
                headers(call));
        call.answer(BatchJson.write(call.writer(), batches.create(BatchDesk.KIND, BatchDesk.owner(call), asked, 0)));
    }

    private static long seconds(String window) {
        int hours = window.matches("[0-9]{1,3}h") ? Integer.parseInt(window.substring(0, window.length() - 1)) : 0;
        if (hours < 1 || hours > MOST_HOURS) {
            throw ApiException.invalid(
                    "completion_window",
                    "'completion_window' must be from 1h to %dh, as '24h', but is '%s'"
                            .formatted(MOST_HOURS, ApiException.shown(window)));
        }
        return Duration.ofHours(hours).toSeconds();
    }

    private long lifetime(JsonObject body) {
        Optional<JsonObject> given = body.object("output_expires_after");
        if (given.isEmpty()) {
            return timeToLive.toSeconds();
        }
        JsonObject after = given.get();
        if (!after.text("anchor").equals("created_at")) {
            throw ApiException.invalid(
                    "output_expires_after.anchor", "'output_expires_after.anchor' must be 'created_at'");
        }
        long most = Math.max(LEAST_LIFE, timeToLive.toSeconds());
        return after.optionalWhole("seconds", LEAST_LIFE, most)
                .orElseThrow(() -> ApiException.invalid(
                        "output_expires_after.seconds", "'output_expires_after.seconds' is missing"));
    }

    private static Map<String, String> metadata(JsonObject body) {
        Map<String, String> metadata = new TreeMap<>();
        body.object("metadata")
                .ifPresent(given -> given.fields().keySet().forEach(name -> {
                    String value = given.text(name);
                    if (name.isEmpty() || name.length() > MOST_NAME || value.length() > MOST_VALUE) {
                        throw ApiException.invalid(
                                "metadata",
                                "'metadata' has names of 1 to %d characters and values of up to %d; '%s' has not"
                                        .formatted(MOST_NAME, MOST_VALUE, ApiException.shown(name)));
                    }
                    metadata.put(name, value);
                }));
        if (metadata.size() > MOST_METADATA) {
            throw ApiException.invalid("metadata", "'metadata' has more than %d names".formatted(MOST_METADATA));
        }
        return metadata;
    }

    /** What its requests are said to be for, as if each had come with them. */
    static Map<String, String> headers(Call call) {
        Map<String, String> headers = new TreeMap<>();
        Labels.HEADERS_OF_WORK.forEach(
                name -> call.exchange().header(name).ifPresent(value -> headers.put(name, value)));
        Labels.of(Optional.of(InnerRequests.labels(headers, "batch")));
        RequestTags.of(call, JsonObject.of("", Map.of()));
        return headers;
    }
}
