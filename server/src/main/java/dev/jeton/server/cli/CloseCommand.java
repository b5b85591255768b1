package dev.jeton.server.cli;

import dev.jeton.accounting.Ledger;
import dev.jeton.accounting.PeriodCommands;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jeton close}. */
@Command(
        name = "close",
        description =
                "Freezes a month or day that has ended: what is about it and comes later becomes a correction. The"
                        + " close is written to the journal in the books' folder, by the server where one runs, so it survives"
                        + " the loss of the ledger.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Example: jeton close 2026-11 --books jeton-books",
            "Exit code 1: it is not closed yet, or cannot be."
        })
final class CloseCommand implements Callable<Integer> {

    /** Of a process that does not answer. */
    static final String ASKED =
            ": the process that uses the journal was asked and has not answered. It does as soon as its"
                    + " ledger is open and it can write to the journal; see its log.";

    @Mixin
    private LedgerOptions options = new LedgerOptions();

    @Parameters(paramLabel = "PERIOD", description = "A month or a day of UTC: 2026-11, 2026-11-20.")
    private String period = "";

    @Option(
            names = "--wait",
            paramLabel = "SECONDS",
            description = "How long to wait for the server and the ledger (default: 60).")
    private int seconds = 60;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        try (Ledger ledger = options.open()) {
            Optional<Path> folder = options.folder().filter(place -> Files.isDirectory(PeriodCommands.journal(place)));
            if (folder.isEmpty()) {
                ledger.close(period, now());
                out.println(period + " is closed, in the ledger only: no journal is in a folder that was named. Name"
                        + " it with --books, so that the close survives the loss of the ledger.");
                out.flush();
                return ExitCode.OK;
            }
            PeriodCommands.Result result = new PeriodCommands(ledger, folder.get(), CloseCommand::now)
                    .close(period, TimeUnit.SECONDS.toNanos(seconds));
            out.println(period
                    + switch (result) {
                        case DONE -> " is closed.";
                        case JOURNALED ->
                            " is closed in the journal; the ledger takes it when a server runs and its database is up.";
                        case ASKED -> " is not closed yet" + ASKED;
                    });
            out.flush();
            return result == PeriodCommands.Result.DONE ? ExitCode.OK : ExitCode.SOFTWARE;
        }
    }

    /** Microseconds since 1970. */
    static long now() {
        return TimeUnit.MILLISECONDS.toMicros(System.currentTimeMillis());
    }
}
