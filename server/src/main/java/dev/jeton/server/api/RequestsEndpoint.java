package dev.jeton.server.api;

import dev.jeton.accounting.Filter;
import dev.jeton.accounting.Period;
import dev.jeton.accounting.Reports;
import dev.jeton.accounting.RequestRow;
import dev.jeton.accounting.Scope;
import dev.jeton.server.json.JsonWriter;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** {@code GET /v1/books/requests}: requests that ended, the last one first, a part at a time. */
final class RequestsEndpoint extends LedgerEndpoint {

    /** Most requests of an answer. */
    static final int MAX_LIMIT = 1_000;

    private static final int USUAL_LIMIT = 100;
    private static final Set<String> KNOWN =
            Set.of("period", "from", "to", "tenant", "project", "key", "model", "label", "task", "limit", "after");

    RequestsEndpoint(LedgerDesk desk) {
        super("books_requests", desk);
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        BooksQuery query = new BooksQuery(call, desk().now(), KNOWN);
        Scope scope = query.scope();
        Period time = query.span();
        Filter filter = query.filter();
        int limit = query.limit(USUAL_LIMIT, MAX_LIMIT);
        Optional<Reports.Cursor> after = query.after();
        // One more than is wanted tells whether there are more.
        LedgerDesk.Answered<BookedRequests> answered = desk().ask(
                        call,
                        (ledger, reports) -> BookedRequests.of(
                                ledger, reports.requests(scope, time.from(), time.until(), filter, after, limit + 1)));
        byte[] json = json(call.writer(), answered.value(), limit, call.caller().operator(), answered.asOf());
        call.answer(200, BooksAnswer.headers(BooksAnswer.JSON, answered.asOf()), json);
    }

    private static byte[] json(JsonWriter out, BookedRequests requests, int limit, boolean operator, String asOf) {
        List<RequestRow> rows =
                requests.rows().subList(0, Math.min(limit, requests.rows().size()));
        boolean more = requests.rows().size() > limit;
        out.beginObject();
        out.name("object").value("list");
        out.name("as_of").value(asOf);
        out.name("data").beginArray();
        for (RequestRow row : rows) {
            out.beginObject();
            requests.write(out, row, operator);
            out.endObject();
        }
        out.endArray();
        out.name("has_more").value(more);
        out.name("next");
        if (more) {
            out.value(
                    BooksQuery.cursor(rows.getLast().closedAt(), rows.getLast().id()));
        } else {
            out.nullValue();
        }
        return out.endObject().toBytes();
    }
}
