package dev.jeton.server.cli;

import dev.jeton.accounting.CsvText;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/**
 * Rows of text, the first of them the names of the columns.
 *
 * @param rows each as long as the first
 */
record Table(List<List<String>> rows) {

    /** How tables are written. */
    enum Format {
        TABLE,
        CSV,
        JSON
    }

    /** With rows of its own, one at least. */
    Table {
        rows = List.copyOf(rows);
    }

    /** Without rows but the names of the columns; {@link #plus} adds. */
    static Table of(String... columns) {
        return new Table(List.of(List.of(columns)));
    }

    /** And more rows. */
    Table plus(List<List<String>> more) {
        List<List<String>> all = new ArrayList<>(rows);
        all.addAll(more);
        return new Table(all);
    }

    /** Writes columns under one another, numbers to the right. */
    void align(PrintWriter out) {
        int columns = rows.getFirst().size();
        int[] width = new int[columns];
        for (List<String> row : rows) {
            for (int i = 0; i < columns; i++) {
                width[i] = Math.max(width[i], row.get(i).length());
            }
        }
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < columns; i++) {
                String pad = " ".repeat(width[i] - row.get(i).length());
                line.append(i == 0 ? row.get(i) + pad : "  " + pad + row.get(i));
            }
            out.println(line.toString().stripTrailing());
        }
    }

    /** Writes comma-separated values. */
    void csv(PrintWriter out) {
        for (List<String> row : rows) {
            out.println(String.join(",", row.stream().map(CsvText::cell).toList()));
        }
    }
}
