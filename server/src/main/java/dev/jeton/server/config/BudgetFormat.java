package dev.jeton.server.config;

import dev.jeton.accounting.Budget;
import dev.jeton.accounting.Budget.Level;
import dev.jeton.accounting.Budget.Mode;
import dev.jeton.accounting.Budget.Rung;
import dev.jeton.accounting.BudgetUnit;
import dev.jeton.accounting.BudgetWindow;
import dev.jeton.accounting.BudgetWindow.Kind;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.math.BigDecimal;
import java.time.DateTimeException;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Currency;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A budget as {@code jeton.yaml} and the admin API write it. Amounts are decimals as people say them (tokens, seconds,
 * units of currency): numbers, or text where they have more than 15 digits. What operations add to a budget (kill
 * switch, grace, top-ups) is no part of this.
 */
public final class BudgetFormat {

    /** Everything that a budget is written with. */
    public static final List<String> FIELDS = List.of(
            "id",
            "level",
            "tenant",
            "project",
            "key",
            "unit",
            "window",
            "timezone",
            "limit",
            "mode",
            "thresholds",
            "ladder",
            "currency",
            "shared");

    private static final int MAX_THRESHOLDS = 16;
    private static final int MAX_THRESHOLD = 1_000;
    private static final int MAX_RUNGS = 8;
    private static final int MAX_AT_LEAST = 1_000_000;
    private static final List<Integer> USUAL_THRESHOLDS = List.of(50, 80, 100);
    private static final int MAX_TEXT = 40;

    private BudgetFormat() {}

    /**
     * Reads a budget.
     *
     * @throws JsonException naming the field that does not fit
     */
    public static Budget read(JsonObject given) {
        known(given, FIELDS, "a budget");
        String id = name(given, "id", false);
        Level level = choice(given, "level", Level.values(), Level::text);
        BudgetUnit unit = choice(given, "unit", BudgetUnit.values(), BudgetUnit::text);
        boolean named = level == Level.TENANT || level == Level.PROJECT || level == Level.KEY;
        String tenant = given.has("tenant") || named ? name(given, "tenant", true) : Budget.ANY;
        String project = below(given, level, "project", level == Level.PROJECT, level != Level.TENANT);
        String key = below(given, level, "key", level == Level.KEY, level != Level.TENANT && level != Level.PROJECT);
        if (tenant.equals(Budget.ANY) && !(project.equals(Budget.ANY) && key.equals(Budget.ANY))) {
            throw given.wrong("tenant", "'tenant' is '*' and a project or key is named: say whose it is");
        }
        BudgetWindow window = window(given, level);
        boolean prepaid = window.kind() == Kind.PREPAID;
        if (prepaid && !(named && single(level, tenant, project, key))) {
            throw given.wrong(
                    "window",
                    "a prepaid budget is one tenant's, one project's or one key's: what is topped up is whose");
        }
        boolean money = unit == BudgetUnit.LIST_MONEY;
        if (!money && given.has("currency")) {
            throw given.wrong("currency", "only a budget of list-money has a currency");
        }
        boolean shared = given.flag("shared", false);
        if (shared && !Budget.maybeShared(level)) {
            throw given.wrong(
                    "shared",
                    "a budget of level %s cannot be shared: a task or a request counts on the server where it runs"
                            .formatted(level.text()));
        }
        return new Budget(
                id,
                level,
                tenant,
                project,
                key,
                unit,
                window,
                prepaid && !given.has("limit") ? 0 : amount(given, "limit", unit),
                given.has("mode") ? choice(given, "mode", Mode.values(), Mode::text) : Mode.HARD,
                false,
                Budget.Grace.NONE,
                List.of(),
                thresholds(given),
                ladder(given),
                money ? currency(given) : "",
                shared);
    }

    private static boolean single(Level level, String tenant, String project, String key) {
        return !tenant.equals(Budget.ANY)
                && (level != Level.PROJECT || !project.equals(Budget.ANY))
                && (level != Level.KEY || !key.equals(Budget.ANY));
    }

