package dev.jeton.server.webhooks;

import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Events that are not delivered, on disk: a line for each that came, and one for each that is done. Written anew,
 * without what is done, whenever most of it is. One thread. What cannot be written is delivered all the same and only
 * lost with the process.
 */
final class Outbox implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Outbox.class);
    /** A file smaller than this is not worth to be written anew. */
    private static final long SMALL = 256 << 10;

    private final Path file;
    private final Map<String, Outgoing> left = new LinkedHashMap<>();
    private FileChannel channel;
    private long bytes;
    private long leftBytes;

    /**
     * Reads what the last run left.
     *
     * @throws IOException where it cannot be read or written
     */
    Outbox(Path file) throws IOException {
        this.file = file;
        read();
        channel = rewritten();
    }

    private void read() throws IOException {
        List<String> lines;
        try {
            lines = Files.readAllLines(file, StandardCharsets.UTF_8);
        } catch (NoSuchFileException e) {
            return;
        }
        for (String line : lines) {
            try {
                take(Json.object(line.getBytes(StandardCharsets.UTF_8)));
            } catch (JsonException e) {
                // The last line of a process that died; or damage, which costs the events of that line only.
                LOG.warn("a line of {} cannot be read and is left out: {}", file, e.getMessage());
            }
        }
    }

    private void take(JsonObject line) {
        String id = line.text("id");
        if (line.has("body")) {
            left.put(id, new Outgoing(id, line.text("type"), line.text("body")));
        } else {
            left.remove(id);
        }
    }

    /** What is not delivered, the oldest first. */
    List<Outgoing> left() {
        return List.copyOf(left.values());
    }

    /** Bytes of the file. */
    long bytes() {
        return bytes;
    }

    /** Keeps an event; on disk when this returns. */
    void add(Outgoing event) throws IOException {
        left.put(event.id(), event);
        byte[] line = line(event);
        leftBytes += line.length;
        append(line);
        channel.force(false);
    }

    /** An event is done with; not worth waiting for the disk, since receivers know one that comes twice. */
    void done(String id) throws IOException {
        Outgoing event = left.remove(id);
        if (event == null) {
            return;
        }
        leftBytes -= line(event).length;
        append((new String(
                                new JsonWriter()
                                        .beginObject()
                                        .name("id")
                                        .value(id)
                                        .endObject()
                                        .toBytes(),
                                StandardCharsets.UTF_8)
                        + "\n")
                .getBytes(StandardCharsets.UTF_8));
        if (bytes > SMALL && bytes > 2 * leftBytes) {
            channel.close();
            channel = rewritten();
        }
    }

    private static byte[] line(Outgoing event) {
        JsonWriter out = new JsonWriter().beginObject();
        out.name("id").value(event.id());
        out.name("type").value(event.type());
        out.name("body").value(event.body());
        return (new String(out.endObject().toBytes(), StandardCharsets.UTF_8) + "\n").getBytes(StandardCharsets.UTF_8);
    }

    private void append(byte[] line) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(line);
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
        bytes += line.length;
    }

    private FileChannel rewritten() throws IOException {
        Path half = file.resolveSibling(file.getFileName() + ".half");
        bytes = 0;
        FileChannel written = FileChannel.open(
                half, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING);
        try {
            for (Outgoing event : left.values()) {
                ByteBuffer buffer = ByteBuffer.wrap(line(event));
                bytes += buffer.remaining();
                while (buffer.hasRemaining()) {
                    written.write(buffer);
                }
            }
            written.force(true);
            Files.move(half, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            written.close();
            throw e;
        }
        leftBytes = bytes;
        return written;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
