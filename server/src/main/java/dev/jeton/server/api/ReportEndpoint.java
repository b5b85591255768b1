package dev.jeton.server.api;

import dev.jeton.accounting.Filter;
import dev.jeton.accounting.Period;
import dev.jeton.accounting.Scope;
import dev.jeton.server.json.JsonWriter;
import dev.jeton.server.reports.Audience;
import dev.jeton.server.reports.Report;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** {@code GET /v1/books/report}: what {@code jeton report} says, of the caller's tenant or, to an operator, of all. */
final class ReportEndpoint extends LedgerEndpoint {

    /** Most rows of an answer. */
    static final int MAX_ROWS = 10_000;

    private static final Set<String> KNOWN = Set.of(
            "by", "period", "from", "to", "tenant", "project", "key", "model", "label", "format", "limit", "after");

    ReportEndpoint(LedgerDesk desk) {
        super("books_report", desk);
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        BooksQuery query = new BooksQuery(call, desk().now(), KNOWN);
        Scope scope = query.scope();
        Audience audience = query.audience();
        Period time = query.span();
        Filter filter = query.filter();
        String by = query.by();
        boolean csv = query.choice("format", List.of("json", "csv")).equals("csv");
        Optional<Integer> limit = query.text("limit").map(given -> query.limit(MAX_ROWS, MAX_ROWS));
        Optional<String> after = query.group(by);
        int most = limit.orElse(MAX_ROWS);
        // One more than is wanted tells whether there are more.
        LedgerDesk.Answered<Report> answered = desk().ask(
                        call,
                        (ledger, reports) -> Report.of(reports, scope, audience, time, filter, by, after, most + 1));
        Report report = answered.value();
        Optional<String> next = Optional.empty();
        if (report.totals().size() > most) {
            if (limit.isEmpty()) {
                throw ApiException.invalid(
                        "by",
                        ("The report has more than %d rows; ask for parts by 'limit' and 'after', about a shorter time,"
                                        + " or divide by something else")
                                .formatted(MAX_ROWS));
            }
            report = report.first(most);
            next = Optional.of(BooksQuery.groupCursor(report.totals().getLast().group()));
        }
        byte[] content = csv
                ? report.csv().getBytes(StandardCharsets.UTF_8)
                : json(call.writer(), report, time, answered.asOf(), next);
        Map<String, String> headers = BooksAnswer.headers(csv ? BooksAnswer.CSV : BooksAnswer.JSON, answered.asOf());
        next.ifPresent(cursor -> headers.put(BooksAnswer.NEXT, cursor));
        call.answer(200, headers, content);
    }

    private static byte[] json(JsonWriter out, Report report, Period time, String asOf, Optional<String> next) {
        out.beginObject();
        out.name("object").value("books.report");
        out.name("as_of").value(asOf);
        out.name("from").value(text(time.from()));
        out.name("to").value(text(time.until()));
        report.write(out);
        out.name("has_more").value(next.isPresent());
        out.name("next");
        if (next.isPresent()) {
            out.value(next.get());
        } else {
            out.nullValue();
        }
        return out.endObject().toBytes();
    }

    private static String text(long micros) {
        return Instant.EPOCH.plus(micros, ChronoUnit.MICROS).toString();
    }
}