    /** Complains of the first field that is not known. */
    public static void known(JsonObject given, List<String> fields, String of) {
        for (String name : given.fields().keySet()) {
            if (!fields.contains(name)) {
                String shown = name.length() > MAX_TEXT ? name.substring(0, MAX_TEXT) + "..." : name;
                throw given.wrong(
                        shown, "'%s' is nothing that %s has%s".formatted(shown, of, Schema.suggestion(shown, fields)));
            }
        }
    }

    private static String name(JsonObject given, String field, boolean any) {
        String text = given.text(field);
        if (!Names.fits(text) && !(any && text.equals(Budget.ANY))) {
            throw given.wrong(field, "'%s': %s".formatted(field, Names.EXPECTED));
        }
        return text;
    }

    private static String below(JsonObject given, Level level, String field, boolean needed, boolean allowed) {
        if (!allowed && given.has(field)) {
            throw given.wrong(field, "a budget of level %s has no '%s'".formatted(level.text(), field));
        }
        return given.has(field) || needed ? name(given, field, true) : Budget.ANY;
    }

    private static <T> T choice(JsonObject given, String field, T[] values, Function<T, String> text) {
        String said = given.text(field);
        return Stream.of(values)
                .filter(value -> text.apply(value).equals(said))
                .findFirst()
                .orElseThrow(() -> given.wrong(
                        field,
                        "'%s' must be one of: %s"
                                .formatted(
                                        field,
                                        String.join(
                                                ", ",
                                                Stream.of(values).map(text).toList()))));
    }

    private static BudgetWindow window(JsonObject given, Level level) {
        Kind kind = choice(given, "window", Kind.values(), Kind::text);
        if (kind == Kind.TOTAL || kind == Kind.PREPAID) {
            if (given.has("timezone")) {
                throw given.wrong("timezone", "a budget that never begins anew has no timezone");
            }
            return new BudgetWindow(kind, BudgetWindow.TOTAL.zone());
        }
        if (level == Level.REQUEST) {
            throw given.wrong("window", "a budget of each request is its total: 'window' must be total");
        }
        String zone = given.optionalText("timezone").orElse("UTC");
        try {
            return new BudgetWindow(kind, ZoneId.of(zone));
        } catch (DateTimeException e) {
            throw given.wrong(
                    "timezone", "'timezone' is no name of a timezone: one as Europe/Berlin or UTC is expected");
        }
    }

    /**
     * An amount that must be there, 0 or more.
     *
     * @return in the unit's smallest part
     */
    public static long amount(JsonObject given, String field, BudgetUnit unit) {
        BigDecimal decimal = switch (given.value(field).orElse(null)) {
            case null -> throw given.wrong(field, "'%s' is missing: an amount is required".formatted(field));
            case Long number -> BigDecimal.valueOf(number);
            case Double number -> BigDecimal.valueOf(number);
            case String text -> decimal(given, field, text);
            case Object other -> throw given.wrongType(field, "a number or a decimal in quotes", other);
        };
        if (decimal.signum() < 0) {
            throw given.wrong(field, "'%s' must not be negative".formatted(field));
        }
        try {
            return decimal.multiply(BigDecimal.valueOf(unit.scale())).longValueExact();
        } catch (ArithmeticException e) {
            throw given.wrong(
                    field,
                    "'%s' must be a multiple of %s and at most %s %s"
                            .formatted(field, text(1, unit), text(Long.MAX_VALUE, unit), unit.text()));
        }
    }

    private static BigDecimal decimal(JsonObject given, String field, String text) {
        // No exponents: 1e999999999 is a short text and a long number.
        if (text.length() > MAX_TEXT || !text.matches("[0-9]+(\\.[0-9]+)?")) {
            throw given.wrong(field, "'%s' must be a decimal as 25 or 0.5".formatted(field));
        }
        return new BigDecimal(text);
    }

    /** An amount in the unit's smallest part, as people say it. */
    public static String text(long amount, BudgetUnit unit) {
        BigDecimal decimal = BigDecimal.valueOf(amount).divide(BigDecimal.valueOf(unit.scale()));
        return decimal.signum() == 0 ? "0" : decimal.stripTrailingZeros().toPlainString();
    }

