package dev.jeton.server.config;

import dev.jeton.accounting.Budget;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Gathers settings: defaults, then one file, then the environment, then flags, the later over the earlier.
 *
 * <p>An environment variable that begins with {@code JETON_} and one of the sections' names but means no setting is an
 * error, as is an unknown key in the file.
 */
public final class ConfigurationLoader {

    /** Of a setting of which nothing is said. */
    private static final Resolved DEFAULT = new Resolved("", "default");

    private final Map<String, String> environment;
    private final Map<String, Resolved> values = new LinkedHashMap<>();
    private final List<Map<String, Resolved>> models = new ArrayList<>();
    private final List<Tenant> tenants = new ArrayList<>();
    private final List<Budget> budgets = new ArrayList<>();
    private final Map<String, Resolved> flags = new LinkedHashMap<>();

    /** @param environment environment variables */
    public ConfigurationLoader(Map<String, String> environment) {
        this.environment = new TreeMap<>(environment);
        Schema.SETTINGS.forEach(
                setting -> values.put(setting.key(), new Resolved(setting.initial(), DEFAULT.origin())));
    }

    /** Reads a jeton.yaml. */
    public ConfigurationLoader file(Path file) {
        YamlFile yaml = YamlFile.read(file);
        yaml.values().forEach(this::set);
        models.addAll(yaml.models());
        tenants.addAll(yaml.tenants());
        budgets.addAll(yaml.budgets());
        return this;
    }

    /** Settings by key, each as if by its flag. */
    public ConfigurationLoader flags(Map<String, String> byKey) {
        byKey.forEach((key, value) -> flag(key, value, "--set " + key));
        return this;
    }

    /**
     * One setting by a flag.
     *
     * @param origin the flag as typed
     */
    public ConfigurationLoader flag(String key, String value, String origin) {
        flags.put(key, new Resolved(value, origin));
        return this;
    }

    /** A model by {@code --model}; those of the file are then not served. */
    public ConfigurationLoader models(List<Map<String, String>> entries) {
        if (!entries.isEmpty()) {
            models.clear();
            for (Map<String, String> entry : entries) {
                Map<String, Resolved> resolved = new LinkedHashMap<>();
                entry.forEach((name, value) -> resolved.put(name, new Resolved(value, "--model")));
                models.add(resolved);
            }
        }
        return this;
    }

    /**
     * All values, checked.
     *
     * @throws ConfigException naming the first key that is unknown or whose value does not fit
     */
    public Settings load() {
        readEnvironment();
        flags.forEach(this::set);
        for (Setting setting : Schema.SETTINGS) {
            check(setting, setting.key(), values.getOrDefault(setting.key(), DEFAULT));
        }
        together();
        List<Map<String, Resolved>> checked = new ArrayList<>();
        for (int i = 0; i < models.size(); i++) {
            checked.add(checkModel("models[" + i + "]", models.get(i)));
        }
        return new Settings(
                new LinkedHashMap<>(values), List.copyOf(checked), List.copyOf(tenants), List.copyOf(budgets));
    }

    /** An empty key is a variable that was not set, and not the wish to serve everybody. */
    private void keysOrNone() {
        Resolved keys = values.getOrDefault("server.api-keys", DEFAULT);
        boolean some = Stream.of(keys.value().split(",")).anyMatch(key -> !key.isBlank());
        if (!some && !keys.origin().equals(DEFAULT.origin())) {
            throw new ConfigException(("'server.api-keys' is given and names no key (%s); leave it out where no key is"
                            + " to be asked for")
                    .formatted(keys.origin()));
        }
    }

    /** What one setting needs of others. */
    private void together() {
        keysOrNone();
        if (!given("admin.port").equals("0")) {
            if (given("admin.keys").isEmpty()) {
                throw new ConfigException("'admin.port' is set and 'admin.keys' is not: nobody could use the admin API."
                        + " 'jeton key' makes a key; its digest goes into admin.keys as ID:SHA256");
            }
            if (given("books.folder").isEmpty() || given("books.enabled").equals("false")) {
                throw new ConfigException(
                        "'admin.port' needs books and 'books.folder': what the admin API changes is kept"
                                + " there, and would be lost with a temporary folder");
            }
        }
        if (!given("webhooks.url").isEmpty() && given("webhooks.secret").isEmpty()) {
            throw new ConfigException("'webhooks.url' is set and 'webhooks.secret' is not: receivers could not tell who"
                    + " sends. 'openssl rand -base64 32' makes one");
        }
    }

    private String given(String key) {
        return values.getOrDefault(key, DEFAULT).value();
    }

    private void readEnvironment() {
        List<String> known = Schema.SETTINGS.stream().map(Setting::environment).toList();
        environment.forEach((name, value) -> {
            for (Setting setting : Schema.SETTINGS) {
                if (setting.environment().equals(name)) {
                    set(setting.key(), new Resolved(value, name));
                    return;
                }
            }
            boolean ours = Schema.SETTINGS.stream()
                    .map(setting -> setting.environment().split("_", 3)[1])
                    .anyMatch(section -> name.startsWith("JETON_" + section + "_"));
            if (ours) {
                throw new ConfigException(
                        "environment variable %s means no setting%s".formatted(name, Schema.suggestion(name, known)));
            }
        });
    }

    private void set(String key, Resolved value) {
        if (Schema.find(key).isEmpty()) {
            throw new ConfigException(
                    "unknown key '%s' (%s)%s".formatted(key, value.origin(), Schema.suggestion(key, Schema.keys())));
        }
        values.put(key, value);
    }

    private static void check(Setting setting, String key, Resolved resolved) {
        try {
            setting.kind().check(resolved.value());
        } catch (ConfigException e) {
            String shown = setting.kind() instanceof Setting.Secret ? "***" : resolved.value();
            throw new ConfigException("'%s' is '%s' (%s): %s".formatted(key, shown, resolved.origin(), e.getMessage()));
        }
    }

    private static Map<String, Resolved> checkModel(String place, Map<String, Resolved> entry) {
        List<String> names = Schema.MODEL_SETTINGS.stream().map(Setting::name).toList();
        entry.forEach((name, value) -> {
            Setting setting = Schema.MODEL_SETTINGS.stream()
                    .filter(candidate -> candidate.name().equals(name))
                    .findFirst()
                    .orElseThrow(() -> new ConfigException("unknown key '%s.%s' (%s)%s"
                            .formatted(place, name, value.origin(), Schema.suggestion(name, names))));
            check(setting, place + "." + name, value);
        });
        if (!entry.containsKey("path")) {
            throw new ConfigException(place + " has no 'path': name the model's folder");
        }
        return entry;
    }
}
