package dev.jeton.server.api;

import dev.jeton.server.batch.Batch;
import dev.jeton.server.batch.BatchOwner;
import dev.jeton.server.batch.Batches;
import dev.jeton.server.batch.FileStore;
import dev.jeton.server.batch.StoredFile;
import dev.jeton.server.config.Configuration;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

/** {@code POST /v1/messages/batches}: messages that are answered by and by, as Anthropic's API asks for them. */
final class CreateMessageBatchEndpoint implements Endpoint {

    private static final String WINDOW = "24h";

    private final BatchDesk desk;
    private final Configuration configuration;

    CreateMessageBatchEndpoint(BatchDesk desk, Configuration configuration) {
        this.desk = desk;
        this.configuration = configuration;
    }

    @Override
    public String name() {
        return "message_batches_create";
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
    public void handle(Call call) throws InterruptedException {
        Batches batches = desk.batches();
        call.refuseCompressed();
        Map<String, String> headers = CreateBatchEndpoint.headers(call);
        Path incoming = batches.files().incoming();
        try {
            Path body = Files.createTempFile(incoming, "messages", "");
            Path lines = Files.createTempFile(incoming, "lines", "");
            try (FileStore.Arrival room = batches.files().arrival(BatchDesk.owner(call))) {
                MessageBatchRequests.keep(call.exchange().arriving(), room, body);
                int count = new MessageBatchRequests(
                                configuration.batches().maxRequests(),
                                configuration.http().maxBody())
                        .write(body, lines);
                room.close();
                call.answer(MessageBatches.write(call.writer(), create(batches, call, lines, count, headers)));
            } finally {
                Files.deleteIfExists(body);
                Files.deleteIfExists(lines);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("the requests cannot be kept in " + incoming, e);
        }
    }

    private Batch create(Batches batches, Call call, Path lines, int count, Map<String, String> headers) {
        BatchOwner owner = BatchDesk.owner(call);
        long life = configuration.batches().timeToLive().toSeconds();
        StoredFile file = batches.files().add(owner, "messages.jsonl", StoredFile.INPUT, lines, Long.MAX_VALUE, life);
        boolean created = false;
        try {
            Batch.Asked asked = new Batch.Asked(
                    file.id(),
                    MessagesEndpoint.PATH,
                    WINDOW,
                    Duration.ofHours(24).toSeconds(),
                    life,
                    Map.of(),
                    headers);
            Batch batch = batches.create(MessageBatches.KIND, owner, asked, count);
            created = true;
            return batch;
        } finally {
            if (!created) {
                batches.files().remove(owner, file.id());
            }
        }
    }
}
