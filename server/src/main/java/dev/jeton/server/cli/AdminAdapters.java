package dev.jeton.server.cli;

import static dev.jeton.server.cli.AdminOptions.path;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code jeton admin adapters}. */
@Command(
        name = "adapters",
        description = "Low-rank adapters (LoRA) of the models served, each a model of its own name.",
        mixinStandardHelpOptions = true,
        footer = {"", "Example: jeton admin adapters list"})
final class AdminAdapters extends AdminGroup {

    @Command(
            description = "Lists adapters.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin adapters list"})
    int list(@Mixin AdminOptions options) {
        return list(options, options.get("adapters"), "name", "model", "folder", "loaded", "bytes", "source");
    }

    @Command(
            description = "Loads an adapter from below admin.adapter-root, and serves it under its name.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin adapters add sql --model Qwen2.5-0.5B-Instruct --folder sql/v2"})
    int add(
            @Mixin AdminOptions options,
            @Parameters(paramLabel = "NAME", description = "Under which it is served.") String name,
            @Option(
                            names = "--model",
                            paramLabel = "MODEL",
                            defaultValue = "",
                            description = "The model that it changes (default: the only one).")
                    String model,
            @Option(
                            names = "--folder",
                            paramLabel = "FOLDER",
                            required = true,
                            description = "Below admin.adapter-root.")
                    String folder,
            @Option(names = "--replace", description = "In place of one of the name, whose requests end as they would.")
                    boolean replace) {
        return one(
                options,
                options.send(
                        "POST",
                        "adapters",
                        fields("name", name, "model", model, "folder", folder, "replace", replace ? Boolean.TRUE : ""),
                        ""));
    }

    @Command(
            description = "Serves an adapter no longer; its requests end as they would.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example: jeton admin adapters remove sql"})
    int remove(@Mixin AdminOptions options, @Parameters(paramLabel = "NAME", description = "As listed.") String name) {
        return one(options, options.delete(path("adapters", name)));
    }
}
