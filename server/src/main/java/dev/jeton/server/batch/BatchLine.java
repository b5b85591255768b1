package dev.jeton.server.batch;

import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.util.List;

/**
 * A request of a batch, in the form of OpenAI's Batch API: {@code {"custom_id": ..., "method": "POST", "url": PATH,
 * "body": {...}}}.
 *
 * @param number of the line in its file, from 1
 * @param customId names its result
 * @param path of the endpoint
 * @param body JSON, as it is sent
 */
public record BatchLine(long number, String customId, String path, byte[] body) {

    private static final String RESPONSES = "/v1/responses";

    /** Where a request may go. */
    public static final List<String> PATHS = List.of(
            "/v1/chat/completions",
            "/v1/completions",
            RESPONSES,
            "/v1/messages",
            "/v1/embeddings",
            "/v1/rerank",
            "/v1/classify");

    private static final String TIER = "service_tier";
    private static final int MOST_ID = 512;

    /**
     * Reads a line.
     *
     * @param tier what {@code service_tier} is where the body does not say; empty leaves it out
     * @throws BatchException saying what is wrong with it
     */
    static BatchLine of(long number, byte[] text, String tier) {
        try {
            JsonObject line = Json.object(text);
            String id = line.text("custom_id");
            String method = line.optionalText("method").orElse("POST");
            String path = line.text("url");
            JsonObject body =
                    line.object("body").orElseThrow(() -> new BatchException("'body' is missing, the request itself"));
            if (id.isEmpty() || id.length() > MOST_ID) {
                throw new BatchException(
                        "'custom_id' has %d characters; it must have 1 to %d".formatted(id.length(), MOST_ID));
            }
            if (!method.equals("POST")) {
                throw new BatchException("'method' is '%s'; only POST is sent".formatted(method));
            }
            if (!PATHS.contains(path)) {
                throw new BatchException(
                        "'url' is '%s'; it must be one of %s".formatted(path, String.join(", ", PATHS)));
            }
            if (body.flag("stream", false)) {
                throw new BatchException("'stream' is true; an answer of a batch is whole");
            }
            if (path.equals(RESPONSES) && body.flag("background", false)) {
                throw new BatchException("'background' is true; a batch waits for its answers");
            }
            return new BatchLine(number, id, path, body(body, tier));
        } catch (JsonException e) {
            throw new BatchException(String.valueOf(e.getMessage()), e);
        }
    }

    private static byte[] body(JsonObject body, String tier) {
        JsonWriter out = new JsonWriter().beginObject();
        body.fields().forEach((name, value) -> out.name(name).tree(value));
        if (!tier.isEmpty() && !body.has(TIER)) {
            out.name(TIER).value(tier);
        }
        return out.endObject().toBytes();
    }
}
