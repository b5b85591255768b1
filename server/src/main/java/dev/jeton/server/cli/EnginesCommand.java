package dev.jeton.server.cli;

import dev.jeton.models.EngineProvider;
import dev.jeton.models.EngineSupport;
import dev.jeton.models.Engines;
import dev.jeton.models.ModelFolders;
import dev.jeton.models.engine.Capability;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;

/** {@code jeton engines}. */
@CommandLine.Command(
        name = "engines",
        description =
                "Lists the engines of this distribution in the order in which they are preferred: what keeps any of"
                        + " them from running here, what they run on, read and can do.",
        mixinStandardHelpOptions = true,
        footer = {"", "Example: jeton engines --model path/to/model"})
final class EnginesCommand implements Runnable {

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec = CommandLine.Model.CommandSpec.create();

    @CommandLine.Option(
            names = "--model",
            paramLabel = "MODEL",
            description = "Say which of them read this model, and why the others do not.")
    private @Nullable String model;

    private final Engines engines;

    EnginesCommand() {
        this(Engines.found());
    }

    EnginesCommand(Engines engines) {
        this.engines = engines;
    }

    @Override
    public void run() {
        PrintWriter out = spec.commandLine().getOut();
        Optional<Path> folder = Optional.ofNullable(model)
                .map(ModelFolders.of(System.getenv(), Path.of(System.getProperty("user.home", ".")))::resolve);
        for (EngineProvider provider : engines.providers()) {
            String missing = provider.missing();
            out.printf("%-8s %s%n", provider.name(), missing.isEmpty() ? "ready" : "missing: " + missing);
            EngineSupport support = provider.support();
            line(out, "device", support.device());
            line(out, "reads", String.join(", ", support.formats()));
            line(out, "quantize", String.join(", ", support.quantizations()));
            line(
                    out,
                    "can",
                    support.capabilities().stream()
                            .sorted()
                            .map(EnginesCommand::words)
                            .collect(Collectors.joining(", ")));
            folder.map(provider::refusal)
                    .ifPresent(refusal -> line(out, "model", refusal.isEmpty() ? "reads it" : "no: " + refusal));
        }
        out.flush();
    }

    private static void line(PrintWriter out, String what, String value) {
        if (!value.isEmpty()) {
            out.printf("         %-9s %s%n", what, value);
        }
    }

    private static String words(Capability capability) {
        return capability.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
}
