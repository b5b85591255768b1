package dev.jeton.server.cli;

import dev.jeton.server.config.ConfigurationLoader;
import dev.jeton.server.config.Settings;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Options that read the configuration. */
final class ConfigOptions {

    @Option(names = "--config", paramLabel = "FILE", description = "Configuration file (YAML).")
    private Optional<Path> config = Optional.empty();

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description = "Overrides one setting, as in --set server.drain-timeout=1m. Repeatable.")
    private Map<String, String> set = new LinkedHashMap<>();

    /** A loader with the file, the environment and {@code --set}. */
    ConfigurationLoader loader(Map<String, String> environment) {
        ConfigurationLoader loader = new ConfigurationLoader(environment);
        config.ifPresent(loader::file);
        return loader.flags(set);
    }

    Settings settings(Map<String, String> environment) {
        return loader(environment).load();
    }
}
