package dev.jeton.server.api;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.BudgetUnit;
import dev.jeton.accounting.Fact;
import dev.jeton.accounting.Money;
import dev.jeton.accounting.PriceBook;
import dev.jeton.accounting.Rate;
import dev.jeton.accounting.TaskLimit;
import dev.jeton.accounting.TaskSpec;
import dev.jeton.accounting.TaskStep;
import dev.jeton.server.json.JsonObject;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Reads what callers say of tasks. Money depends on it, so a field that is not known is an error. */
final class TaskBody {

    private static final double NANOS_PER_SECOND = 1e9;
    private static final double NANOS_PER_MILLI = 1e6;
    private static final double MAX_SECONDS = 366 * 86_400.0;
    /** A thousand million units of currency: what is more is a slip. */
    private static final BigDecimal MAX_COST = new BigDecimal("1000000000");

    private static final Set<String> SPEC = Set.of("id", "name", "success_criterion", "slo_seconds", "budgets");
    private static final Set<String> STEP =
            Set.of("id", "kind", "cost", "quantity", "unit", "duration_ms", "hit", "retry_of", "reserve", "release");

    private TaskBody() {}

    /** An id that the caller chose, or a new one. */
    static String id(JsonObject body, String prefix) {
        return body.optionalText("id").map(id -> checked("id", id)).orElseGet(() -> {
            ThreadLocalRandom random = ThreadLocalRandom.current();
            return prefix + "%016x%016x".formatted(random.nextLong(), random.nextLong());
        });
    }

    private static String checked(String field, String id) {
        if (!RequestTags.isId(id)) {
            throw ApiException.invalid(
                    field,
                    "'%s' has 1 to 128 letters, digits, '.', '_', ':' and '-', the first a letter or digit; it is '%s'"
                            .formatted(field, ApiException.shown(id)));
        }
        return id;
    }

    static void known(JsonObject body, Set<String> fields) {
        for (String field : body.fields().keySet()) {
            if (!fields.contains(field)) {
                throw ApiException.invalid(
                        ApiException.shown(field),
                        "There is no field '%s' here; there are: %s"
                                .formatted(ApiException.shown(field), String.join(", ", new TreeSet<>(fields))));
            }
        }
    }

    static String text(JsonObject body, String field, int most) {
        String text = body.optionalText(field).orElse("");
        if (text.length() > most) {
            throw ApiException.invalid(
                    field, "'%s' has %d characters; at most %d are kept".formatted(field, text.length(), most));
        }
        return text;
    }

    /** What is said of a task when it is opened. */
    static TaskSpec spec(JsonObject body) {
        known(body, SPEC);
        double seconds = body.number("slo_seconds", 0, 0, MAX_SECONDS);
        return new TaskSpec(
                text(body, "name", Fact.MAX_NAME),
                text(body, "success_criterion", Fact.MAX_TEXT),
                Math.round(seconds * NANOS_PER_SECOND),
                limits(body.object("budgets")));
    }

    private static List<TaskLimit> limits(Optional<JsonObject> budgets) {
        List<TaskLimit> limits = new ArrayList<>();
        if (budgets.isEmpty()) {
            return limits;
        }
        for (String name : budgets.get().fields().keySet()) {
            String field = "budgets." + ApiException.shown(name);
            BudgetUnit unit = BudgetUnit.of(name)
                    .orElseThrow(() -> ApiException.invalid(
                            field,
                            "There is no budget of '%s'; there are: %s"
                                    .formatted(
                                            ApiException.shown(name),
                                            Stream.of(BudgetUnit.values())
                                                    .map(BudgetUnit::text)
                                                    .collect(Collectors.joining(", ")))));
            BigDecimal amount = decimal(budgets.get(), name)
                    .orElseThrow(() -> ApiException.invalid(field, "'%s' is null; give it a number".formatted(field)));
            BigDecimal parts = amount.multiply(BigDecimal.valueOf(unit.scale())).stripTrailingZeros();
            if (parts.signum() < 0 || parts.scale() > 0 || parts.precision() - parts.scale() > 18) {
                throw ApiException.invalid(
                        field,
                        "'%s' must be 0 or more%s; it is %s"
                                .formatted(
                                        field,
                                        unit.scale() == 1 ? " and whole" : ", with at most 9 decimals",
                                        ApiException.shown(amount.toString())));
            }
            limits.add(new TaskLimit(unit, parts.longValueExact()));
        }
        return limits;
    }

