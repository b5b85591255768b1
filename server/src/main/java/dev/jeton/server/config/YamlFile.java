package dev.jeton.server.config;

import dev.jeton.accounting.Budget;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.dataformat.yaml.YAMLFactory;

/**
 * A jeton.yaml as it stands: sections of keys with values, and the lists {@code models}, {@code tenants} and
 * {@code budgets}. Every value keeps the line it came from.
 *
 * @param values by dotted key
 * @param models entries of {@code models}, by name
 * @param tenants entries of {@code tenants}, checked
 * @param budgets entries of {@code budgets}, checked
 */
record YamlFile(
        Map<String, Resolved> values, List<Map<String, Resolved>> models, List<Tenant> tenants, List<Budget> budgets) {

    static YamlFile read(Path file) {
        String text;
        try {
            text = Files.readString(file);
        } catch (IOException e) {
            throw new ConfigException("cannot read %s: %s".formatted(file, e.getMessage()));
        }
        YamlFile result = new YamlFile(new LinkedHashMap<>(), new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        YAMLFactory factory = YAMLFactory.builder()
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .build();
        String name = String.valueOf(file.getFileName());
        try (JsonParser parser = factory.createParser(ObjectReadContext.empty(), text)) {
            JsonToken first = parser.nextToken();
            if (first != null && first != JsonToken.VALUE_NULL) {
                if (first != JsonToken.START_OBJECT) {
                    throw new ConfigException(name + ": sections with keys are expected");
                }
                BudgetsReader reader = new BudgetsReader(name);
                result.sections(parser, name, reader);
                result.budgets.addAll(reader.check(result.tenants));
            }
        } catch (JacksonException e) {
            throw new ConfigException("%s:%d: %s"
                    .formatted(
                            name, e.getLocation() == null ? 0 : e.getLocation().getLineNr(), e.getOriginalMessage()));
        }
        return result;
    }

    private void sections(JsonParser parser, String name, BudgetsReader reader) {
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String section = parser.currentName();
            JsonToken token = parser.nextToken();
            if (section.equals("models") && token == JsonToken.START_ARRAY) {
                while (parser.nextToken() != JsonToken.END_ARRAY) {
                    Map<String, Resolved> entry = new LinkedHashMap<>();
                    keys(parser, name, "models", entry);
                    models.add(entry);
                }
            } else if (section.equals("tenants") && token == JsonToken.START_ARRAY) {
                tenants.addAll(new TenantsReader(parser, name).read());
            } else if (section.equals("budgets") && token == JsonToken.START_ARRAY) {
                reader.read(parser);
            } else {
                Map<String, Resolved> entry = new LinkedHashMap<>();
                keys(parser, name, section, entry);
                entry.forEach((key, value) -> values.put(section + "." + key, value));
            }
        }
    }

    private static void keys(JsonParser parser, String name, String section, Map<String, Resolved> into) {
        if (parser.currentToken() != JsonToken.START_OBJECT) {
            List<String> known = Schema.sections();
            throw new ConfigException("%s:%d: %s"
                    .formatted(
                            name,
                            line(parser),
                            known.contains(section)
                                    ? "'%s' is a section: keys with values are expected under it".formatted(section)
                                    : "there is no section '%s'%s"
                                            .formatted(section, Schema.suggestion(section, known))));
        }
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String key = parser.currentName();
            String origin = name + ":" + line(parser);
            into.put(key, new Resolved(scalar(parser, parser.nextToken(), origin, section + "." + key), origin));
        }
    }

    private static String scalar(JsonParser parser, JsonToken token, String origin, String key) {
        return switch (token) {
            case VALUE_STRING, VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT, VALUE_TRUE, VALUE_FALSE -> parser.getString();
            case VALUE_NULL -> "";
            case START_ARRAY -> {
                List<String> items = new ArrayList<>();
                for (JsonToken item = parser.nextToken(); item != JsonToken.END_ARRAY; item = parser.nextToken()) {
                    items.add(scalar(parser, item, origin, key));
                }
                yield String.join(",", items);
            }
            default -> throw new ConfigException("%s: '%s' needs a plain value".formatted(origin, key));
        };
    }

    private static int line(JsonParser parser) {
        return parser.currentTokenLocation().getLineNr();
    }
}
