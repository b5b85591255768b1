package dev.jeton.server.api;

import dev.jeton.accounting.Ledger;
import dev.jeton.accounting.Money;
import dev.jeton.accounting.PriceBook;
import dev.jeton.accounting.RequestRow;
import dev.jeton.accounting.StepRow;
import dev.jeton.accounting.TaskGraph;
import dev.jeton.accounting.TaskStep;
import dev.jeton.server.json.JsonWriter;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A task's cost graph as JSON.
 *
 * @param requests its requests, with the currencies of their money
 * @param currencies of all money in it; amounts of several are not summed
 */
record GraphJson(TaskGraph graph, BookedRequests requests, Set<String> currencies) {

    /** With what the ledger knows of currencies; to be asked at the desk. */
    static GraphJson of(Ledger ledger, TaskGraph graph) {
        Set<String> currencies = Stream.concat(
                        graph.requests().stream().map(RequestRow::priceBook),
                        graph.steps().stream().map(StepRow::priceBook))
                .filter(version -> !version.isEmpty())
                .distinct()
                .map(version -> PriceBook.parse("price book " + version, ledger.priceBook(version))
                        .currency()
                        .getCurrencyCode())
                .collect(Collectors.toCollection(TreeSet::new));
        return new GraphJson(graph, BookedRequests.of(ledger, graph.requests()), currencies);
    }

    /**
     * Writes it into an open object.
     *
     * @param now microseconds since 1970
     * @param operator whether also what depends on other callers
     */
    void write(JsonWriter out, long now, boolean operator) {
        TaskJson.write(out, graph.task(), now);
        List<RequestRow> calls = first(graph.requests());
        out.name("requests").beginArray();
        for (RequestRow row : calls) {
            out.beginObject();
            requests.write(out, row, operator);
            out.endObject();
        }
        out.endArray();
        out.name("more_requests").value(calls.size() < graph.requests().size());
        List<StepRow> steps = first(graph.steps());
        out.name("steps").beginArray();
        steps.forEach(step -> step(out, step));
        out.endArray();
        out.name("more_steps").value(steps.size() < graph.steps().size());
        totals(out, operator);
    }

    private static <T> List<T> first(List<T> all) {
        return all.subList(0, Math.min(TaskEndpoint.MOST, all.size()));
    }

    private static void step(JsonWriter out, StepRow row) {
        TaskStep step = row.step();
        out.beginObject();
        out.name("id").value(step.id());
        out.name("kind").value(step.kind().text());
        out.name("state").value(row.state().text());
        out.name("recorded_at").value(TaskJson.time(row.openedAt()));
        out.name("settled_at");
        if (row.settledAt() == 0) {
            out.nullValue();
        } else {
            out.value(TaskJson.time(row.settledAt()));
        }
        out.name("quantity").value(step.quantity().toString());
        out.name("unit").value(step.unit());
        out.name("duration_ms").value(TaskJson.millis(step.durationNanos()));
        out.name("hit");
        if (step.hit() == TaskStep.Hit.UNKNOWN) {
            out.nullValue();
        } else {
            out.value(step.hit() == TaskStep.Hit.HIT);
        }
        out.name("retry_of");
        if (step.retryOf().isEmpty()) {
            out.nullValue();
        } else {
            out.value(step.retryOf());
        }
        out.name("cost").beginObject();
        TaskJson.money(out, "list", step.list());
        TaskJson.money(out, "reserved", row.reserved());
        TaskJson.money(out, "overdraft", row.overdraft());
        out.endObject().endObject();
    }

    private void totals(JsonWriter out, boolean operator) {
        TaskGraph.Sums sums = graph.sums();
        out.name("totals").beginObject();
        out.name("currency").value(String.join("+", currencies));
        out.name("list").beginObject();
        TaskJson.money(out, "tokens", sums.list());
        TaskJson.money(out, "egress", sums.egress());
        TaskJson.money(out, "steps", sums.stepMoney());
        TaskJson.money(out, "total", sums.owed());
        out.endObject();
        TaskJson.money(out, "reserved", sums.reserved());
        TaskJson.money(out, "overdraft", sums.overdraft());
        if (operator) {
            TaskJson.money(out, "metered", sums.metered());
            out.name("margin").value(Money.text(Money.add(sums.list(), -sums.metered())));
        }
        out.name("tokens").beginObject();
        out.name("input").value(sums.tokens().input());
        out.name("cached").value(sums.tokens().cached());
        out.name("output").value(sums.tokens().output());
        out.endObject();
        out.name("model_calls").value(sums.calls());
        out.name("running").value(sums.running());
        out.name("completed").value(sums.completed());
        out.name("retries").value(sums.retried());
        out.name("fallbacks").value(sums.fallbacks());
        out.name("steps").value(sums.steps());
        out.name("reserved_steps").value(sums.reservedSteps());
        out.name("retrievals").value(sums.retrievals());
        out.name("hits").value(sums.hits());
        out.name("hit_rate");
        if (sums.retrievals() == 0) {
            out.nullValue();
        } else {
            out.value(sums.hits() / (double) sums.retrievals());
        }
        out.endObject();
    }
}
