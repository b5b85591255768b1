package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A table read as RFC 4180 says, by nothing that the export uses. An empty field is null: it is not in its row.
 *
 * @param columns their names
 * @param rows by column
 */
record Csv(List<String> columns, List<Map<String, String>> rows) {

    static Csv parse(String text) {
        List<List<String>> records = records(text);
        List<String> columns = records.getFirst();
        List<Map<String, String>> rows = new ArrayList<>();
        for (List<String> fields : records.subList(1, records.size())) {
            if (fields.size() != columns.size()) {
                throw new IllegalArgumentException(
                        "row %d has %d fields instead of %d".formatted(rows.size() + 1, fields.size(), columns.size()));
            }
            Map<String, String> row = new LinkedHashMap<>();
            for (int i = 0; i < fields.size(); i++) {
                if (!fields.get(i).isEmpty()) {
                    row.put(columns.get(i), fields.get(i));
                }
            }
            rows.add(row);
        }
        return new Csv(columns, rows);
    }

    private static List<List<String>> records(String text) {
        List<List<String>> records = new ArrayList<>();
        List<String> fields = new ArrayList<>();
        StringBuilder field = new StringBuilder();
        boolean quoted = false;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (quoted) {
                if (c == '"' && i + 1 < text.length() && text.charAt(i + 1) == '"') {
                    field.append('"');
                    i++;
                } else if (c == '"') {
                    quoted = false;
                } else {
                    field.append(c);
                }
            } else if (c == '"' && field.isEmpty()) {
                quoted = true;
            } else if (c == '"') {
                throw new IllegalArgumentException("a quote within a field that has none around it, at " + i);
            } else if (c == ',') {
                fields.add(field.toString());
                field.setLength(0);
            } else if (c == '\r' && text.startsWith("\r\n", i)) {
                fields.add(field.toString());
                field.setLength(0);
                records.add(fields);
                fields = new ArrayList<>();
                i++;
            } else {
                field.append(c);
            }
        }
        if (quoted || !field.isEmpty() || !fields.isEmpty()) {
            throw new IllegalArgumentException("the last row does not end");
        }
        return records;
    }
}
