package dev.jeton.server.cli;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.Invoice;
import dev.jeton.accounting.Ledger;
import dev.jeton.accounting.Period;
import dev.jeton.accounting.Rate;
import dev.jeton.accounting.Reconciliation;
import dev.jeton.accounting.Scope;
import dev.jeton.server.json.JsonWriter;
import java.io.PrintWriter;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code jeton reconcile}. */
@Command(
        name = "reconcile",
        description = {
            "What a cloud provider, a colocation or a utility bills for devices, against what the books hold.",
            "",
            "The invoice is CSV in UTF-8 whose first row names the columns: device,from,to,amount,currency and, if you"
                    + " like, charge; or FOCUS: ResourceId or ResourceName, ChargePeriodStart, ChargePeriodEnd, BilledCost or"
                    + " EffectiveCost, BillingCurrency. Other columns are not read. An end is the moment after the last; a"
                    + " credit is negative.",
            ""
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footer = {
            "",
            "Example: jeton reconcile --books jeton-books --invoice november.csv --period 2026-11 --device i-0abc=cpu",
            "         jeton reconcile --books jeton-books --invoice focus.csv --map amount=EffectiveCost --ignore-others",
            "Exit code 0: all agrees; 1: something does not; 2: nothing could be compared."
        })
final class ReconcileCommand implements Callable<Integer> {

    private static final BigDecimal MICROS_PER_HOUR = BigDecimal.valueOf(3_600_000_000L);
    private static final BigDecimal NANOS_PER_HOUR = BigDecimal.valueOf(3_600_000_000_000L);
    private static final int DECIMALS = 3;

    @Mixin
    private QuestionOptions question = new QuestionOptions();

    @Option(names = "--invoice", required = true, paramLabel = "FILE", description = "The invoice, CSV.")
    private Path invoice = Path.of("");

    @Option(
            names = "--device",
            paramLabel = "RESOURCE=DEVICE",
            description = "What the invoice's name is in the books: a device group, or NODE/DEVICE. Repeatable; several"
                    + " resources may be one device.")
    private Map<String, String> devices = new LinkedHashMap<>();

    @Option(
            names = "--map",
            paramLabel = "FIELD=COLUMN",
            description = "Which column is device, from, to, amount, currency or charge. Repeatable.")
    private Map<Invoice.Field, String> columns = new LinkedHashMap<>();

    @Option(
            names = "--by",
            paramLabel = "SPAN",
            description = "day, month or all: how lines of a device are added up (default: month).")
    private Reconciliation.Span span = Reconciliation.Span.MONTH;

    @Option(names = "--tolerance", paramLabel = "PERCENT", description = "How far they may be apart (default: 1).")
    private String tolerance = "1";

    @Option(
            names = "--ignore-others",
            description = "Do not mind lines for what is no device of the books; their sum is shown.")
    private boolean others = false;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** The tolerance as a number. */
    private BigDecimal within = BigDecimal.ONE;

    @Override
    public Integer call() {
        Reconciliation result;
        try (Ledger open = question.open()) {
            within = Rate.of(tolerance).decimal();
            result = open.reports()
                    .reconcile(
                            Scope.OPERATOR,
                            Invoice.load(invoice, columns),
                            new Reconciliation.Question(question.time().named(), span, devices));
        } catch (AccountingException e) {
            // Not 1: that is what a comparison says.
            spec.commandLine().getErr().println("jeton: " + e.getMessage());
            spec.commandLine().getErr().flush();
            return ExitCode.USAGE;
        }
        question.write(
                spec.commandLine().getOut(), out -> table(out, result), out -> csv(out, result), () -> json(result));
        return result.agrees(within, others) ? ExitCode.OK : ExitCode.SOFTWARE;
    }

    private void table(PrintWriter out, Reconciliation result) {
        out.println("Invoice and books in " + result.currency() + ", difference: books less invoice.");
        out.println();
        Table.of("device", "from", "to", "lines", "invoiced", "booked", "difference", "percent", "per hour", "agrees")
                .plus(result.compared().stream()
                        .map(item -> List.of(
                                name(item),
                                Period.text(item.period().from()),
                                Period.text(item.period().until()),
                                String.valueOf(item.lines()),
                                plain(item.invoiced()),
                                plain(item.booked()),
                                plain(item.difference()),
                                item.percent().map(BigDecimal::toPlainString).orElse("-"),
                                item.perHour().map(ReconcileCommand::plain).orElse("-"),
                                item.agrees(within) ? "yes" : "NO"))
                        .toList())
                .align(out);
        out.println();
        for (Reconciliation.Compared item : result.compared()) {
            notes(item).forEach(out::println);
        }
        for (Reconciliation.Unknown item : result.unknown()) {
            out.println("'%s' is no device of the books: %d lines, %s%s"
                    .formatted(
                            item.resource(),
                            item.lines(),
                            plain(item.invoiced()),
                            others ? " (ignored)" : "; name it with --device, or give --ignore-others"));
        }
        if (result.outside() > 0) {
            out.println("%d lines of the invoice are about another time and are left out.".formatted(result.outside()));
        }
        out.println(
                result.agrees(within, others)
                        ? "All agrees within %s%%.".formatted(within.toPlainString())
                        : "Not all agrees within %s%%.".formatted(within.toPlainString()));
    }

    /** What the columns do not say. */
    private List<String> notes(Reconciliation.Compared item) {
        List<String> notes = new ArrayList<>();
        String what =
                "%s from %s: ".formatted(name(item), Period.text(item.period().from()));
        if (item.lines() == 0) {
            notes.add(what + "in the books, not in the invoice: %s".formatted(plain(item.missing())));
        } else if (item.missingHours() > 0) {
            notes.add(what
                    + "%d hours in the books that no line bills: %s"
                            .formatted(item.missingHours(), plain(item.missing())));
        }
        if (item.twice() > 0) {
            notes.add(what
                    + "%d lines bill what a line before them bills for the same time: lines %s"
                            .formatted(item.twice(), overlaps(item)));
        }
        if (item.lines() > 0 && item.booked().signum() == 0) {
            notes.add(what + "in the invoice, nothing in the books");
        }
        if (!item.agrees(within) && item.ratio().isPresent() && item.lines() > 0) {
            notes.add(what
                    + ("%s hours are billed, %s were metered; to agree, multiply the device's price by %s (for rent:"
                                    + " %s an hour)")
                            .formatted(
                                    hours(BigDecimal.valueOf(item.billedMicros()), MICROS_PER_HOUR),
                                    hours(BigDecimal.valueOf(item.meteredNanos()), NANOS_PER_HOUR),
                                    plain(item.ratio().get()),
                                    item.perHour().map(ReconcileCommand::plain).orElse("-")));
        }
        return notes;
    }

    private static String overlaps(Reconciliation.Compared item) {
        return item.overlaps().stream()
                        .map(overlap -> overlap.first() + " and " + overlap.second())
                        .collect(Collectors.joining(", "))
                + (item.twice() > item.overlaps().size() ? ", ..." : "");
    }

    private static String name(Reconciliation.Compared item) {
        return item.node() + "/" + item.device();
    }

    private static String plain(BigDecimal amount) {
        return amount.signum() == 0 ? "0" : amount.stripTrailingZeros().toPlainString();
    }

    private static String hours(BigDecimal time, BigDecimal unit) {
        return plain(time.divide(unit, DECIMALS, RoundingMode.HALF_EVEN));
    }

    private void csv(PrintWriter out, Reconciliation result) {
        Table.of(
                        "what",
                        "name",
                        "from",
                        "to",
                        "lines",
                        "invoiced",
                        "booked",
                        "difference",
                        "percent",
                        "ratio",
                        "per_hour",
                        "billed_hours",
                        "metered_hours",
                        "missing_hours",
                        "missing",
                        "billed_twice",
                        "agrees")
                .plus(result.compared().stream().map(this::cells).toList())
                .plus(result.unknown().stream()
                        .map(item -> List.of(
                                "unknown",
                                item.resource(),
                                "",
                                "",
                                String.valueOf(item.lines()),
                                plain(item.invoiced()),
                                "",
                                "",
                                "",
                                "",
                                "",
                                "",
                                "",
                                "",
                                "",
                                "",
                                String.valueOf(others || item.invoiced().signum() == 0)))
                        .toList())
                .csv(out);
    }

    private List<String> cells(Reconciliation.Compared item) {
        return List.of(
                "device",
                name(item),
                Period.text(item.period().from()),
                Period.text(item.period().until()),
                String.valueOf(item.lines()),
                plain(item.invoiced()),
                plain(item.booked()),
                plain(item.difference()),
                item.percent().map(BigDecimal::toPlainString).orElse(""),
                item.ratio().map(ReconcileCommand::plain).orElse(""),
                item.perHour().map(ReconcileCommand::plain).orElse(""),
                hours(BigDecimal.valueOf(item.billedMicros()), MICROS_PER_HOUR),
                hours(BigDecimal.valueOf(item.meteredNanos()), NANOS_PER_HOUR),
                String.valueOf(item.missingHours()),
                plain(item.missing()),
                String.valueOf(item.twice()),
                String.valueOf(item.agrees(within)));
    }

    private JsonWriter json(Reconciliation result) {
        JsonWriter json = new JsonWriter();
        json.beginObject().name("currency").value(result.currency().getCurrencyCode());
        json.name("agrees").value(result.agrees(within, others));
        json.name("lines_outside").value(result.outside()).name("devices").beginArray();
        for (Reconciliation.Compared item : result.compared()) {
            json.beginObject().name("node").value(item.node()).name("device").value(item.device());
            json.name("from").value(Period.text(item.period().from()));
            json.name("to").value(Period.text(item.period().until()));
            json.name("lines").value(item.lines());
            json.name("invoiced").value(plain(item.invoiced()));
            json.name("booked").value(plain(item.booked()));
            json.name("difference").value(plain(item.difference()));
            optional(json, "percent", item.percent());
            optional(json, "ratio", item.ratio());
            optional(json, "per_hour", item.perHour());
            json.name("billed_hours").value(hours(BigDecimal.valueOf(item.billedMicros()), MICROS_PER_HOUR));
            json.name("metered_hours").value(hours(BigDecimal.valueOf(item.meteredNanos()), NANOS_PER_HOUR));
            json.name("missing_hours").value(item.missingHours());
            json.name("missing").value(plain(item.missing()));
            json.name("billed_twice").value(item.twice()).name("overlaps").beginArray();
            for (Reconciliation.Overlap overlap : item.overlaps()) {
                json.beginArray().value(overlap.first()).value(overlap.second()).endArray();
            }
            json.endArray().name("agrees").value(item.agrees(within)).endObject();
        }
        json.endArray().name("unknown").beginArray();
        for (Reconciliation.Unknown item : result.unknown()) {
            json.beginObject().name("resource").value(item.resource());
            json.name("lines").value(item.lines());
            json.name("invoiced").value(plain(item.invoiced())).endObject();
        }
        return json.endArray().endObject();
    }

    private static void optional(JsonWriter json, String name, Optional<BigDecimal> value) {
        value.ifPresent(number -> json.name(name).value(plain(number)));
    }
}
