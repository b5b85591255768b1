package dev.jeton.server.api;

import dev.jeton.accounting.FocusExport;
import dev.jeton.accounting.FocusExport.Basis;
import dev.jeton.accounting.FocusHours;
import dev.jeton.accounting.Ledger;
import dev.jeton.accounting.Period;
import dev.jeton.accounting.PriceBook;
import dev.jeton.accounting.Scope;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * {@code GET /v1/books/export/focus}: the books as FOCUS 1.2, streamed. The ledger is asked for some hours at a time
 * and not while the client reads them, so a slow client keeps no connection and no thread of the desk. How much there
 * is, is known before the answer begins: one that has begun fails only with the database, and is then cut off.
 */
final class FocusEndpoint extends LedgerEndpoint {

    /** Most rows of usage, each of which becomes a few lines. */
    static final long MAX_ROWS = 200_000;

    /** Most characters of an hour, which is held whole. */
    private static final long MAX_HOUR = 16 << 20;

    private static final int PART = 64 << 10;
    private static final int PART_HOURS = 200;
    private static final Set<String> KNOWN = Set.of("basis", "period", "from", "to", "tenant");
    private static final FocusExport.Issuer ISSUER = new FocusExport.Issuer("jeton", "jeton", "Jeton", "LLM inference");

    private final Duration stallTimeout;

    /** @param stallTimeout how long a client may leave its stream unread */
    FocusEndpoint(LedgerDesk desk, Duration stallTimeout) {
        super("books_export_focus", desk);
        this.stallTimeout = stallTimeout;
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        BooksQuery query = new BooksQuery(call, desk().now(), KNOWN);
        Scope scope = query.scope();
        Period time = query.span();
        Basis basis =
                Basis.valueOf(query.choice("basis", List.of("list", "metered")).toUpperCase(Locale.ROOT));
        FocusExport.Reader reader =
                query.audience().metered() ? FocusExport.Reader.OPERATOR : FocusExport.Reader.TENANT;
        if (basis == Basis.METERED && reader == FocusExport.Reader.TENANT) {
            throw BooksQuery.forbidden("basis", "What devices cost is for operators; ask for basis=list");
        }
        try (LedgerDesk.Visit visit = desk().visit(call)) {
            Parts parts = visit.ask((ledger, reports) ->
                    new Parts(ledger, new FocusHours(reports, scope, time.from(), time.until()), basis, reader));
            parts.check();
            Map<String, String> headers = BooksAnswer.headers(BooksAnswer.CSV, visit.asOf());
            headers.put(
                    "content-disposition",
                    "attachment; filename=\"focus-%s.csv\""
                            .formatted(basis.name().toLowerCase(Locale.ROOT)));
            if (call.exchange().method().equals("HEAD")) {
                call.answer(200, headers, new byte[0]);
            } else {
                stream(call, visit, parts, headers);
            }
        }
    }

    private void stream(Call call, LedgerDesk.Visit visit, Parts parts, Map<String, String> headers)
            throws InterruptedException {
        boolean more = true;
        while (more) {
            more = visit.ask((ledger, reports) -> parts.next());
            call.awaitReader(stallTimeout);
            if (!call.exchange().begun()) {
                call.begin(headers);
            }
            call.exchange().write(parts.take());
        }
        call.exchange().end(new byte[0]);
    }

    /** An export under way; asked by one thread of the desk after the other. */
    private static final class Parts {

        private final FocusHours hours;
        private final StringBuilder text = new StringBuilder();
        private final Map<String, PriceBook> books = new HashMap<>();
        private final FocusExport export;

        Parts(Ledger ledger, FocusHours hours, Basis basis, FocusExport.Reader reader) {
            this.hours = hours;
            this.export = new FocusExport(
                    basis,
                    reader,
                    ISSUER,
                    version -> books.computeIfAbsent(
                            version, missing -> PriceBook.parse("price book " + missing, ledger.priceBook(missing))),
                    text);
        }

        void check() {
            if (hours.rows() > MAX_ROWS || hours.longestHour() > MAX_HOUR) {
                throw ApiException.invalid(
                        "from",
                        "This is more than is exported over HTTP at once; ask about a shorter time, or use 'jeton"
                                + " export focus' on the server");
            }
        }

        /** Writes some hours; false once all are written. */
        boolean next() {
            for (int i = 0; i < PART_HOURS && text.length() < PART; i++) {
                if (!hours.next(export)) {
                    export.finish();
                    return false;
                }
            }
            return true;
        }

        /** What was written since this was called before. */
        byte[] take() {
            byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
            text.setLength(0);
            return bytes;
        }
    }
}
