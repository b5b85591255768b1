package dev.jeton.server.cli;

import dev.jeton.accounting.Ledger;
import dev.jeton.server.json.JsonWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;
import java.util.function.Supplier;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Options of a question to the books: which books, of what time, and how the answer is written. */
final class QuestionOptions {

    @Mixin
    private LedgerOptions ledger = new LedgerOptions();

    @Mixin
    private TimeOptions time = new TimeOptions();

    @Option(names = "--format", paramLabel = "FORMAT", description = "table, csv or json (default: table).")
    private Table.Format format = Table.Format.TABLE;

    /** Opens the ledger, which must be there. */
    Ledger open() {
        return ledger.open();
    }

    /** What time it is about. */
    TimeOptions time() {
        return time;
    }

    /** Writes an answer as it is asked for. */
    void write(PrintWriter out, Consumer<PrintWriter> table, Consumer<PrintWriter> csv, Supplier<JsonWriter> json) {
        switch (format) {
            case TABLE -> table.accept(out);
            case CSV -> csv.accept(out);
            case JSON -> out.println(new String(json.get().toBytes(), StandardCharsets.UTF_8));
        }
        out.flush();
    }
}
