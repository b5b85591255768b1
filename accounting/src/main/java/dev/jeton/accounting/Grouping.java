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
        HOUR("CAST(hour AS TEXT)"),
        /** The task, written as TENANT/ID to who sees more than one tenant; requests of none are together. */
        TASK("task", true),
        /** The version of the prompt that the caller says. */
        PROMPT_VERSION("prompt_version", true),
        /** The way through the caller's program that it says. */
        ROUTE("route", true),
        /** How long the prompt is: {@link ContextBucket}. */
        CONTEXT_BUCKET("CAST(context_bucket AS TEXT)", true);

        private final String column;
        private final boolean requests;

        Dimension(String column) {
            this(column, false);
        }

        Dimension(String column, boolean requests) {
            this.column = column;
            this.requests = requests;
        }

        /**
         * Whether only the rows of requests have it: such a report counts each request, with all its device time, in
         * the hour in which it ended.
         */
        public boolean ofRequests() {
            return requests;
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
