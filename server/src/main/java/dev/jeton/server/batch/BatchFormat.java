package dev.jeton.server.batch;

import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.math.BigDecimal;
import java.util.EnumMap;
import java.util.Map;
import java.util.TreeMap;

/** Batches, as they are on disk. */
final class BatchFormat {

    private BatchFormat() {}

    static byte[] write(Batch batch) {
        JsonWriter out = new JsonWriter().beginObject();
        StoredFileFormat.owner(out, batch.owner());
        Batch.Asked asked = batch.asked();
        out.name("input_file").value(asked.inputFile());
        out.name("endpoint").value(asked.endpoint());
        out.name("window").value(asked.window());
        out.name("seconds").value(asked.seconds());
        out.name("output_seconds").value(asked.outputSeconds());
        texts(out.name("metadata"), asked.metadata());
        texts(out.name("headers"), asked.headers());
        out.name("status").value(batch.status().text());
        out.name("since").beginObject();
        batch.since().forEach((status, time) -> out.name(status.text()).value(time.longValue()));
        out.endObject();
        out.name("answers").value(batch.outputs().answers());
        out.name("errors").value(batch.outputs().errors());
        out.name("has_answers").value(batch.outputs().hasAnswers());
        out.name("has_errors").value(batch.outputs().hasErrors());
        out.name("total").value(batch.counts().total());
        out.name("completed").value(batch.counts().completed());
        out.name("failed").value(batch.counts().failed());
        out.name("unsent").value(batch.counts().unsent());
        out.name("input_tokens").value(batch.used().inputTokens());
        out.name("cached_tokens").value(batch.used().cachedTokens());
        out.name("output_tokens").value(batch.used().outputTokens());
        out.name("reasoning_tokens").value(batch.used().reasoningTokens());
        out.name("costs").beginObject();
        batch.used().costs().forEach((currency, cost) -> out.name(currency).value(cost.toPlainString()));
        out.endObject();
        out.name("problems").beginArray();
        for (BatchProblem problem : batch.problems()) {
            out.beginObject().name("code").value(problem.code());
            out.name("line").value(problem.line());
            out.name("message").value(problem.message()).endObject();
        }
        return out.endArray().endObject().toBytes();
    }

    private static void texts(JsonWriter out, Map<String, String> texts) {
        out.beginObject();
        texts.forEach((name, text) -> out.name(name).value(text));
        out.endObject();
    }

    static Batch read(String id, byte[] text) {
        JsonObject batch = Json.object(text);
        Map<BatchStatus, Long> since = new EnumMap<>(BatchStatus.class);
        batch.object("since")
                .ifPresent(times -> times.fields()
                        .keySet()
                        .forEach(status -> since.put(BatchStatus.of(status), StoredFileFormat.number(times, status))));
        Map<String, BigDecimal> costs = new TreeMap<>();
        texts(batch, "costs").forEach((currency, cost) -> costs.put(currency, new BigDecimal(cost)));
        return new Batch(
                id,
                StoredFileFormat.owner(batch),
                new Batch.Asked(
                        batch.text("input_file"),
                        batch.text("endpoint"),
                        batch.text("window"),
                        StoredFileFormat.number(batch, "seconds"),
                        StoredFileFormat.number(batch, "output_seconds"),
                        texts(batch, "metadata"),
                        texts(batch, "headers")),
                BatchStatus.of(batch.text("status")),
                since,
                new Batch.Outputs(
                        batch.text("answers"),
                        batch.text("errors"),
                        batch.flag("has_answers", false),
                        batch.flag("has_errors", false)),
                new Batch.Counts(
                        whole(batch, "total"),
                        whole(batch, "completed"),
                        whole(batch, "failed"),
                        whole(batch, "unsent")),
                new Batch.Used(
                        StoredFileFormat.number(batch, "input_tokens"),
                        StoredFileFormat.number(batch, "cached_tokens"),
                        StoredFileFormat.number(batch, "output_tokens"),
                        StoredFileFormat.number(batch, "reasoning_tokens"),
                        costs),
                batch.objects("problems").stream()
                        .map(problem -> new BatchProblem(
                                problem.text("code"),
                                StoredFileFormat.number(problem, "line"),
                                problem.text("message")))
                        .toList());
    }

    private static int whole(JsonObject object, String name) {
        return object.whole(name, 0, 0, Integer.MAX_VALUE);
    }

    private static Map<String, String> texts(JsonObject object, String name) {
        Map<String, String> texts = new TreeMap<>();
        object.object(name).ifPresent(all -> all.fields().keySet().forEach(key -> texts.put(key, all.text(key))));
        return texts;
    }
}
