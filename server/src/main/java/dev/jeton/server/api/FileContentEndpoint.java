package dev.jeton.server.api;

import dev.jeton.server.batch.StoredFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;

/** {@code GET /v1/files/ID/content}: a file's bytes, read from disk as fast as the client takes them. */
final class FileContentEndpoint implements Endpoint {

    /** What follows the id. */
    static final String END = "/content";

    private static final int PART = 64 << 10;

    private final BatchDesk desk;
    private final Duration stallTimeout;

    /** @param stallTimeout how long a client may leave it unread */
    FileContentEndpoint(BatchDesk desk, Duration stallTimeout) {
        this.desk = desk;
        this.stallTimeout = stallTimeout;
    }

    @Override
    public String name() {
        return "file_content";
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
    public void handle(Call call) throws InterruptedException {
        StoredFile file = desk.files().find(BatchDesk.owner(call), BatchDesk.id(call, BatchDesk.FILES, END));
        Map<String, String> headers = Map.of(
                "content-type",
                "application/octet-stream",
                "content-disposition",
                "attachment; filename=\"%s\"".formatted(file.name().replaceAll("[^A-Za-z0-9._-]", "_")));
        if (call.exchange().method().equals("HEAD")) {
            call.answer(200, headers, new byte[0]);
            return;
        }
        try (InputStream in = Files.newInputStream(desk.files().content(file))) {
            call.begin(headers);
            send(call, in);
        } catch (NoSuchFileException e) {
            throw new ApiException(
                    404, ApiException.INVALID_REQUEST, "file_id", "not_found", "The file was removed meanwhile");
        } catch (IOException e) {
            throw ApiException.internal("The file cannot be read: " + e.getMessage());
        }
    }

    private void send(Call call, InputStream in) throws IOException, InterruptedException {
        byte[] part = new byte[PART];
        for (int count = in.read(part); count >= 0; count = in.read(part)) {
            call.awaitReader(stallTimeout);
            call.exchange().write(Arrays.copyOf(part, count));
        }
        call.exchange().end(new byte[0]);
    }
}
