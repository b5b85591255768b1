package dev.jeton.server.cli;

import static dev.jeton.server.cli.AdminOptions.path;

import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code jeton admin tenants}. */
@Command(
        name = "tenants",
        description = "Who pays.",
        mixinStandardHelpOptions = true,
        footer = {"", "Example: jeton admin tenants list"})
final class AdminTenants extends AdminGroup {

    /** Projects of a new tenant. */
    static final class ProjectOptions {
        @Option(names = "--project", paramLabel = "PROJECT", description = "A project. Repeatable.")
        private List<String> names = new ArrayList<>();
    }

    @Command(
            description = "Lists tenants.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin tenants list"})
    int list(@Mixin AdminOptions options) {
        return list(options, options.get("tenants"), "id", "name", "zone", "projects", "keys", "disabled", "source");
    }

    @Command(
            description = "Adds a tenant.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin tenants add acme --name 'Acme Ltd' --project web --project batch"})
    int add(
            @Mixin AdminOptions options,
            @Parameters(paramLabel = "TENANT", description = "Its id.") String id,
            @Option(names = "--name", paramLabel = "TEXT", defaultValue = "", description = "Its name in words.")
                    String name,
            @Option(names = "--zone", paramLabel = "ZONE", defaultValue = "", description = "Where its callers are.")
                    String zone,
            @Mixin ProjectOptions projects) {
        return one(
                options,
                options.send(
                        "POST",
                        "tenants",
                        fields("id", id, "name", name, "zone", zone, "projects", projects.names),
                        ""));
    }

    @Command(
            description = "Changes a tenant; --disable refuses its requests until --enable.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin tenants set acme --disable --reason 'unpaid invoices'"})
    int set(
            @Mixin AdminOptions options,
            @Parameters(paramLabel = "TENANT", description = "Its id.") String id,
            @Option(names = "--name", paramLabel = "TEXT", defaultValue = "", description = "Its name in words.")
                    String name,
            @Option(names = "--zone", paramLabel = "ZONE", defaultValue = "", description = "Where its callers are.")
                    String zone,
            @Option(names = "--disable", description = "Refuse its requests.") boolean disable,
            @Option(names = "--enable", description = "Serve its requests again.") boolean enable) {
        return one(
                options,
                options.send(
                        "PATCH",
                        path("tenants", id),
                        fields("name", name, "zone", zone, "disabled", AdminKeys.disabled(disable, enable)),
                        ""));
    }

    @Command(
            description = "Removes a tenant with its projects and keys; its budgets go first.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin tenants remove acme --reason 'contract ended'"})
    int remove(@Mixin AdminOptions options, @Parameters(paramLabel = "TENANT", description = "Its id.") String id) {
        return one(options, options.delete(path("tenants", id)));
    }
}
