package dev.jeton.server.cli;

import dev.jeton.server.Version;
import picocli.CommandLine;

/** {@code jeton version}. */
@CommandLine.Command(
        name = "version",
        description = "Prints the version.",
        mixinStandardHelpOptions = true,
        footer = {"", "Example: jeton version"})
final class VersionCommand implements Runnable, CommandLine.IVersionProvider {

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec = CommandLine.Model.CommandSpec.create();

    @Override
    public String[] getVersion() {
        return new String[] {"jeton " + Version.text() + ", Java " + Runtime.version()};
    }

    @Override
    public void run() {
        spec.commandLine().getOut().println(getVersion()[0]);
    }
}
