package dev.jeton.server.config;

import dev.jeton.accounting.Budget;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonObject;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/** Reads the list {@code budgets} of a jeton.yaml, and names the line of what does not fit. */
final class BudgetsReader {

    private static final int MAX_BUDGETS = 10_000;
    private static final int MAX_DEPTH = 4;

    /** A budget and the lines of its fields. */
    private record Read(Budget budget, Map<String, Integer> lines, int line) {}

    private final String file;
    private final Map<String, Read> read = new LinkedHashMap<>();

    BudgetsReader(String file) {
        this.file = file;
    }

    /** Reads from the list's beginning to its end. */
    void read(JsonParser parser) {
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            int line = line(parser);
            if (parser.currentToken() != JsonToken.START_OBJECT) {
                throw wrong(line, "an entry of 'budgets' is a list of keys with values");
            }
            Map<String, Integer> lines = new LinkedHashMap<>();
            Map<String, @Nullable Object> fields = new LinkedHashMap<>();
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                String name = parser.currentName();
                lines.put(name, line(parser));
                parser.nextToken();
                fields.put(name, value(parser, 0));
            }
            Budget budget = budget(fields, lines, line);
            if (read.put(budget.id(), new Read(budget, lines, line)) != null) {
                throw wrong(line, "there are two budgets '%s'".formatted(budget.id()));
            }
            if (read.size() > MAX_BUDGETS) {
                throw wrong(line, "there are more than %d budgets".formatted(MAX_BUDGETS));
            }
        }
    }

    private Budget budget(Map<String, @Nullable Object> fields, Map<String, Integer> lines, int line) {
        try {
            return BudgetFormat.read(JsonObject.of("", fields));
        } catch (JsonException e) {
            String top = e.field().split("[.\\[]", 2)[0];
            throw wrong(lines.getOrDefault(top, line), String.valueOf(e.getMessage()));
        }
    }

    private @Nullable Object value(JsonParser parser, int depth) {
        if (depth > MAX_DEPTH) {
            throw wrong(line(parser), "nested too deeply for a budget");
        }
        return switch (parser.currentToken()) {
            case START_OBJECT -> {
                Map<String, @Nullable Object> fields = new LinkedHashMap<>();
                while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                    String name = parser.currentName();
                    parser.nextToken();
                    fields.put(name, value(parser, depth + 1));
                }
                yield fields;
            }
            case START_ARRAY -> {
                List<@Nullable Object> items = new ArrayList<>();
                while (parser.nextToken() != JsonToken.END_ARRAY) {
                    items.add(value(parser, depth + 1));
                }
                yield items;
            }
            case VALUE_NUMBER_INT -> whole(parser.getString());
            case VALUE_TRUE -> Boolean.TRUE;
            case VALUE_FALSE -> Boolean.FALSE;
            case VALUE_NULL -> null;
            // Decimals stay text, so that they are what was written.
            default -> parser.getString();
        };
    }

    /** As a number where it is one of 18 digits at most; YAML has numbers of other kinds, which stay text. */
    private static Object whole(String text) {
        return text.matches("[0-9]{1,18}") ? Long.valueOf(text) : text;
    }

    /**
     * The budgets, once all tenants are known.
     *
     * @throws ConfigException where one is for a tenant, a project or a key that is not there
     */
    List<Budget> check(List<Tenant> tenants) {
        read.forEach((id, entry) -> BudgetSubjects.missing(entry.budget(), tenants)
                .ifPresent(missing -> {
                    throw wrong(
                            entry.lines().getOrDefault(missing.field(), entry.line()),
                            "budget '%s': %s".formatted(id, missing.message()));
                }));
        return read.values().stream().map(Read::budget).toList();
    }

    private static int line(JsonParser parser) {
        return parser.currentTokenLocation().getLineNr();
    }

    private ConfigException wrong(int line, String message) {
        return new ConfigException("%s:%d: %s".formatted(file, line, message));
    }
}
