package dev.jeton.server.cli;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.Filter;
import dev.jeton.accounting.Grouping;
import dev.jeton.accounting.Grouping.Dimension;
import dev.jeton.accounting.Ledger;
import dev.jeton.accounting.Money;
import dev.jeton.accounting.Reports;
import dev.jeton.accounting.Scope;
import dev.jeton.accounting.Total;
import dev.jeton.accounting.Waste;
import dev.jeton.server.json.JsonWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code jeton report}. */
@Command(
        name = "report",
        description = "What was used, what it cost and what of it was wasted, from the ledger.",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footer = {
            "",
            "Example: jeton report --books jeton-books --by tenant --period 2026-11",
            "         jeton report --books jeton-books --by label:team --format csv"
        })
final class ReportCommand implements Callable<Integer> {

    private static final double MILLIS = 1e6;
    private static final double SECONDS = 1e9;
    private static final List<String> COLUMNS = List.of(
            "requests",
            "failed",
            "input",
            "cached",
            "output",
            "device_s",
            "list",
            "metered",
            "margin",
            "house",
            "joules",
            "p95_ms");

    @Mixin
    private LedgerOptions ledger = new LedgerOptions();

    @Mixin
    private TimeOptions time = new TimeOptions();

    @Option(
            names = "--by",
            paramLabel = "WHAT",
            description = "tenant, project, key, model, hour, price_book or label:NAME (default: tenant).")
    private String by = "tenant";

    @Option(names = "--tenant", paramLabel = "ID", description = "Only this tenant, as it may see its own bill.")
    private String tenant = "";

    @Option(names = "--model", paramLabel = "NAME", description = "Only this model.")
    private String model = "";

    @Option(names = "--label", paramLabel = "NAME=VALUE", description = "Only requests with this label. Repeatable.")
    private Map<String, String> labels = new LinkedHashMap<>();

    @Option(names = "--format", paramLabel = "FORMAT", description = "table, csv or json (default: table).")
    private Table.Format format = Table.Format.TABLE;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        Scope scope = tenant.isEmpty() ? Scope.OPERATOR : new Scope.Tenant(tenant);
        Filter filter = new Filter("", "", "", model, labels);
        try (Ledger open = ledger.open()) {
            Reports reports = open.reports();
            List<Total> totals = reports.totals(scope, time.from(), time.to(), filter, grouping());
            Waste waste = reports.waste(scope, time.from(), time.to(), filter);
            switch (format) {
                case TABLE -> table(out, totals, waste);
                case CSV -> rows(by.replace(':', '_'), "", totals).csv(out);
                case JSON -> out.println(new String(json(totals, waste).toBytes(), StandardCharsets.UTF_8));
            }
        }
        out.flush();
        return 0;
    }

    private Grouping grouping() {
        if (by.startsWith("label:") && by.length() > "label:".length()) {
            return new Grouping.ByLabel(by.substring("label:".length()));
        }
        try {
            return new Grouping.By(Dimension.valueOf(by.toUpperCase(Locale.ROOT)));
        } catch (IllegalArgumentException e) {
            throw new AccountingException(
                    "there is no report by '%s': tenant, project, key, model, hour, price_book or label:NAME is expected"
                            .formatted(by));
        }
    }

    private static List<String> cells(Total total) {
        return List.of(
                String.valueOf(total.requests()),
                String.valueOf(total.failed() + total.cancelled()),
                String.valueOf(total.tokens().input()),
                String.valueOf(total.tokens().cached()),
                String.valueOf(total.tokens().output()),
                fixed(total.payable() / SECONDS),
                Money.text(total.list()),
                Money.text(total.metered()),
                Money.text(total.margin()),
                Money.text(total.houseMoney()),
                fixed(total.microjoules() / 1e6),
                fixed(total.p95Nanos() / MILLIS));
    }

    private static String fixed(double value) {
        return String.format(Locale.ROOT, "%.3f", value);
    }

    private void table(PrintWriter out, List<Total> totals, Waste waste) {
        if (totals.isEmpty()) {
            out.println("Nothing was booked in that time.");
        }
        rows(by, "(none)", totals).align(out);
        out.println();
        List<List<String>> lost = new ArrayList<>();
        parts(waste)
                .forEach((name, part) ->
                        lost.add(List.of(name, fixed(part.nanos() / SECONDS), Money.text(part.money()), payer(name))));
        Table.of("waste", "device_s", "money", "who pays").plus(lost).align(out);
    }

    private static Table rows(String group, String none, List<Total> totals) {
        List<List<String>> rows = new ArrayList<>();
        List<String> head = new ArrayList<>(List.of(group));
        head.addAll(COLUMNS);
        rows.add(head);
        for (Total total : totals) {
            List<String> row = new ArrayList<>(List.of(total.group().isEmpty() ? none : total.group()));
            row.addAll(cells(total));
            rows.add(row);
        }
        return new Table(rows);
    }

    private Map<String, Waste.Part> parts(Waste waste) {
        Map<String, Waste.Part> parts = new LinkedHashMap<>();
        parts.put("recomputed", waste.recompute());
        parts.put("overrun", waste.overrun());
        parts.put("house", waste.house());
        parts.put("cancelled", waste.cancelled());
        parts.put("failed", waste.failed());
        if (tenant.isEmpty()) {
            parts.put("idle", waste.idle());
            parts.put("overhead", waste.overhead());
        }
        return parts;
    }

    private static String payer(String part) {
        return switch (part) {
            case "cancelled", "failed" -> "tenant";
            case "idle", "overhead" -> "operator";
            default -> "house";
        };
    }

    private JsonWriter json(List<Total> totals, Waste waste) {
        JsonWriter json = new JsonWriter();
        json.beginObject().name("by").value(by).name("rows").beginArray();
        for (Total total : totals) {
            json.beginObject().name("group").value(total.group());
            List<String> cells = cells(total);
            for (int i = 0; i < COLUMNS.size(); i++) {
                json.name(COLUMNS.get(i));
                if (COLUMNS.get(i).matches("list|metered|margin|house")) {
                    json.value(cells.get(i));
                } else if (cells.get(i).indexOf('.') < 0) {
                    json.value(Long.parseLong(cells.get(i)));
                } else {
                    json.value(Double.parseDouble(cells.get(i)));
                }
            }
            json.endObject();
        }
        json.endArray().name("waste").beginObject();
        parts(waste)
                .forEach((name, part) -> json.name(name)
                        .beginObject()
                        .name("device_s")
                        .value(part.nanos() / SECONDS)
                        .name("money")
                        .value(Money.text(part.money()))
                        .endObject());
        return json.endObject().endObject();
    }
}
