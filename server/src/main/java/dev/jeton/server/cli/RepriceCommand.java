package dev.jeton.server.cli;

import dev.jeton.accounting.Ledger;
import dev.jeton.accounting.Money;
import dev.jeton.accounting.PriceBook;
import dev.jeton.accounting.Repriced;
import dev.jeton.accounting.Scope;
import dev.jeton.server.json.JsonWriter;
import java.io.PrintWriter;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code jeton reprice}. */
@Command(
        name = "reprice",
        description =
                "What a time would have cost by another price book, beside what was booked. Writes nothing; a closed"
                        + " period stays closed.",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footer = {
            "",
            "Example: jeton reprice --books jeton-books --prices next-year.yaml --period 2026-11",
            "         jeton reprice --books jeton-books --prices next-year.yaml --tenant search --format csv"
        })
final class RepriceCommand implements Callable<Integer> {

    private static final BigDecimal NANOS_PER_HOUR = BigDecimal.valueOf(3_600_000_000_000L);
    private static final BigDecimal MICROJOULES_PER_KWH = BigDecimal.valueOf(3_600_000_000_000L);
    private static final int DECIMALS = 3;

    @Mixin
    private QuestionOptions question = new QuestionOptions();

    @Option(names = "--prices", required = true, paramLabel = "FILE", description = "The other price book, YAML.")
    private Path prices = Path.of("");

