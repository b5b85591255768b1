package dev.jeton.server.cli;

import static dev.jeton.server.cli.AdminOptions.path;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code jeton admin keys}. */
@Command(
        name = "keys",
        description = "API keys of tenants. A key's secret is printed once, when it is made, and kept as a digest.",
        mixinStandardHelpOptions = true,
        footer = {"", "Example: jeton admin keys add acme laptop --project web --expires 2027-01-01"})
final class AdminKeys extends AdminGroup {

    /** The options of a key. */
    static final class KeyOptions {
        @Option(names = "--project", paramLabel = "PROJECT", description = "The project that it works for.")
        private String project = "";

        @Option(names = "--scope", paramLabel = "SCOPE", description = "tenant, inference, reports or operator.")
        private String scope = "";

        @Option(names = "--zone", paramLabel = "ZONE", description = "Where its callers are.")
        private String zone = "";

        @Option(names = "--expires", paramLabel = "TIME", description = "A day or a moment; never takes an end away.")
        private String expires = "";
    }

    /** What becomes of {@code --disable} and {@code --enable}; nothing where neither is given. */
    static @Nullable Boolean disabled(boolean disable, boolean enable) {
        if (disable && enable) {
            throw new IllegalArgumentException("--disable and --enable contradict one another");
        }
        return disable || enable ? Boolean.valueOf(disable) : null;
    }

    @Command(
            description = "Lists a tenant's keys.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin keys list acme"})
    int list(@Mixin AdminOptions options, @Parameters(paramLabel = "TENANT", description = "Its id.") String tenant) {
        return list(
                options,
                options.get(path("tenants", tenant, "keys")),
                "id",
                "project",
                "scope",
                "zone",
                "expires",
                "expired",
                "disabled",
                "source");
    }

    @Command(
            description = "Makes a key and prints its secret, this once.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin keys add acme laptop --project web --scope inference"})
    int add(
            @Mixin AdminOptions options,
            @Mixin KeyOptions key,
            @Parameters(paramLabel = "TENANT", description = "Its id.") String tenant,
            @Parameters(paramLabel = "KEY", description = "The key's id.") String id,
            @Option(
                            names = "--sha256",
                            paramLabel = "DIGEST",
                            defaultValue = "",
                            description = "Of a secret that you have; otherwise one is made.")
                    String digest) {
        return one(
                options,
                options.send(
                        "POST",
                        path("tenants", tenant, "keys"),
                        fields(
                                "id",
                                id,
                                "project",
                                key.project,
                                "scope",
                                key.scope,
                                "zone",
                                key.zone,
                                "expires",
                                key.expires,
                                "sha256",
                                digest),
                        ""));
    }

    @Command(
            description = "Changes a key; --disable refuses it until --enable.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin keys set acme laptop --disable"})
    int set(
            @Mixin AdminOptions options,
            @Mixin KeyOptions key,
            @Parameters(paramLabel = "TENANT", description = "Its id.") String tenant,
            @Parameters(paramLabel = "KEY", description = "The key's id.") String id,
            @Option(names = "--disable", description = "Refuse it.") boolean disable,
            @Option(names = "--enable", description = "Accept it again.") boolean enable) {
        return one(
                options,
                options.send(
                        "PATCH",
                        path("tenants", tenant, "keys", id),
                        fields(
                                "project",
                                key.project,
                                "scope",
                                key.scope,
                                "zone",
                                key.zone,
                                "expires",
                                key.expires,
                                "disabled",
                                disabled(disable, enable)),
                        ""));
    }

    @Command(
            description = "Gives a key a new secret and prints it, this once; the old one is accepted for a while.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin keys rotate acme laptop --overlap 2h"})
    int rotate(
            @Mixin AdminOptions options,
            @Parameters(paramLabel = "TENANT", description = "Its id.") String tenant,
            @Parameters(paramLabel = "KEY", description = "The key's id.") String id,
            @Option(
                            names = "--overlap",
                            paramLabel = "TIME",
                            defaultValue = "24h",
                            description = "How long the old secret is accepted (default: 24h; 0s ends it at once).")
                    String overlap) {
        return one(
                options,
                options.send("POST", path("tenants", tenant, "keys", id, "rotate"), fields("overlap", overlap), ""));
    }

    @Command(
            description = "Removes a key; it is refused at once.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin keys remove acme laptop --reason lost"})
    int remove(
            @Mixin AdminOptions options,
            @Parameters(paramLabel = "TENANT", description = "Its id.") String tenant,
            @Parameters(paramLabel = "KEY", description = "The key's id.") String id) {
        return one(options, options.delete(path("tenants", tenant, "keys", id)));
    }
}
