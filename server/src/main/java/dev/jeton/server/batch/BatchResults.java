package dev.jeton.server.batch;

import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonWriter;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongConsumer;

/**
 * What came of a batch's requests, in the form of OpenAI's Batch API: a file of answers and one of errors, a line each,
 * in the order in which they came. A line is in its file before the next one is written, so a run that was broken off
 * goes on where it was; half a line at the end is taken away. Thread-safe.
 */
final class BatchResults implements AutoCloseable {

    private final Path answers;
    private final LongConsumer written;
    private final Set<String> done = ConcurrentHashMap.newKeySet();
    private int answered;
    private int failed;
    private final ReentrantLock lock = new ReentrantLock();
    private final OutputStream answersOut;
    private final OutputStream errorsOut;

    /**
     * Opens the files, or makes them.
     *
     * @param again whether those that failed are asked for again: errors of before are thrown away
     * @param written told of the bytes of each line that is kept
     */
    BatchResults(Path answers, Path errors, boolean again, LongConsumer written) {
        this.answers = answers;
        this.written = written;
        try {
            if (again) {
                Files.deleteIfExists(errors);
            }
            answered = read(answers);
            failed = read(errors);
            answersOut = append(answers);
            errorsOut = append(errors);
        } catch (IOException e) {
            throw new BatchException("results cannot be kept in %s and %s: %s".formatted(answers, errors, e), e);
        }
    }

    private static OutputStream append(Path file) throws IOException {
        return Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    /** Notes whose results a file has; how many. */
    private int read(Path file) throws IOException {
        if (!Files.exists(file)) {
            return 0;
        }
        cut(file);
        int number = 1;
        try (BufferedReader lines = Files.newBufferedReader(file)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                try {
                    done.add(Json.object(line.getBytes(StandardCharsets.UTF_8)).text("custom_id"));
                } catch (JsonException e) {
                    throw new BatchException(
                            "%s, line %d, is no result of a batch: %s. Name another file, which need not be there yet"
                                    .formatted(file, number, e.getMessage()),
                            e);
                }
                number++;
            }
        }
        return number - 1;
    }

    /** Takes half a line from the end. */
    private static void cut(Path file) throws IOException {
        try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
            long end = bytes.length();
            while (end > 0) {
                bytes.seek(end - 1);
                if (bytes.read() == '\n') {
                    break;
                }
                end--;
            }
            bytes.setLength(end);
        }
    }

    /** Whether a request has a result, in this run or an earlier one. */
    boolean has(String customId) {
        return done.contains(customId);
    }

    /** Requests that were answered in an earlier run. */
    int answeredBefore() {
        return answered;
    }

    /** Requests that failed in an earlier run. */
    int failedBefore() {
        return failed;
    }

    /** Tells this file of answers from others, also from one that was in its place before. */
    String identity() {
        try {
            return answers.toRealPath() + " "
                    + Files.readAttributes(answers, BasicFileAttributes.class).creationTime();
        } catch (IOException e) {
            throw new BatchException("%s cannot be looked at: %s".formatted(answers, e.getMessage()), e);
        }
    }

    /**
     * Keeps an answer, or a refusal.
     *
     * @param json what its body says; empty where that is no JSON
     */
    void keep(BatchLine line, BatchReply reply, Optional<Object> json) {
        JsonWriter out = new JsonWriter().beginObject();
        out.name("id").value("batch_req_" + line.number());
        out.name("custom_id").value(line.customId());
        out.name("response").beginObject();
        out.name("status_code").value(reply.status());
        out.name("request_id").value(reply.requestId());
        out.name("body");
        body(out, reply.body(), json);
        out.endObject();
        if (!reply.cost().isEmpty()) {
            out.name("cost").value(reply.cost());
        }
        out.name("error").nullValue().endObject();
        write(out, reply.ok() ? answersOut : errorsOut);
        done.add(line.customId());
    }

    /** Keeps that a request was not sent. */
    void keepUnsent(BatchLine line, String code, String message) {
        JsonWriter out = new JsonWriter().beginObject();
        out.name("id").value("batch_req_" + line.number());
        out.name("custom_id").value(line.customId());
        out.name("response").nullValue();
        out.name("error").beginObject();
        out.name("code").value(code);
        out.name("message").value(message).endObject();
        write(out.endObject(), errorsOut);
        done.add(line.customId());
    }

    /** As it came where it is JSON of one line. */
    private static void body(JsonWriter out, byte[] body, Optional<Object> json) {
        if (json.isEmpty()) {
            out.value(new String(body, StandardCharsets.UTF_8));
        } else if (oneLine(body)) {
            out.raw(body);
        } else {
            out.tree(json.get());
        }
    }

    private static boolean oneLine(byte[] body) {
        for (byte octet : body) {
            if (octet == '\n' || octet == '\r') {
                return false;
            }
        }
        return true;
    }

    private void write(JsonWriter line, OutputStream to) {
        byte[] bytes = line.raw("\n").toBytes();
        lock.lock();
        try {
            to.write(bytes);
        } catch (IOException e) {
            throw new BatchException(
                    "a result cannot be written: %s. Make room, and run the same command again: it goes on where it was"
                            .formatted(e.getMessage()),
                    e);
        } finally {
            lock.unlock();
        }
        written.accept(bytes.length);
    }

    @Override
    public void close() {
        try {
            answersOut.close();
            errorsOut.close();
        } catch (IOException e) {
            throw new BatchException("results cannot be closed: " + e.getMessage(), e);
        }
    }
}
