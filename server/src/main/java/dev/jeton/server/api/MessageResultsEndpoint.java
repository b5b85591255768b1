package dev.jeton.server.api;

import dev.jeton.server.batch.Batch;
import dev.jeton.server.batch.BatchOwner;
import dev.jeton.server.batch.FileStore;
import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** {@code GET /v1/messages/batches/ID/results}: what came of a batch of messages, a line each, in no order. */
final class MessageResultsEndpoint implements Endpoint {

    private final BatchDesk desk;
    private final Duration stallTimeout;

    /** @param stallTimeout how long a client may leave it unread */
    MessageResultsEndpoint(BatchDesk desk, Duration stallTimeout) {
        this.desk = desk;
        this.stallTimeout = stallTimeout;
    }

    @Override
    public String name() {
        return "message_batch_results";
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
        Batch batch = MessageBatchEndpoint.find(call, desk, MessageBatches.RESULTS);
        if (!batch.status().ended()) {
            throw new ApiException(
                    404,
                    ApiException.INVALID_REQUEST,
                    "",
                    "not_ended",
                    "The batch '%s' has not ended; ask for its results when it has".formatted(batch.id()));
        }
        Map<String, String> headers = Map.of("content-type", "application/x-jsonl");
        List<Path> results = results(BatchDesk.owner(call), batch);
        if (call.exchange().method().equals("HEAD")) {
            call.answer(200, headers, new byte[0]);
            return;
        }
        try {
            call.begin(headers);
            for (Path file : results) {
                send(call, file);
            }
            call.exchange().end(new byte[0]);
        } catch (IOException e) {
            throw ApiException.internal("The results cannot be read: " + e.getMessage());
        }
    }

    private List<Path> results(BatchOwner owner, Batch batch) {
        FileStore files = desk.files();
        List<Path> results = new ArrayList<>();
        if (batch.outputs().hasAnswers()) {
            results.add(files.content(files.find(owner, batch.outputs().answers())));
        }
        if (batch.outputs().hasErrors()) {
            results.add(files.content(files.find(owner, batch.outputs().errors())));
        }
        return results;
    }

    private void send(Call call, Path file) throws IOException, InterruptedException {
        try (BufferedReader lines = Files.newBufferedReader(file)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                call.awaitReader(stallTimeout);
                call.exchange().write(result(Json.object(line.getBytes(StandardCharsets.UTF_8))));
            }
        }
    }

    /** A line of a batch's results in Anthropic's shape. */
    private static byte[] result(JsonObject line) {
        JsonWriter out = new JsonWriter().beginObject();
        out.name("custom_id").value(line.text("custom_id"));
        out.name("result").beginObject();
        line.object("response")
                .ifPresentOrElse(
                        response -> {
                            boolean well = response.whole("status_code", 0, 0, 999) / 100 == 2;
                            out.name("type").value(well ? "succeeded" : "errored");
                            out.name(well ? "message" : "error")
                                    .tree(response.value("body").orElse(null));
                        },
                        () -> unsent(out, line));
        return out.endObject().endObject().raw("\n").toBytes();
    }

    private static void unsent(JsonWriter out, JsonObject line) {
        JsonObject error = line.object("error").orElse(JsonObject.of("error", Map.of()));
        switch (error.optionalText("code").orElse("")) {
            case "batch_cancelled" -> out.name("type").value("canceled");
            case "batch_expired" -> out.name("type").value("expired");
            default -> {
                out.name("type").value("errored");
                String why = error.optionalText("message").orElse("The batch has failed");
                MessageErrors.write(out.name("error"), ApiException.internal(why), "");
            }
        }
    }
}
