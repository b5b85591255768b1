package dev.jeton.server.cli;

import dev.jeton.accounting.FocusExport;
import dev.jeton.accounting.FocusHours;
import dev.jeton.accounting.Ledger;
import dev.jeton.accounting.PriceBook;
import dev.jeton.accounting.Scope;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code jeton export}. */
@Command(
        name = "export",
        description = "Exports the books in formats that finance reads.",
        mixinStandardHelpOptions = true,
        footer = {"", "Example: jeton export focus --books jeton-books --period 2026-11 --out focus.csv"})
final class ExportCommand implements Runnable {

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }

    @Command(
            description =
                    "FOCUS 1.2, the FinOps cost and usage specification, as CSV: hourly rows whose BilledCost sums"
                            + " to the ledger's.",
            mixinStandardHelpOptions = true,
            sortOptions = false,
            footer = {
                "",
                "Example: jeton export focus --books jeton-books --basis list --period 2026-11 --out focus.csv"
            })
    int focus(
            @Mixin LedgerOptions options,
            @Mixin TimeOptions time,
            @Option(
                            names = "--basis",
                            paramLabel = "BASIS",
                            defaultValue = "LIST",
                            description =
                                    "What the cost columns hold: list (what tenants owe by the price list) or metered"
                                            + " (what the devices cost). Default: list.")
                    FocusExport.Basis basis,
            @Option(names = "--tenant", paramLabel = "ID", defaultValue = "", description = "Only this tenant's rows.")
                    String tenant,
            @Option(
                            names = "--account",
                            paramLabel = "ID",
                            defaultValue = "jeton",
                            description = "Billing account (default: jeton).")
                    String account,
            @Option(
                            names = "--provider",
                            paramLabel = "NAME",
                            defaultValue = "Jeton",
                            description = "Who provides and bills (default: Jeton).")
                    String provider,
            @Option(names = "--out", paramLabel = "FILE", description = "Where to (default: standard output).")
                    Optional<Path> file)
            throws IOException {
        FocusExport.Issuer issuer = new FocusExport.Issuer(account, account, provider, "LLM inference");
        Scope scope = tenant.isEmpty() ? Scope.OPERATOR : new Scope.Tenant(tenant);
        try (Ledger ledger = options.open()) {
            if (file.isEmpty()) {
                PrintWriter out = spec.commandLine().getOut();
                write(ledger, scope, time, basis, issuer, out);
                out.flush();
                return 0;
            }
            try (BufferedWriter out = Files.newBufferedWriter(file.get())) {
                FocusExport export = write(ledger, scope, time, basis, issuer, out);
                spec.commandLine()
                        .getErr()
                        .println("%s: BilledCost sums to %s"
                                .formatted(
                                        file.get(),
                                        export.billed().stripTrailingZeros().toPlainString()));
                spec.commandLine().getErr().flush();
            }
        }
        return 0;
    }

    private static FocusExport write(
            Ledger ledger,
            Scope scope,
            TimeOptions time,
            FocusExport.Basis basis,
            FocusExport.Issuer issuer,
            Writer out) {
        Map<String, PriceBook> books = new TreeMap<>();
        FocusExport export = new FocusExport(
                basis,
                FocusExport.Reader.OPERATOR,
                issuer,
                version -> books.computeIfAbsent(
                        version, missing -> PriceBook.parse("price book " + missing, ledger.priceBook(missing))),
                out);
        FocusHours hours = new FocusHours(ledger.reports(), scope, time.from(), time.to());
        while (hours.next(export)) {
            // An hour at a time.
        }
        export.finish();
        return export;
    }
}