    /** A decimal, as a string or as a number; exact. */
    private static Optional<BigDecimal> decimal(JsonObject body, String field) {
        return body.value(field).map(value -> switch (value) {
            case Long whole -> BigDecimal.valueOf(whole);
            case Double number -> BigDecimal.valueOf(number);
            case String text -> parsed(body, field, text);
            case Object other -> throw body.wrongType(field, "a decimal, as \"0.0004\"", other);
        });
    }

    private static BigDecimal parsed(JsonObject body, String field, String text) {
        if (!text.matches("-?[0-9]{1,18}(\\.[0-9]{1,18})?")) {
            throw body.wrong(
                    field,
                    "'%s' must be a decimal, as \"0.0004\"; it is '%s'"
                            .formatted(body.path(field), ApiException.shown(text)));
        }
        return new BigDecimal(text);
    }

    /** A step to be recorded: what it was, at the prices given. */
    static TaskStep step(JsonObject body, String id, PriceBook prices) {
        known(body, STEP);
        TaskStep.Kind kind = kind(body);
        Rate quantity = quantity(body);
        String unit = text(body, "unit", Fact.MAX_NAME);
        long list = cost(body).orElseGet(() -> priced(prices, kind, quantity, unit));
        String retryOf = body.optionalText("retry_of")
                .map(other -> checked("retry_of", other))
                .orElse("");
        if (retryOf.equals(id)) {
            throw ApiException.invalid("retry_of", "A step cannot repeat itself; give this one another 'id'");
        }
        double millis = body.number("duration_ms", 0, 0, MAX_SECONDS * 1_000);
        return new TaskStep(
                id, kind, list, quantity, unit, Math.round(millis * NANOS_PER_MILLI), hit(body, kind), retryOf);
    }

    private static TaskStep.Kind kind(JsonObject body) {
        String text = body.text("kind");
        return TaskStep.Kind.of(text)
                .orElseThrow(() -> ApiException.invalid(
                        "kind",
                        "'kind' must be one of: %s; it is '%s'"
                                .formatted(
                                        Stream.of(TaskStep.Kind.values())
                                                .map(kind -> kind.name().toLowerCase(Locale.ROOT))
                                                .collect(Collectors.joining(", ")),
                                        ApiException.shown(text))));
    }

    private static Optional<Long> cost(JsonObject body) {
        return decimal(body, "cost").map(cost -> {
            if (cost.signum() < 0) {
                throw ApiException.invalid(
                        "cost", "'cost' must not be negative: what was reserved is given back by \"release\": true");
            }
            if (cost.compareTo(MAX_COST) > 0 || cost.stripTrailingZeros().scale() > Money.DECIMALS) {
                throw ApiException.invalid(
                        "cost",
                        "'cost' is at most %s, with at most %d decimals; it is %s"
                                .formatted(MAX_COST, Money.DECIMALS, ApiException.shown(cost.toString())));
            }
            return Money.nanos(cost);
        });
    }

    private static Rate quantity(JsonObject body) {
        return decimal(body, "quantity")
                .map(quantity -> {
                    try {
                        return Rate.of(quantity);
                    } catch (AccountingException e) {
                        throw ApiException.invalid("quantity", "'quantity': " + e.getMessage());
                    }
                })
                .orElse(Rate.ZERO);
    }

    private static long priced(PriceBook prices, TaskStep.Kind kind, Rate quantity, String unit) {
        try {
            return prices.step(kind, quantity, unit);
        } catch (AccountingException e) {
            throw ApiException.invalid("quantity", "'quantity': " + e.getMessage());
        }
    }

    private static TaskStep.Hit hit(JsonObject body, TaskStep.Kind kind) {
        if (!body.has("hit")) {
            return TaskStep.Hit.UNKNOWN;
        }
        if (kind != TaskStep.Kind.RETRIEVAL) {
            throw ApiException.invalid("hit", "'hit' is for steps of kind retrieval only");
        }
        return body.flag("hit", false) ? TaskStep.Hit.HIT : TaskStep.Hit.MISS;
    }
}
