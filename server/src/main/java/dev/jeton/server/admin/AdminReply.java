package dev.jeton.server.admin;

import dev.jeton.server.json.JsonWriter;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What the admin API answers.
 *
 * @param status HTTP status
 * @param headers beside the request's own
 * @param content the body
 */
record AdminReply(int status, Map<String, String> headers, byte[] content) {

    private static final String JSON = "application/json";

    /** JSON under a version of the policy. */
    static AdminReply json(int status, long version, JsonWriter out) {
        return of(status, version, JSON, out.toBytes());
    }

    static AdminReply of(int status, long version, String type, byte[] content) {
        Map<String, String> headers = new LinkedHashMap<>();
        headers.put("content-type", type);
        headers.put("cache-control", "no-store");
        headers.put("etag", "\"" + version + "\"");
        return new AdminReply(status, headers, content);
    }

    /** An error. */
    static AdminReply error(int status, JsonWriter out) {
        Map<String, String> headers = new LinkedHashMap<>(Map.of("content-type", JSON));
        if (status == 401) {
            headers.put("www-authenticate", "Bearer");
        }
        return new AdminReply(status, headers, out.toBytes());
    }
}
