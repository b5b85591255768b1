package dev.jeton.server.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code jeton admin prices}. */
@Command(
        name = "prices",
        description = "The price book in force. Requests that are open stay priced by the book they were opened under.",
        mixinStandardHelpOptions = true,
        footer = {"", "Example: jeton admin prices put prices.yaml"})
final class AdminPrices extends AdminGroup {

    @Command(
            description = "Prints the price book.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin prices show > prices.yaml"})
    int show(@Mixin AdminOptions options) {
        return raw(options.get("prices"));
    }

    @Command(
            description = "Puts another price book in force. Currency, electricity and devices stay as they are: they"
                    + " change with the file of books.prices and a restart.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin prices put prices.yaml --reason 'prices of 2027'"})
    int put(@Mixin AdminOptions options, @Parameters(paramLabel = "FILE", description = "YAML.") Path file) {
        String content;
        try {
            content = Files.readString(file);
        } catch (IOException e) {
            throw new IllegalArgumentException("cannot read %s: %s".formatted(file, e), e);
        }
        return one(options, options.ask("PUT", options.withReason("prices"), content, ""));
    }

    @Command(
            description = "Goes back to the file of books.prices as it was at the server's start.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin prices reset"})
    int reset(@Mixin AdminOptions options) {
        return one(options, options.delete("prices"));
    }
}
