package dev.jeton.server.cli;

import dev.jeton.accounting.Ledger;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jeton close}. */
@Command(
        name = "close",
        description = "Freezes a month or day that has ended: what is about it and comes later becomes a correction.",
        mixinStandardHelpOptions = true,
        footer = {"", "Example: jeton close 2026-11 --books jeton-books"})
final class CloseCommand implements Callable<Integer> {

    @Mixin
    private LedgerOptions options = new LedgerOptions();

    @Parameters(paramLabel = "PERIOD", description = "A month or a day of UTC: 2026-11, 2026-11-20.")
    private String period = "";

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
        try (Ledger ledger = options.open()) {
            ledger.close(period, TimeUnit.MILLISECONDS.toMicros(System.currentTimeMillis()));
        }
        spec.commandLine().getOut().println(period + " is closed.");
        spec.commandLine().getOut().flush();
        return 0;
    }
}
