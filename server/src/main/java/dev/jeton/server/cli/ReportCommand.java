package dev.jeton.server.cli;

import dev.jeton.accounting.Filter;
import dev.jeton.accounting.Ledger;
import dev.jeton.accounting.Scope;
import dev.jeton.accounting.Total;
import dev.jeton.server.json.JsonWriter;
import dev.jeton.server.reports.Audience;
import dev.jeton.server.reports.Report;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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
            "         jeton report --books jeton-books --by label:team --format csv",
            "         jeton report --books jeton-books --by prompt_version --tenant acme"
        })
final class ReportCommand implements Callable<Integer> {

    @Mixin
    private QuestionOptions question = new QuestionOptions();

    @Option(
            names = "--by",
            paramLabel = "WHAT",
            description = {
                "tenant, project, key, model, hour, work, price_book, task, prompt_version, route, context_bucket or",
                "label:NAME (default: tenant)."
            })
    private String by = "tenant";

    @Option(names = "--tenant", paramLabel = "ID", description = "Only this tenant, as it may see its own bill.")
    private String tenant = "";

    @Option(names = "--model", paramLabel = "NAME", description = "Only this model.")
    private String model = "";

    @Option(names = "--label", paramLabel = "NAME=VALUE", description = "Only requests with this label. Repeatable.")
    private Map<String, String> labels = new LinkedHashMap<>();

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        Scope scope = tenant.isEmpty() ? Scope.OPERATOR : new Scope.Tenant(tenant);
        Audience audience = tenant.isEmpty() ? Audience.OPERATOR : Audience.OPERATOR_OF_ONE;
        Filter filter = new Filter("", "", "", model, labels);
        try (Ledger open = question.open()) {
            Report report = Report.of(
                    open.reports(),
                    scope,
                    audience,
                    question.time().span(),
                    filter,
                    by,
                    Optional.empty(),
                    Integer.MAX_VALUE);
            question.write(out, to -> table(to, report), to -> to.print(report.csv()), () -> json(report));
        }
        return 0;
    }

    private static JsonWriter json(Report report) {
        JsonWriter json = new JsonWriter().beginObject();
        report.write(json);
        return json.endObject();
    }

    private static void table(PrintWriter out, Report report) {
        if (report.totals().isEmpty()) {
            out.println("Nothing was booked in that time.");
        }
        List<List<String>> rows = new ArrayList<>();
        List<Integer> telling = report.telling();
        rows.add(row(report.by(), pick(report.columns(), telling)));
        for (Total total : report.totals()) {
            rows.add(row(total.group().isEmpty() ? "(none)" : total.group(), pick(report.cells(total), telling)));
        }
        new Table(rows).align(out);
        out.println();
        Table.of("waste", "device_s", "money", "who pays").plus(report.wasted()).align(out);
    }

    private static List<String> pick(List<String> all, List<Integer> places) {
        return places.stream().map(all::get).toList();
    }

    private static List<String> row(String first, List<String> others) {
        List<String> row = new ArrayList<>(List.of(first));
        row.addAll(others);
        return row;
    }
}
