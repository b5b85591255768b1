package dev.jeton.server.admin;

import dev.jeton.accounting.Period;
import dev.jeton.server.config.Tenant;
import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One change, as a line of the audit log says it.
 *
 * @param sequence from 1, without gaps: the policy's version from then on
 * @param at when, microseconds since 1970
 * @param who id of the admin key, or what else changed something
 * @param from address that the change came from; empty where it did not come over a network
 * @param action kind of thing, dot, what was done: {@code key.rotate}
 * @param target what was changed: an id, or ids with slashes between
 * @param content what it is now; empty where it is gone. Never a secret
 * @param reason in the author's words; empty where none was given
 * @param previous SHA-256 of the line before; zeros in the first
 */
public record AuditEntry(
        long sequence,
        long at,
        String who,
        String from,
        String action,
        String target,
        Optional<JsonObject> content,
        String reason,
        String previous) {

    /** What stands in place of the line before the first. */
    static final String NOTHING_BEFORE = "0".repeat(64);

    /** What kind of thing was changed. */
    String kind() {
        return action.substring(0, Math.max(0, action.indexOf('.')));
    }

    /** The line, without its end. */
    byte[] line() {
        JsonWriter out = new JsonWriter().beginObject();
        out.name("seq").value(sequence);
        out.name("at").value(at);
        out.name("time").value(Period.text(at));
        out.name("who").value(who);
        out.name("from").value(from);
        out.name("action").value(action);
        out.name("target").value(target);
        out.name("content").tree(content.map(JsonObject::fields).orElse(null));
        out.name("reason").value(reason);
        out.name("prev").value(previous);
        return out.endObject().toBytes();
    }

    /**
     * Reads a line.
     *
     * @throws JsonException where it is none
     */
    static AuditEntry read(byte[] line) {
        JsonObject given = Json.object(line);
        return new AuditEntry(
                given.optionalWhole("seq", 1, Long.MAX_VALUE).orElse(0),
                given.optionalWhole("at", Long.MIN_VALUE, Long.MAX_VALUE).orElse(0),
                given.text("who"),
                given.text("from"),
                given.text("action"),
                given.text("target"),
                given.object("content"),
                given.text("reason"),
                given.text("prev"));
    }

    /** SHA-256 of a line, in lower-case hexadecimal. */
    static String digest(byte[] line) {
        return Tenant.Key.digest(new String(line, StandardCharsets.UTF_8));
    }

    /** An object of names and values; a value that is null is left out. */
    static JsonObject object(@Nullable Object... namesAndValues) {
        Map<String, Object> fields = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            Object value = namesAndValues[i + 1];
            if (value != null) {
                fields.put(String.valueOf(namesAndValues[i]), value);
            }
        }
        return JsonObject.of("", fields);
    }
}
