package dev.jeton.server.cli;

import static dev.jeton.server.cli.AdminOptions.path;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code jeton admin projects}. */
@Command(
        name = "projects",
        description = "What a tenant divides its bill by.",
        mixinStandardHelpOptions = true,
        footer = {"", "Example: jeton admin projects list acme"})
final class AdminProjects extends AdminGroup {

    @Command(
            description = "Lists a tenant's projects.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin projects list acme"})
    int list(@Mixin AdminOptions options, @Parameters(paramLabel = "TENANT", description = "Its id.") String tenant) {
        return list(options, options.get(path("tenants", tenant, "projects")), "id", "source");
    }

    @Command(
            description = "Adds a project.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin projects add acme search"})
    int add(
            @Mixin AdminOptions options,
            @Parameters(paramLabel = "TENANT", description = "Its id.") String tenant,
            @Parameters(paramLabel = "PROJECT", description = "The project's id.") String project) {
        return list(
                options,
                options.send("POST", path("tenants", tenant, "projects"), fields("id", project), ""),
                "id",
                "source");
    }

    @Command(
            description = "Removes a project that no key works for.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin projects remove acme search"})
    int remove(
            @Mixin AdminOptions options,
            @Parameters(paramLabel = "TENANT", description = "Its id.") String tenant,
            @Parameters(paramLabel = "PROJECT", description = "The project's id.") String project) {
        return one(options, options.delete(path("tenants", tenant, "projects", project)));
    }
}
