package dev.jeton.server.cli;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.Ledger;
import dev.jeton.accounting.PeriodCommands;
import dev.jeton.accounting.PriceBook;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jeton recost}. */
@Command(
        name = "recost",
        description =
                "Books what a month or day that has ended cost by another price book: what was metered by the old prices is"
                        + " reversed and divided anew, as corrections where the period is closed. Nothing that is stored"
                        + " is changed. It is written to the journal in the books' folder, by the server where one runs, so"
                        + " it survives the loss of the ledger. List prices stay what callers were told. 'jeton reprice'"
                        + " shows beforehand what would come of it.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Example: jeton recost 2026-11 --prices corrected.yaml --books jeton-books",
            "         jeton recost 2026-11 --prices 0123456789abcdef --books jeton-books",
            "Exit code 1: it is not booked yet, or cannot be."
        })
final class RecostCommand implements Callable<Integer> {

    @Mixin
    private LedgerOptions options = new LedgerOptions();

    @Parameters(paramLabel = "PERIOD", description = "A month or a day of UTC: 2026-11, 2026-11-20.")
    private String period = "";

    @Option(
            names = "--prices",
            required = true,
            paramLabel = "BOOK",
            description = "The other price book: a file, or the version of one that was in force.")
    private String prices = "";

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
        Path folder = options.folder()
                .filter(place -> Files.isDirectory(PeriodCommands.journal(place)))
                .orElseThrow(
                        () -> new AccountingException(
                                "no journal is in a folder that was named, and other prices must"
                                        + " be in the journal to survive the loss of the ledger; name the books' folder with --books"));
        try (Ledger ledger = options.open()) {
            PeriodCommands commands = new PeriodCommands(ledger, folder, CloseCommand::now);
            PriceBook book =
                    Files.isRegularFile(Path.of(prices)) ? PriceBook.load(Path.of(prices)) : commands.priceBook(prices);
            PeriodCommands.Result result = commands.recost(period, book, TimeUnit.SECONDS.toNanos(seconds));
            out.println("%s %s price book %s%s"
                    .formatted(
                            period,
                            result == PeriodCommands.Result.ASKED ? "is not costed yet by" : "is costed by",
                            book.version(),
                            switch (result) {
                                case DONE -> ".";
                                case JOURNALED ->
                                    " in the journal; the ledger takes it when a server runs and its database is up.";
                                case ASKED -> CloseCommand.ASKED;
                            }));
            out.flush();
            return result == PeriodCommands.Result.DONE ? ExitCode.OK : ExitCode.SOFTWARE;
        }
    }
}
