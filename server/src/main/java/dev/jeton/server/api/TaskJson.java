package dev.jeton.server.api;

import dev.jeton.accounting.Fact;
import dev.jeton.accounting.Money;
import dev.jeton.accounting.Payer;
import dev.jeton.accounting.TaskLimit;
import dev.jeton.accounting.TaskRow;
import dev.jeton.accounting.TaskSpec;
import dev.jeton.accounting.Tasks;
import dev.jeton.server.json.JsonWriter;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Optional;

/** Tasks as JSON. */
final class TaskJson {

    private static final double NANOS_PER_SECOND = 1e9;

    private TaskJson() {}

    /** A task as this process knows it, as the ledger will have it. */
    static TaskRow row(Tasks.View task) {
        Fact.TaskOpened opened = task.opened();
        return new TaskRow(
                opened.task(),
                opened.payer(),
                opened.spec(),
                opened.implicit(),
                opened.at(),
                task.ended().map(Fact.TaskEnded::outcome),
                task.ended().map(Fact.TaskEnded::why).orElse(""),
                task.ended().map(Fact.TaskEnded::at).orElse(0L));
    }

    /**
     * Writes a task's fields into an open object.
     *
     * @param now microseconds since 1970
     */
    static void write(JsonWriter out, TaskRow task, long now) {
        TaskSpec spec = task.spec();
        Payer payer = task.payer();
        out.name("id").value(task.id());
        out.name("object").value("task");
        out.name("tenant").value(payer.tenant());
        out.name("project").value(payer.project());
        out.name("key").value(payer.key());
        out.name("name").value(spec.name());
        out.name("success_criterion").value(spec.criterion());
        out.name("slo_seconds");
        if (spec.sloNanos() == 0) {
            out.nullValue();
        } else {
            out.value(spec.sloNanos() / NANOS_PER_SECOND);
        }
        out.name("budgets").beginObject();
        for (TaskLimit limit : spec.limits()) {
            out.name(limit.unit().text()).value(amount(limit));
        }
        out.endObject();
        out.name("implicit").value(task.implicit());
        out.name("status").value(task.outcome().map(outcome -> outcome.text()).orElse("open"));
        out.name("reason").value(task.why());
        out.name("opened_at").value(time(task.openedAt()));
        out.name("ended_at");
        if (task.endedAt() == 0) {
            out.nullValue();
        } else {
            out.value(time(task.endedAt()));
        }
        out.name("slo_met");
        Optional<Boolean> met = task.sloMet(now);
        if (met.isPresent()) {
            out.value(met.get().booleanValue());
        } else {
            out.nullValue();
        }
    }

    private static String amount(TaskLimit limit) {
        return BigDecimal.valueOf(limit.amount())
                .divide(BigDecimal.valueOf(limit.unit().scale()))
                .toPlainString();
    }

    /** ISO 8601. */
    static String time(long micros) {
        return Instant.EPOCH.plus(micros, ChronoUnit.MICROS).toString();
    }

    /** Milliseconds, to the microsecond. */
    static double millis(long nanos) {
        return Math.rint(nanos / 1e3) / 1e3;
    }

    /** Writes an amount. */
    static void money(JsonWriter out, String name, long nanos) {
        out.name(name).value(Money.text(nanos));
    }
}
