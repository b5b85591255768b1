package dev.jeton.server.cli;

import dev.jeton.models.EngineProvider;
import java.util.ServiceLoader;
import picocli.CommandLine;

/** {@code jeton engines}. */
@CommandLine.Command(
        name = "engines",
        description = "Lists the engines of this distribution, and what keeps any of them from running here.",
        mixinStandardHelpOptions = true,
        footer = {"", "Example: jeton engines"})
final class EnginesCommand implements Runnable {

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec = CommandLine.Model.CommandSpec.create();

    @Override
    public void run() {
        var out = spec.commandLine().getOut();
        for (EngineProvider provider : ServiceLoader.load(EngineProvider.class)) {
            String missing = provider.missing();
            out.printf("%-12s %s%n", provider.name(), missing.isEmpty() ? "ready" : missing);
        }
        out.flush();
    }
}
