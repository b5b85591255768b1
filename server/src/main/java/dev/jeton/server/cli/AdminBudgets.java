package dev.jeton.server.cli;

import static dev.jeton.server.cli.AdminOptions.path;

import dev.jeton.server.config.BudgetFormat;
import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonObject;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code jeton admin budgets}. */
@Command(
        name = "budgets",
        description = "Limits on what may be spent.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Example: jeton admin budgets add acme-day --level tenant --tenant acme --unit output-tokens --window day"
                    + " --limit 100000"
        })
final class AdminBudgets extends AdminGroup {

    /** What may be changed of a budget. */
    static final class Changeable {
        @Option(names = "--limit", paramLabel = "AMOUNT", description = "Tokens, seconds or units of currency.")
        private String limit = "";

        @Option(names = "--mode", paramLabel = "MODE", description = "hard, soft or shadow (default: hard).")
        private String mode = "";

        @Option(names = "--threshold", split = ",", paramLabel = "PERCENT", description = "As in 50,80,100.")
        private List<Integer> thresholds = new ArrayList<>();

        @Option(
                names = "--ladder",
                paramLabel = "JSON",
                description = "As in '[{\"shorter\": {\"at-least\": 16}}, {\"cheaper\": {\"model\": \"small\"}}]'.")
        private String ladder = "";

        @Option(
                names = "--shared",
                paramLabel = "BOOLEAN",
                arity = "0..1",
                fallbackValue = "true",
                description = "Whether all servers on one ledger spend it together.")
        private Optional<Boolean> shared = Optional.empty();

        void addTo(Map<String, @Nullable Object> fields) {
            fields.putAll(fields("limit", limit, "mode", mode));
            if (!thresholds.isEmpty()) {
                fields.put("thresholds", List.copyOf(thresholds));
            }
            shared.ifPresent(servers -> fields.put("shared", servers));
            if (!ladder.isEmpty()) {
                try {
                    fields.put("ladder", Json.parse(ladder));
                } catch (JsonException e) {
                    throw new IllegalArgumentException("--ladder: " + e.getMessage(), e);
                }
            }
        }
    }

