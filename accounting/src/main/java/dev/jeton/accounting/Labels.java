package dev.jeton.accounting;

import java.util.Map;
import java.util.TreeMap;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/** Labels as JSON text, sorted by name: equal labels are equal text, so they can be part of a key. */
final class Labels {

    /** The text of no labels. */
    static final String NONE = "{}";

    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final TypeReference<TreeMap<String, String>> TYPE = new TypeReference<>() {};

    private Labels() {}

    static String text(Map<String, String> labels) {
        if (labels.isEmpty()) {
            return NONE;
        }
        TreeMap<String, String> sorted = new TreeMap<>();
        labels.forEach((name, value) -> sorted.put(SqlText.clean(name), SqlText.clean(value)));
        return JSON.writeValueAsString(sorted);
    }

    static Map<String, String> map(String text) {
        try {
            return text.equals(NONE) ? Map.of() : JSON.readValue(text, TYPE);
        } catch (JacksonException e) {
            throw new AccountingException(
                    "the ledger holds labels that are no JSON object of strings: %s; somebody wrote it by hand"
                            .formatted(text),
                    e);
        }
    }
}
