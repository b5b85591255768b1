package dev.jeton.server.cli;

import dev.jeton.accounting.AccountingException;
import dev.jeton.models.ModelException;
import dev.jeton.server.Command;
import dev.jeton.server.admin.PolicyException;
import dev.jeton.server.batch.BatchException;
import dev.jeton.server.config.ConfigException;
import dev.jeton.server.config.Configuration.LogSettings;
import dev.jeton.server.http.ListenException;
import dev.jeton.server.logging.Logging;
import java.util.Arrays;
import java.util.ServiceLoader;
import picocli.CommandLine;

/** The entry point. */
@CommandLine.Command(
        name = "jeton",
        description = "A self-hosted LLM inference server that speaks the OpenAI API and keeps books.",
        subcommands = {
            ServeCommand.class,
            ConfigCommand.class,
            EnginesCommand.class,
            ReportCommand.class,
            RepriceCommand.class,
            ReconcileCommand.class,
            ExportCommand.class,
            CloseCommand.class,
            RecostCommand.class,
            LedgerCommand.class,
            BatchCommand.class,
            KeyCommand.class,
            AdminCommand.class,
            VersionCommand.class
        },
        mixinStandardHelpOptions = true,
        versionProvider = VersionCommand.class,
        footer = {"", "Example: jeton serve --model path/to/model --port 8000"})
public final class Jeton implements Runnable {

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec = CommandLine.Model.CommandSpec.create();

    /** Runs a command and exits with its code: 0 well, 1 failed, 2 wrong usage. */
    public static void main(String[] arguments) {
        Logging.configure(new LogSettings("warn", "console"));
        int code = commandLine(Arrays.asList(arguments).contains(AdminCommand.NAME))
                .execute(arguments);
        System.exit(code);
    }

    /** The command line with all commands of this distribution. */
    static CommandLine commandLine() {
        return commandLine(true);
    }

    private static CommandLine commandLine(boolean admin) {
        CommandLine line = new CommandLine(new Jeton());
        ServiceLoader.load(Command.class).forEach(line::addSubcommand);
        line.getSubcommands().forEach((name, below) -> {
            if (admin && name.equals(AdminCommand.NAME)) {
                AdminCommand.addGroups(below);
            }
        });
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setExecutionExceptionHandler((failure, command, parsed) -> {
            if (failure instanceof ConfigException
                    || failure instanceof ModelException
                    || failure instanceof AccountingException
                    || failure instanceof ListenException
                    || failure instanceof PolicyException
                    || failure instanceof AdminCallException
                    || failure instanceof BatchException
                    || failure instanceof IllegalArgumentException) {
                command.getErr().println("jeton: " + failure.getMessage());
            } else {
                failure.printStackTrace(command.getErr());
            }
            return CommandLine.ExitCode.SOFTWARE;
        });
        return line;
    }

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }
}