    private static String currency(JsonObject given) {
        String code = given.text("currency");
        try {
            return Currency.getInstance(code).getCurrencyCode();
        } catch (IllegalArgumentException e) {
            throw given.wrong("currency", "'currency' must be a code of ISO 4217, as EUR or USD");
        }
    }

    private static List<Integer> thresholds(JsonObject given) {
        List<@Nullable Object> items = given.list("thresholds").orElse(null);
        if (items == null) {
            return USUAL_THRESHOLDS;
        }
        if (items.size() > MAX_THRESHOLDS) {
            throw given.wrong("thresholds", "'thresholds' has more than %d entries".formatted(MAX_THRESHOLDS));
        }
        List<Integer> result = new ArrayList<>();
        for (int i = 0; i < items.size(); i++) {
            String field = given.path("thresholds") + "[" + i + "]";
            int percent = (int) JsonObject.whole(field, items.get(i), 1, MAX_THRESHOLD);
            if (!result.isEmpty() && percent <= result.getLast()) {
                throw given.wrong("thresholds", "'thresholds' must grow from one to the next");
            }
            result.add(percent);
        }
        return result;
    }

    private static List<Rung> ladder(JsonObject given) {
        if (!given.has("ladder")) {
            return List.of();
        }
        List<JsonObject> steps = given.objects("ladder");
        if (steps.size() > MAX_RUNGS) {
            throw given.wrong("ladder", "'ladder' has more than %d rungs".formatted(MAX_RUNGS));
        }
        return steps.stream().map(BudgetFormat::rung).toList();
    }

    private static Rung rung(JsonObject step) {
        List<String> kinds = List.of("shorter", "cheaper");
        known(step, kinds, "a rung of the ladder");
        if (step.has("shorter") == step.has("cheaper")) {
            throw new JsonException(
                    step.path(), "'%s' must be either {shorter: ...} or {cheaper: ...}".formatted(step.path()));
        }
        if (step.has("shorter")) {
            JsonObject shorter = step.object("shorter").orElseThrow();
            known(shorter, List.of("at-least"), "'shorter'");
            return new Rung.Shorter(shorter.whole("at-least", 1, 1, MAX_AT_LEAST));
        }
        JsonObject cheaper = step.object("cheaper").orElseThrow();
        known(cheaper, List.of("model"), "'cheaper'");
        return new Rung.Cheaper(cheaper.text("model"));
    }

    /** Writes what {@link #read} reads: names and values, into an object that is open. */
    public static void write(JsonWriter out, Budget budget) {
        out.name("id").value(budget.id());
        out.name("level").value(budget.level().text());
        out.name("tenant").value(budget.tenant());
        if (budget.level() != Level.TENANT) {
            out.name("project").value(budget.project());
        }
        if (budget.level() != Level.TENANT && budget.level() != Level.PROJECT) {
            out.name("key").value(budget.key());
        }
        out.name("unit").value(budget.unit().text());
        Kind kind = budget.window().kind();
        out.name("window").value(kind.text());
        if (kind != Kind.TOTAL && kind != Kind.PREPAID) {
            out.name("timezone").value(budget.window().zone().getId());
        }
        out.name("limit").value(text(budget.limit(), budget.unit()));
        if (!budget.currency().isEmpty()) {
            out.name("currency").value(budget.currency());
        }
        out.name("mode").value(budget.mode().text());
        if (budget.shared()) {
            out.name("shared").value(true);
        }
        out.name("thresholds").tree(budget.thresholds());
        out.name("ladder").tree(budget.ladder().stream().map(BudgetFormat::tree).toList());
    }

    private static Map<String, Map<String, Object>> tree(Rung rung) {
        return switch (rung) {
            case Rung.Shorter shorter -> Map.of("shorter", Map.of("at-least", shorter.atLeast()));
            case Rung.Cheaper cheaper -> Map.of("cheaper", Map.of("model", cheaper.model()));
        };
    }
}
