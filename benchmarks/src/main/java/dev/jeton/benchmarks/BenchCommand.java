package dev.jeton.benchmarks;

import dev.jeton.server.Command;
import picocli.CommandLine;

/** {@code jeton bench}: measures servers and makes what is needed for it. */
@CommandLine.Command(
        name = "bench",
        description = "Measures this or any other server that speaks the OpenAI API.",
        subcommands = {
            BenchServeCommand.class,
            BenchEnginesCommand.class,
            BenchBooksCommand.class,
            BenchFrontCommand.class,
            MakeModelCommand.class
        },
        mixinStandardHelpOptions = true,
        footer = {"", "Example: jeton bench serve --url http://localhost:8000/v1 --concurrency 8 --requests 64"})
public final class BenchCommand implements Command {

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec = CommandLine.Model.CommandSpec.create();

    /** For the service loader. */
    public BenchCommand() {}

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getOut());
        return CommandLine.ExitCode.USAGE;
    }
}
