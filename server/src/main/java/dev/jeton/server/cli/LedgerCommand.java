package dev.jeton.server.cli;

import dev.jeton.accounting.Ledger;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jeton ledger}: care of the ledger. */
@Command(
        name = "ledger",
        description =
                "Checks, copies, restores, migrates the ledger, erases a tenant's personal data from it, and releases"
                        + " what a server that is gone had of shared budgets.",
        mixinStandardHelpOptions = true,
        footer = {"", "Example: jeton ledger verify --books jeton-books"})
final class LedgerCommand implements Runnable {

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }

    private PrintWriter out() {
        return spec.commandLine().getOut();
    }

    @Command(
            description = "Recomputes what the books must be and says what is wrong.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton ledger verify --books jeton-books", "Exit code 1: something is wrong."})
    int verify(@Mixin LedgerOptions options) {
        try (Ledger ledger = options.open()) {
            List<String> findings = ledger.verify();
            findings.forEach(out()::println);
            if (findings.isEmpty()) {
                out().println("The books balance.");
            }
            out().flush();
            return findings.isEmpty() ? CommandLine.ExitCode.OK : CommandLine.ExitCode.SOFTWARE;
        }
    }

    @Command(
            description = "Writes a copy of an SQLite ledger, also while a server uses it.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton ledger backup --books jeton-books ledger-copy.db"})
    int backup(
            @Mixin LedgerOptions options,
            @Parameters(paramLabel = "FILE", description = "A file that is not there yet.") Path target) {
        try (Ledger ledger = options.open()) {
            ledger.backup(target);
        }
        out().println("Written to " + target);
        out().flush();
        return CommandLine.ExitCode.OK;
    }

    @Command(
            description = "Puts a copy in the place of an SQLite ledger that was lost; the server then brings it up to"
                    + " date from its journal.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton ledger restore --books jeton-books ledger-copy.db"})
    int restore(@Mixin LedgerOptions options, @Parameters(paramLabel = "FILE", description = "The copy.") Path backup) {
        Ledger.restore(options.url(), backup);
        out().println("Restored from " + backup);
        out().flush();
        return CommandLine.ExitCode.OK;
    }

    @Command(
            description = "Brings the ledger's schema up to date; 'serve' does so at its start, too.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton ledger migrate --ledger jdbc:postgresql://db/jeton --pending"})
    int migrate(
            @Mixin LedgerOptions options,
            @Option(names = "--pending", description = "Only say what would be done.") boolean pending) {
        List<String> steps = pending
                ? Ledger.pending(options.url(), options.user(), options.password())
                : Ledger.migrate(options.url(), options.user(), options.password());
        steps.forEach(out()::println);
        if (steps.isEmpty()) {
            out().println("The schema is up to date.");
        }
        out().flush();
        return CommandLine.ExitCode.OK;
    }

    @Command(
            description =
                    "Lets others spend what a server that is gone for good was allotted of shared budgets and did not"
                            + " say that it has spent. One that comes back tells by itself what it has left; do not release that.",
            mixinStandardHelpOptions = true,
            footer = {
                "",
                "Example: jeton ledger release --ledger jdbc:postgresql://db/jeton --node gpu-7",
                "Refused while the server may still spend: for books.lease after it was heard last."
            })
    int release(
            @Mixin LedgerOptions options,
            @Option(names = "--node", required = true, paramLabel = "NAME", description = "The server's books.node.")
                    String node) {
        try (Ledger ledger = options.open()) {
            List<String> released = ledger.release(node);
            released.forEach(line -> out().println("released: " + line));
            if (released.isEmpty()) {
                out().println("The server '%s' has nothing that is not spent.".formatted(node));
            }
        }
        out().flush();
        return CommandLine.ExitCode.OK;
    }

    @Command(
            description = "Erases labels, ids of keys and ids of requests of a tenant. Amounts and totals stay; the"
                    + " journal and copies of the ledger are not touched.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton ledger erase --books jeton-books --tenant search"})
    int erase(
            @Mixin LedgerOptions options,
            @Option(names = "--tenant", required = true, paramLabel = "ID", description = "The tenant.")
                    String tenant) {
        try (Ledger ledger = options.open()) {
            long minuteAgo = TimeUnit.MILLISECONDS.toMicros(System.currentTimeMillis()) - TimeUnit.MINUTES.toMicros(1);
            int erased = ledger.erase(tenant, minuteAgo);
            out().println("%d requests of '%s' lost their ids and labels.".formatted(erased, tenant));
        }
        out().flush();
        return CommandLine.ExitCode.OK;
    }
}
