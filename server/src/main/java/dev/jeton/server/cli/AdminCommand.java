package dev.jeton.server.cli;

import dev.jeton.server.json.JsonObject;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code jeton admin}. */
@Command(
        name = AdminCommand.NAME,
        description = "Administers a running server over its admin API: what is changed holds at once and after a"
                + " restart, and is written down in the audit log.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Example: export JETON_ADMIN_KEY=...",
            "         jeton admin tenants add acme --name 'Acme Ltd' --project web",
            "         jeton admin keys add acme laptop --project web"
        })
final class AdminCommand extends AdminGroup {

    /** Its name. */
    static final String NAME = "admin";

    private static final int PAGE = 1_000;

    /**
     * Adds what is below it. Done where it is used only: describing so many commands takes longer than most of them.
     */
    static void addGroups(CommandLine admin) {
        admin.addSubcommand(new AdminTenants())
                .addSubcommand(new AdminProjects())
                .addSubcommand(new AdminKeys())
                .addSubcommand(new AdminBudgets())
                .addSubcommand(new AdminPrices())
                .addSubcommand(new AdminReservations())
                .addSubcommand(new AdminAdapters());
    }

    @Command(
            description =
                    "Lists changes, who made them, when and why; the server holds each line against the one before.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin audit --last 20"})
    int audit(
            @Mixin AdminOptions options,
            @Option(
                            names = "--after",
                            paramLabel = "N",
                            defaultValue = "0",
                            description = "Only changes after this version of the policy.")
                    long after,
            @Option(names = "--last", paramLabel = "N", defaultValue = "0", description = "Only so many, the latest.")
                    long last) {
        long from = after;
        if (last > 0) {
            String version = options.get("audit?limit=1").version().replace("\"", "");
            from = Math.max(after, Long.parseLong(version) - last);
        }
        Table table = Table.of("seq", "time", "who", "from", "action", "target", "reason");
        while (true) {
            AdminOptions.Reply reply = options.get("audit?after=%d&limit=%d".formatted(from, PAGE));
            if (options.json()) {
                raw(reply);
            }
            JsonObject page = reply.json();
            table = table.plus(
                    page.objects("data").stream().map(AdminCommand::row).toList());
            if (!page.has("next")) {
                break;
            }
            from = page.optionalWhole("next", 0, Long.MAX_VALUE).orElse(0);
        }
        if (!options.json()) {
            table.align(out());
        }
        out().flush();
        return 0;
    }

    private static List<String> row(JsonObject entry) {
        Map<String, ?> fields = entry.fields();
        return List.of("seq", "time", "who", "from", "action", "target", "reason").stream()
                .map(name -> String.valueOf(fields.get(name)))
                .toList();
    }

    @Command(
            description = "Shows the policy's version and what it holds.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin policy"})
    int policy(@Mixin AdminOptions options) {
        return one(options, options.get("policy"));
    }

    @Command(
            description = "Shows how the webhooks are: what was delivered, what waits.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin webhooks"})
    int webhooks(@Mixin AdminOptions options) {
        return one(options, options.get("webhooks"));
    }
}
