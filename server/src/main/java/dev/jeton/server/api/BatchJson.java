package dev.jeton.server.api;

import dev.jeton.server.batch.Batch;
import dev.jeton.server.batch.BatchProblem;
import dev.jeton.server.batch.BatchStatus;
import dev.jeton.server.json.JsonWriter;

/** Batches in OpenAI's shape. */
final class BatchJson {

    private BatchJson() {}

    static JsonWriter write(JsonWriter out, Batch batch) {
        out.beginObject();
        out.name("id").value(batch.id());
        out.name("object").value("batch");
        out.name("endpoint").value(batch.asked().endpoint());
        errors(out.name("errors"), batch);
        out.name("input_file_id").value(batch.asked().inputFile());
        out.name("completion_window").value(batch.asked().window());
        out.name("status").value(batch.shown().text());
        out.name("output_file_id")
                .tree(batch.outputs().hasAnswers() ? batch.outputs().answers() : null);
        out.name("error_file_id")
                .tree(batch.outputs().hasErrors() ? batch.outputs().errors() : null);
        out.name("created_at").value(batch.created());
        out.name("expires_at").value(batch.expires());
        for (BatchStatus status : BatchStatus.values()) {
            if (status != BatchStatus.VALIDATING) {
                out.name(status.text() + "_at").tree(batch.since().get(status));
            }
        }
        out.name("request_counts").beginObject();
        out.name("total").value(batch.counts().total());
        out.name("completed").value(batch.counts().completed());
        out.name("failed").value(batch.counts().failed()).endObject();
        if (batch.status().ended()) {
            used(out, batch.used());
        }
        out.name("metadata")
                .tree(batch.asked().metadata().isEmpty() ? null : batch.asked().metadata());
        return out.endObject();
    }

    private static void errors(JsonWriter out, Batch batch) {
        if (batch.problems().isEmpty()) {
            out.nullValue();
            return;
        }
        out.beginObject().name("object").value("list");
        out.name("data").beginArray();
        for (BatchProblem problem : batch.problems()) {
            out.beginObject().name("code").value(problem.code());
            out.name("line").tree(problem.line() == 0 ? null : problem.line());
            out.name("message").value(problem.message());
            out.name("param").nullValue().endObject();
        }
        out.endArray().endObject();
    }

    private static void used(JsonWriter out, Batch.Used used) {
        out.name("usage").beginObject();
        out.name("input_tokens").value(used.inputTokens());
        out.name("input_tokens_details").beginObject();
        out.name("cached_tokens").value(used.cachedTokens()).endObject();
        out.name("output_tokens").value(used.outputTokens());
        out.name("output_tokens_details").beginObject();
        out.name("reasoning_tokens").value(used.reasoningTokens()).endObject();
        out.name("total_tokens").value(used.inputTokens() + used.outputTokens()).endObject();
        if (!used.costs().isEmpty()) {
            out.name("cost").beginObject();
            used.costs().forEach((currency, cost) -> out.name(currency).value(cost.toPlainString()));
            out.endObject();
        }
    }
}
