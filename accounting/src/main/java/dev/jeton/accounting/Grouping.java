package dev.jeton.accounting;

/** By what totals are broken down. */
public sealed interface Grouping {

    /** What every row has. */
    enum Dimension {
        /** Who pays. */
        TENANT("tenant"),
        /** The tenant's project. */
        PROJECT("project"),
        /** The key's id. */
        KEY("key_id"),
        /** The served model. */
        MODEL("model"),
        /** The version of the price book. */
        PRICE_BOOK("price_book"),
        /** What kind of work: generation, batch, embeddings, batch-embeddings. */
        WORK("work"),
        /** The hour, written as 2026-11-20T10:00:00Z. */
        HOUR("CAST(hour AS TEXT)");

        private final String column;

        Dimension(String column) {
            this.column = column;
        }

        String column() {
            return column;
        }
    }

    /** By a dimension. */
    record By(Dimension dimension) implements Grouping {}

    /** By the value of a label; requests without it are together under the empty value. */
    record ByLabel(String name) implements Grouping {}
}
