package dev.jeton.server.api;

import dev.jeton.accounting.Budget;
import dev.jeton.accounting.BudgetRefusal;
import dev.jeton.accounting.BudgetStop;
import dev.jeton.accounting.BudgetUnit;
import dev.jeton.accounting.BudgetView;
import dev.jeton.accounting.Money;
import dev.jeton.server.json.JsonWriter;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** What callers are told of budgets. */
final class BudgetAnswers {

    /** What is left of the budgets above a request: {@code monthly-money=1.25 EUR, tokens=1000}. */
    static final String REMAINING = "x-jeton-budget-remaining";

    private static final long MICROS_PER_SECOND = 1_000_000;
    private static final int MAX_SHOWN = 32;

    private BudgetAnswers() {}

    /**
     * A 429 that names the budget and tells client libraries not to try again: what is spent stays spent. Where a
     * shared budget's database does not answer, a 503 that may be tried again.
     *
     * @param now microseconds since 1970
     */
    static ApiException refusal(BudgetRefusal refusal, long now) {
        Budget budget = refusal.budget();
        Map<String, String> headers = new LinkedHashMap<>();
        headers.put("x-should-retry", "false");
        headers.put("x-jeton-budget", budget.id());
        headers.put("x-jeton-budget-reason", refusal.reason().text());
        String when = switch (refusal.reason()) {
            case SPENT -> {
                if (refusal.resets().isEmpty()) {
                    yield "it does not begin anew by itself; ask whoever sets it to raise it";
                }
                long left = Math.max(0, refusal.resets().getAsLong() - now);
                headers.put("retry-after", Long.toString(Math.max(1, Math.ceilDiv(left, MICROS_PER_SECOND))));
                yield "it begins anew at " + time(refusal.resets().getAsLong());
            }
            case RESERVED_BY_OTHERS -> {
                headers.put("retry-after", "1");
                yield "requests under way have reserved what is left and may give some of it back; try again when they"
                        + " have ended, or ask for fewer tokens";
            }
            case KILLED -> "its switch was thrown; ask whoever did";
            case UNREACHABLE -> {
                headers.remove("x-should-retry"); // it may be well again soon
                headers.put("retry-after", "1");
                yield "it is shared by servers, this one has no more of it, and the ledger's database does not say whether"
                        + " there is any; try again later";
            }
        };
        boolean unreachable = refusal.reason() == BudgetRefusal.Reason.UNREACHABLE;
        return new ApiException(
                unreachable ? 503 : 429,
                unreachable ? "server_error" : "insufficient_quota",
                "",
                refusal.reason() == BudgetRefusal.Reason.RESERVED_BY_OTHERS
                        ? "budget_reserved"
                        : "budget_" + refusal.reason().text(),
                "The budget '%s' of %s (%s, per %s) does not pay for this request: %s"
                        .formatted(
                                budget.id(),
                                refusal.subject(),
                                budget.unit().text(),
                                budget.window().kind().text(),
                                when),
                headers);
    }

    /**
     * For who had to be answered whole, and was ended by a budget before that; status and headers as {@link #refusal}.
     */
    static ApiException stopped(BudgetStop stop) {
        boolean unreachable = stop.reason() == BudgetRefusal.Reason.UNREACHABLE;
        return new ApiException(
                unreachable ? 503 : 429,
                unreachable ? "server_error" : "insufficient_quota",
                "",
                "budget_" + stop.reason().text(),
                "The budget '%s' of %s ended this request before all of it was computed%s"
                        .formatted(
                                stop.budget(),
                                stop.subject(),
                                unreachable
                                        ? ": the ledger's database does not say whether there is more of it; try again"
                                                + " later"
                                        : ""),
                Map.of(
                        unreachable ? "retry-after" : "x-should-retry",
                        unreachable ? "1" : "false",
                        "x-jeton-budget",
                        stop.budget(),
                        "x-jeton-budget-reason",
                        stop.reason().text()));
    }

    /** Those that a caller may see: device time depends on what others do. */
    static List<BudgetView> readable(List<BudgetView> views, Caller caller) {
        return views.stream()
                .filter(view -> readable(view, caller))
                .limit(MAX_SHOWN)
                .toList();
    }

    /** Whether a caller may see one. */
    static boolean readable(BudgetView view, Caller caller) {
        return caller.operator() || view.budget().unit() != BudgetUnit.DEVICE_SECONDS;
    }

    /** The header's value. */
    static String remaining(List<BudgetView> views) {
        return views.stream()
                .map(view -> view.budget().id() + "=" + amount(view.budget(), Math.max(0, view.available()))
                        + (view.budget().currency().isEmpty()
                                ? ""
                                : " " + view.budget().currency()))
                .collect(Collectors.joining(", "));
    }

    /** A list of budgets with what is left of each. */
    static void write(JsonWriter out, List<BudgetView> views) {
        out.beginArray();
        for (BudgetView view : views) {
            out.beginObject();
            fields(out, view);
            out.endObject();
        }
        out.endArray();
    }

    /** What a budget is and what is left of it, as fields of an object. */
    static void fields(JsonWriter out, BudgetView view) {
        Budget budget = view.budget();
        out.name("budget").value(budget.id());
        out.name("level").value(budget.level().text());
        out.name("unit").value(budget.unit().text());
        if (!budget.currency().isEmpty()) {
            out.name("currency").value(budget.currency());
        }
        out.name("window").value(budget.window().kind().text());
        out.name("mode").value(budget.mode().text());
        out.name("limit").value(amount(budget, view.limit()));
        out.name("used").value(amount(budget, view.used() - view.reserved()));
        out.name("reserved").value(amount(budget, view.reserved()));
        out.name("remaining").value(amount(budget, Math.max(0, view.available())));
        if (view.window().to() != Long.MAX_VALUE) {
            out.name("resets_at").value(time(view.window().to()));
        }
        view.shared().ifPresent(share -> {
            out.name("shared").beginObject();
            out.name("used_here").value(amount(budget, share.charged() - view.reserved()));
            out.name("allotted_here").value(amount(budget, share.allotted()));
            out.name("as_of").tree(share.asOf() == Long.MIN_VALUE ? null : time(share.asOf()));
            out.endObject();
        });
    }

    /** An amount as people say it, a decimal. */
    static String amount(Budget budget, long amount) {
        return switch (budget.unit()) {
            case LIST_MONEY -> Money.text(amount);
            case DEVICE_SECONDS, WALL_SECONDS -> {
                BigDecimal seconds = BigDecimal.valueOf(amount, 9).stripTrailingZeros();
                yield (seconds.scale() < 0 ? seconds.setScale(0) : seconds).toPlainString();
            }
            default -> Long.toString(amount);
        };
    }

    static String time(long micros) {
        return Instant.EPOCH
                .plus(micros, ChronoUnit.MICROS)
                .truncatedTo(ChronoUnit.SECONDS)
                .toString();
    }
}