    @Command(
            description = "Lists budgets.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin budgets list --tenant acme"})
    int list(
            @Mixin AdminOptions options,
            @Option(names = "--tenant", paramLabel = "TENANT", defaultValue = "", description = "Only this one's.")
                    String tenant) {
        return list(
                options,
                options.get(tenant.isEmpty() ? "budgets" : "budgets?tenant=" + path(tenant)),
                "id",
                "level",
                "tenant",
                "project",
                "key",
                "unit",
                "window",
                "limit",
                "currency",
                "mode",
                "shared",
                "killed",
                "source");
    }

    @Command(
            description = "Shows a budget.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin budgets show acme-day"})
    int show(@Mixin AdminOptions options, @Parameters(paramLabel = "BUDGET", description = "Its id.") String id) {
        return one(options, options.get(path("budgets", id)));
    }

    @Command(
            description = "Adds a budget.",
            mixinStandardHelpOptions = true,
            footer = {
                "",
                "Example: jeton admin budgets add acme-month --level key --tenant acme --key '*' --unit list-money"
                        + " --currency EUR --window month --timezone Europe/Berlin --limit 25"
            })
    int add(
            @Mixin AdminOptions options,
            @Mixin Changeable changeable,
            @Parameters(paramLabel = "BUDGET", description = "Its id.") String id,
            @Option(
                            names = "--level",
                            paramLabel = "LEVEL",
                            required = true,
                            description = "tenant, project, key, task or request.")
                    String level,
            @Option(names = "--tenant", paramLabel = "ID", defaultValue = "", description = "Whose; * for each.")
                    String tenant,
            @Option(names = "--project", paramLabel = "ID", defaultValue = "", description = "Whose; * for each.")
                    String project,
            @Option(names = "--key", paramLabel = "ID", defaultValue = "", description = "Whose; * for each.")
                    String key,
            @Option(
                            names = "--unit",
                            paramLabel = "UNIT",
                            required = true,
                            description = "requests, model-calls, input-tokens, output-tokens, tool-calls, list-money,"
                                    + " device-seconds or wall-seconds.")
                    String unit,
            @Option(
                            names = "--window",
                            paramLabel = "WINDOW",
                            required = true,
                            description = "hour, day, month, total or prepaid.")
                    String window,
            @Option(
                            names = "--timezone",
                            paramLabel = "ZONE",
                            defaultValue = "",
                            description = "By whose clock it begins anew (default: UTC).")
                    String timezone,
            @Option(names = "--currency", paramLabel = "CODE", defaultValue = "", description = "Of list money.")
                    String currency) {
        Map<String, @Nullable Object> fields = fields(
                "id",
                id,
                "level",
                level,
                "tenant",
                tenant,
                "project",
                project,
                "key",
                key,
                "unit",
                unit,
                "window",
                window,
                "timezone",
                timezone,
                "currency",
                currency);
        changeable.addTo(fields);
        return one(options, options.send("POST", "budgets", fields, ""));
    }

    @Command(
            description = "Changes a budget; what it counts stays.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin budgets set acme-day --limit 200000"})
    int set(
            @Mixin AdminOptions options,
            @Mixin Changeable changeable,
            @Parameters(paramLabel = "BUDGET", description = "Its id.") String id) {
        AdminOptions.Reply now = options.get(path("budgets", id));
        JsonObject budget = now.json();
        Map<String, @Nullable Object> fields = new LinkedHashMap<>();
        BudgetFormat.FIELDS.forEach(name -> budget.value(name).ifPresent(value -> fields.put(name, value)));
        changeable.addTo(fields);
        // So that nobody's change in between is undone.
        return one(options, options.send("PUT", path("budgets", id), fields, now.version()));
    }

    @Command(
            name = "top-up",
            description = "Pays into a prepaid budget, once for each --id.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin budgets top-up acme-paid --id invoice-17 --amount 500"})
    int topUp(
            @Mixin AdminOptions options,
            @Parameters(paramLabel = "BUDGET", description = "Its id.") String budget,
            @Option(names = "--id", paramLabel = "ID", required = true, description = "Of the top-up.") String id,
            @Option(names = "--amount", paramLabel = "AMOUNT", required = true, description = "How much.")
                    String amount,
            @Option(
                            names = "--expires",
                            paramLabel = "TIME",
                            defaultValue = "",
                            description = "When what is left of it is gone (default: never).")
                    String expires) {
        return one(
                options,
                options.send(
                        "POST",
                        path("budgets", budget, "topups"),
                        fields("id", id, "amount", amount, "expires", expires),
                        ""));
    }

    @Command(
            description =
                    "Lets a budget be exceeded for a while, within bounds; needs --reason. An amount of 0 ends it.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin budgets grace acme-day --amount 5000 --for 2h --reason 'launch day'"})
    int grace(
            @Mixin AdminOptions options,
            @Parameters(paramLabel = "BUDGET", description = "Its id.") String budget,
            @Option(names = "--amount", paramLabel = "AMOUNT", required = true, description = "How much.")
                    String amount,
            @Option(names = "--for", paramLabel = "TIME", defaultValue = "", description = "How long, as in 2h.")
                    String length) {
        String path = path("budgets", budget, "grace");
        return one(
                options,
                amount.equals("0")
                        ? options.delete(path)
                        : options.send("POST", path, fields("amount", amount, "for", length), ""));
    }

    @Command(
            description = "Stops all spending of a budget at once, in mid-stream too.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin budgets kill acme-day --reason 'leaked key'"})
    int kill(@Mixin AdminOptions options, @Parameters(paramLabel = "BUDGET", description = "Its id.") String budget) {
        return one(options, options.send("POST", path("budgets", budget, "kill"), fields(), ""));
    }

    @Command(
            description = "Takes the kill switch back.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin budgets unkill acme-day"})
    int unkill(@Mixin AdminOptions options, @Parameters(paramLabel = "BUDGET", description = "Its id.") String budget) {
        return one(options, options.send("POST", path("budgets", budget, "unkill"), fields(), ""));
    }

    @Command(
            description = "Removes a budget with its counters.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin budgets remove acme-day"})
    int remove(@Mixin AdminOptions options, @Parameters(paramLabel = "BUDGET", description = "Its id.") String budget) {
        return one(options, options.delete(path("budgets", budget)));
    }
}