    @Option(names = "--tenant", paramLabel = "ID", description = "Only this tenant.")
    private String tenant = "";

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        PriceBook other = PriceBook.load(prices);
        Scope scope = tenant.isEmpty() ? Scope.OPERATOR : new Scope.Tenant(tenant);
        try (Ledger open = question.open()) {
            Repriced repriced = open.reports()
                    .reprice(scope, question.time().from(), question.time().to(), other);
            question.write(out, to -> table(to, repriced), to -> csv(to, repriced), () -> json(repriced));
            if (repriced.unexplained() > 0) {
                spec.commandLine()
                        .getErr()
                        .println(("%d requests have list money that their own price book does not account for; they are"
                                        + " repriced as plain requests")
                                .formatted(repriced.unexplained()));
                spec.commandLine().getErr().flush();
            }
        }
        return ExitCode.OK;
    }

    private static void table(PrintWriter out, Repriced repriced) {
        out.println("In %s, as booked and by price book %s. Nothing is stored."
                .formatted(repriced.currency(), repriced.priceBook()));
        out.println();
        if (repriced.usage().isEmpty() && repriced.devices().isEmpty()) {
            out.println("Nothing was booked in that time.");
            return;
        }
        List<List<String>> rows = new ArrayList<>();
        for (Repriced.Usage usage : repriced.usage()) {
            rows.add(usage(usage.tenant(), model(usage), usage));
        }
        rows.add(usage("all", "", repriced.total()));
        Table.of(
                        "tenant",
                        "model",
                        "requests",
                        "list",
                        "other",
                        "diff",
                        "egress",
                        "other",
                        "diff",
                        "metered",
                        "other",
                        "diff")
                .plus(rows)
                .align(out);
        if (repriced.devices().isEmpty()) {
            return;
        }
        out.println();
        List<List<String>> own = new ArrayList<>();
        repriced.own().forEach((account, amounts) -> {
            List<String> row = new ArrayList<>(List.of(account.name().toLowerCase(Locale.ROOT)));
            row.addAll(cells(amounts));
            own.add(row);
        });
        Table.of("of nobody's requests", "metered", "other", "diff").plus(own).align(out);
        out.println();
        Table.of("device", "hours", "kwh", "cost", "other", "diff", "other capital", "other energy")
                .plus(repriced.devices().stream().map(RepriceCommand::device).toList())
                .align(out);
    }

    private static String model(Repriced.Usage usage) {
        return usage.model().isEmpty() ? "(reserved)" : usage.model();
    }

    private static List<String> usage(String name, String model, Repriced.Usage usage) {
        List<String> row = new ArrayList<>(List.of(name, model, String.valueOf(usage.requests())));
        row.addAll(cells(usage.list()));
        row.addAll(cells(usage.egress()));
        row.addAll(cells(usage.metered()));
        return row;
    }

    private static List<String> cells(Repriced.Amounts amounts) {
        return List.of(Money.text(amounts.booked()), Money.text(amounts.other()), Money.text(amounts.difference()));
    }

    private static String name(Repriced.Device device) {
        return device.node() + "/" + device.device();
    }

    private static List<String> device(Repriced.Device device) {
        List<String> row = new ArrayList<>(List.of(
                name(device), per(device.nanos(), NANOS_PER_HOUR), per(device.microjoules(), MICROJOULES_PER_KWH)));
        row.addAll(cells(device.cost()));
        row.add(Money.text(device.capital()));
        row.add(Money.text(device.energy()));
        return row;
    }

    private static String per(long amount, BigDecimal unit) {
        return BigDecimal.valueOf(amount)
                .divide(unit, DECIMALS, RoundingMode.HALF_EVEN)
                .toPlainString();
    }

    /** One table: metered money of tenants and of nobody sums to that of the devices. */
    private static void csv(PrintWriter out, Repriced repriced) {
        List<List<String>> rows = new ArrayList<>();
        for (Repriced.Usage usage : repriced.usage()) {
            List<String> row = new ArrayList<>(List.of("tenant"));
            row.addAll(usage(usage.tenant(), usage.model(), usage));
            rows.add(row);
        }
        repriced.own()
                .forEach((account, amounts) -> rows.add(metered(account.name().toLowerCase(Locale.ROOT), "", amounts)));
        repriced.devices().forEach(device -> rows.add(metered("device", name(device), device.cost())));
        Table.of(
                        "what",
                        "name",
                        "model",
                        "requests",
                        "list",
                        "list_other",
                        "list_diff",
                        "egress",
                        "egress_other",
                        "egress_diff",
                        "metered",
                        "metered_other",
                        "metered_diff")
                .plus(rows)
                .csv(out);
    }

    private static List<String> metered(String what, String name, Repriced.Amounts amounts) {
        List<String> row = new ArrayList<>(List.of(what, name, "", "", "", "", "", "", "", ""));
        row.addAll(cells(amounts));
        return row;
    }

    private static JsonWriter json(Repriced repriced) {
        JsonWriter json = new JsonWriter();
        json.beginObject()
                .name("price_book")
                .value(repriced.priceBook())
                .name("currency")
                .value(repriced.currency().getCurrencyCode())
                .name("unexplained_requests")
                .value(repriced.unexplained())
                .name("usage")
                .beginArray();
        for (Repriced.Usage usage : repriced.usage()) {
            json.beginObject()
                    .name("tenant")
                    .value(usage.tenant())
                    .name("model")
                    .value(usage.model())
                    .name("requests")
                    .value(usage.requests());
            amounts(json.name("list"), usage.list());
            amounts(json.name("egress"), usage.egress());
            amounts(json.name("metered"), usage.metered()).endObject();
        }
        json.endArray().name("own").beginObject();
        repriced.own()
                .forEach((account, amounts) -> amounts(json.name(account.name().toLowerCase(Locale.ROOT)), amounts));
        json.endObject().name("devices").beginArray();
        for (Repriced.Device device : repriced.devices()) {
            json.beginObject()
                    .name("node")
                    .value(device.node())
                    .name("device")
                    .value(device.device())
                    .name("nanos")
                    .value(device.nanos())
                    .name("microjoules")
                    .value(device.microjoules());
            amounts(json.name("cost"), device.cost())
                    .name("other_capital")
                    .value(Money.text(device.capital()))
                    .name("other_energy")
                    .value(Money.text(device.energy()))
                    .endObject();
        }
        return json.endArray().endObject();
    }

    private static JsonWriter amounts(JsonWriter json, Repriced.Amounts amounts) {
        return json.beginObject()
                .name("booked")
                .value(Money.text(amounts.booked()))
                .name("other")
                .value(Money.text(amounts.other()))
                .name("difference")
                .value(Money.text(amounts.difference()))
                .endObject();
    }
}
