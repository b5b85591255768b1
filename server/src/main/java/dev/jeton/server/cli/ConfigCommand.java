package dev.jeton.server.cli;

import dev.jeton.server.config.Resolved;
import dev.jeton.server.config.Settings;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import picocli.CommandLine;

/** {@code jeton config check} and {@code jeton config show}. */
@CommandLine.Command(
        name = "config",
        description = "Checks or shows the configuration.",
        mixinStandardHelpOptions = true,
        footer = {"", "Example: jeton config check --config jeton.yaml"})
final class ConfigCommand implements Runnable {

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec = CommandLine.Model.CommandSpec.create();

    private static final Pattern USER = Pattern.compile("^([a-z:]+//)[^/?#]*@");
    private static final Pattern PASSWORD =
            Pattern.compile("([?&](?:ssl)?(?:password|token|secret|key)=)[^&]*", Pattern.CASE_INSENSITIVE);
    private static final List<String> SECRETS = List.of("server.api-keys", "books.password", "webhooks.secret");

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }

    @CommandLine.Command(
            name = "check",
            description = "Reads the configuration as 'serve' would and says what is wrong with it.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton config check --config jeton.yaml"})
    int check(@CommandLine.Mixin ConfigOptions options) {
        options.settings(System.getenv()).configuration();
        spec.commandLine().getOut().println("The configuration is sound.");
        return CommandLine.ExitCode.OK;
    }

    @CommandLine.Command(
            name = "show",
            description = "Shows every setting's value and where it comes from.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton config show --set server.drain-timeout=1m"})
    int show(@CommandLine.Mixin ConfigOptions options) {
        Settings settings = options.settings(System.getenv());
        var out = spec.commandLine().getOut();
        settings.values().forEach((key, value) -> {
            out.printf("%-28s %-24s # %s%n", key, shown(key, value.value()), value.origin());
        });
        for (int i = 0; i < settings.models().size(); i++) {
            for (Map.Entry<String, Resolved> entry : settings.models().get(i).entrySet()) {
                out.printf(
                        "%-28s %-24s # %s%n",
                        "models[" + i + "]." + entry.getKey(),
                        entry.getValue().value(),
                        entry.getValue().origin());
            }
        }
        out.flush();
        return CommandLine.ExitCode.OK;
    }

    /** Keys are secrets: that there are some is all that is shown. So are passwords in URLs. */
    private static String shown(String key, String value) {
        return SECRETS.contains(key) && !value.isEmpty()
                ? "***"
                : PASSWORD.matcher(USER.matcher(value).replaceFirst("$1***@")).replaceAll("$1***");
    }
}
