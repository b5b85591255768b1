package dev.jeton.server.api;

import dev.jeton.server.batch.FileStore;
import dev.jeton.server.http.ArrivingBody;
import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The requests that a batch of messages is made with, {@code {"requests": [{"custom_id": ..., "params": {...}}]}}, as
 * the lines of a batch's file. There may be more of them than is to be held in memory, so they go to disk as they
 * arrive.
 */
final class MessageBatchRequests {

    private static final Pattern ID = Pattern.compile("[a-zA-Z0-9_-]{1,64}");

    private final int most;
    private final int mostBody;
    private final Set<String> ids = new HashSet<>();

    /**
     * Without any yet.
     *
     * @param most most requests
     * @param mostBody most bytes of one
     */
    MessageBatchRequests(int most, int mostBody) {
        this.most = most;
        this.mostBody = mostBody;
    }

    /** Keeps a body as it arrives, as far as there is room. */
    static void keep(ArrivingBody body, FileStore.Arrival room, Path file) throws InterruptedException {
        try (OutputStream out = Files.newOutputStream(file)) {
            for (byte[] part = body.next(); part.length > 0; part = body.next()) {
                room.take(part.length);
                out.write(part);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("the requests cannot be kept in " + file, e);
        }
    }

    /**
     * Writes the requests of a body as lines.
     *
     * @return how many there are
     * @throws ApiException 400, naming what is wrong
     */
    int write(Path body, Path lines) {
        try (InputStream in = new BufferedInputStream(Files.newInputStream(body), 1 << 16);
                OutputStream out = new BufferedOutputStream(Files.newOutputStream(lines), 1 << 16)) {
            int count = Json.each(in, "requests", request -> write(out, request));
            if (count == 0) {
                throw ApiException.invalid("requests", "'requests' is empty; a batch has at least one");
            }
            return count;
        } catch (IOException e) {
            throw new UncheckedIOException("the requests cannot be kept in " + lines, e);
        }
    }

    private void write(OutputStream out, JsonObject request) {
        String id = request.text("custom_id");
        JsonObject params = request.object("params")
                .orElseThrow(() -> ApiException.invalid(
                        request.path("params"),
                        "'%s' is missing, the request itself".formatted(request.path("params"))));
        if (!ID.matcher(id).matches()) {
            throw ApiException.invalid(
                    request.path("custom_id"),
                    "'%s' has 1 to 64 letters, digits, '_' and '-'; it is '%s'"
                            .formatted(request.path("custom_id"), ApiException.shown(id)));
        }
        if (!ids.add(id)) {
            throw ApiException.invalid(
                    request.path("custom_id"),
                    "'%s' is '%s', which was there before".formatted(request.path("custom_id"), id));
        }
        if (ids.size() > most) {
            throw ApiException.invalid(
                    "requests", "There are more than the %d requests that a batch may have; divide it".formatted(most));
        }
        if (params.flag("stream", false)) {
            throw ApiException.invalid(
                    request.path("params") + ".stream", "An answer of a batch is whole; leave 'stream' out");
        }
        byte[] asked = new JsonWriter().tree(params.fields()).toBytes();
        if (asked.length > mostBody) {
            throw ApiException.invalid(
                    request.path("params"),
                    "'%s' has %d bytes, at most %d are accepted"
                            .formatted(request.path("params"), asked.length, mostBody));
        }
        JsonWriter line = new JsonWriter().beginObject();
        line.name("custom_id").value(id);
        line.name("method").value("POST");
        line.name("url").value(MessagesEndpoint.PATH);
        line.name("body").raw(asked);
        try {
            out.write(line.endObject().raw("\n").toBytes());
        } catch (IOException e) {
            throw new UncheckedIOException("a request cannot be kept", e);
        }
    }
}
