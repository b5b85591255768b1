package dev.jeton.server.cli;

import static dev.jeton.server.cli.AdminOptions.path;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code jeton admin reservations}. */
@Command(
        name = "reservations",
        description = "Shares of devices that tenants have booked; they are a part of the price book.",
        mixinStandardHelpOptions = true,
        footer = {"", "Example: jeton admin reservations list"})
final class AdminReservations extends AdminGroup {

    private static final String[] COLUMNS = {"id", "tenant", "device", "share", "from", "until"};

    @Command(
            description = "Lists reservations.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin reservations list"})
    int list(@Mixin AdminOptions options) {
        return list(options, options.get("reservations"), COLUMNS);
    }

    @Command(
            description = "Adds a reservation; device time is divided by it from now on.",
            mixinStandardHelpOptions = true,
            footer = {
                "",
                "Example: jeton admin reservations add --tenant acme --device cpu --share 0.25 --from 2026-12-01"
            })
    int add(
            @Mixin AdminOptions options,
            @Option(names = "--tenant", paramLabel = "ID", required = true, description = "Who.") String tenant,
            @Option(
                            names = "--device",
                            paramLabel = "DEVICE",
                            required = true,
                            description = "A device group, or a beginning with *.")
                    String device,
            @Option(names = "--share", paramLabel = "SHARE", required = true, description = "More than 0, at most 1.")
                    String share,
            @Option(names = "--from", paramLabel = "TIME", defaultValue = "", description = "When it begins.")
                    String from,
            @Option(names = "--until", paramLabel = "TIME", defaultValue = "", description = "When it ends.")
                    String until) {
        return list(
                options,
                options.send(
                        "POST",
                        "reservations",
                        fields("tenant", tenant, "device", device, "share", share, "from", from, "until", until),
                        ""),
                COLUMNS);
    }

    @Command(
            description = "Removes a reservation.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin reservations remove 0123456789abcdef"})
    int remove(@Mixin AdminOptions options, @Parameters(paramLabel = "ID", description = "As listed.") String id) {
        return list(options, options.delete(path("reservations", id)), COLUMNS);
    }
}
