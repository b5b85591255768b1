package dev.jeton.server.webhooks;

import dev.jeton.accounting.Budget;
import dev.jeton.accounting.BudgetEvent;
import dev.jeton.accounting.BudgetView;
import dev.jeton.accounting.Period;
import dev.jeton.server.config.BudgetFormat;
import dev.jeton.server.json.JsonWriter;

/** Something that a receiver is told. */
public sealed interface WebhookEvent {

    /** When it happened, microseconds since 1970. */
    long at();

    /** What receivers tell events apart by. */
    String type();

    /** Writes what is particular to it: names and values, into an object that is open. */
    void write(JsonWriter out);

    /**
     * So many percent of a budget are spent: {@code budget.threshold}.
     *
     * @param percent the threshold that was passed
     * @param view the counter
     */
    record Threshold(long at, int percent, BudgetView view) implements WebhookEvent {
        @Override
        public String type() {
            return "budget.threshold";
        }

        @Override
        public void write(JsonWriter out) {
            counter(out, view);
            out.name("percent").value(percent);
        }
    }

    /**
     * As it is spent of late, a budget will not last until its window ends: {@code budget.forecast}.
     *
     * @param view the counter
     */
    record Forecast(long at, BudgetView view) implements WebhookEvent {
        @Override
        public String type() {
            return "budget.forecast";
        }

        @Override
        public void write(JsonWriter out) {
            counter(out, view);
            out.name("projected").value(amount(view.projected(), view.budget()));
            time(out.name("exhausted_at"), view.exhausted());
        }
    }

    /**
     * A budget's kill switch was thrown: {@code budget.killed}.
     *
     * @param budget its definition
     * @param who threw it
     * @param reason in words; empty where none was given
     */
    record Killed(long at, Budget budget, String who, String reason) implements WebhookEvent {
        @Override
        public String type() {
            return "budget.killed";
        }

        @Override
        public void write(JsonWriter out) {
            out.name("budget").value(budget.id());
            by(out, who, reason);
        }
    }

    /**
     * A budget may be exceeded for a while: {@code budget.grace}.
     *
     * @param budget its definition, the grace in it
     * @param who gave it
     * @param reason in words
     */
    record Grace(long at, Budget budget, String who, String reason) implements WebhookEvent {
        @Override
        public String type() {
            return "budget.grace";
        }

        @Override
        public void write(JsonWriter out) {
            out.name("budget").value(budget.id());
            unit(out, budget);
            out.name("amount").value(amount(budget.grace().amount(), budget));
            time(out.name("until"), budget.grace().until());
            by(out, who, reason);
        }
    }

    /** What the budgets' counters say, as an event. */
    static WebhookEvent of(BudgetEvent event) {
        return switch (event.kind()) {
            case THRESHOLD -> new Threshold(event.at(), event.percent(), event.view());
            case FORECAST -> new Forecast(event.at(), event.view());
        };
    }

    private static void counter(JsonWriter out, BudgetView view) {
        out.name("budget").value(view.budget().id());
        out.name("subject").value(view.subject());
        unit(out, view.budget());
        out.name("window").beginObject();
        out.name("kind").value(view.budget().window().kind().text());
        time(out.name("from"), view.window().from());
        time(out.name("to"), view.window().to());
        out.endObject();
        out.name("spent").value(amount(view.used() - view.reserved(), view.budget()));
        out.name("reserved").value(amount(view.reserved(), view.budget()));
        out.name("limit").value(amount(view.limit(), view.budget()));
    }

    private static void unit(JsonWriter out, Budget budget) {
        out.name("unit").value(budget.unit().text());
        if (!budget.currency().isEmpty()) {
            out.name("currency").value(budget.currency());
        }
    }

    private static void by(JsonWriter out, String who, String reason) {
        out.name("by").value(who);
        out.name("reason").value(reason);
    }

    private static String amount(long amount, Budget budget) {
        return BudgetFormat.text(amount, budget.unit());
    }

    /** A moment; null for what has no beginning or no end. */
    private static void time(JsonWriter out, long micros) {
        if (micros == Long.MIN_VALUE || micros == Long.MAX_VALUE) {
            out.nullValue();
        } else {
            out.value(Period.text(micros));
        }
    }
}
