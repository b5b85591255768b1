package dev.jeton.server.api;

import dev.jeton.accounting.RequestRow;
import dev.jeton.accounting.Scope;
import dev.jeton.server.json.JsonWriter;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * {@code GET /v1/books/requests/ID}: one request, by its id in the books or by the one that its answer told. Another
 * tenant's is answered as one that never was.
 */
final class RequestEndpoint extends LedgerEndpoint {

    /** Where ids follow. */
    static final String BELOW = "/v1/books/requests/";

    RequestEndpoint(LedgerDesk desk) {
        super("books_request", desk);
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        Scope scope = new BooksQuery(call, desk().now(), Set.of("tenant")).scope();
        String id = call.exchange().path().substring(BELOW.length());
        LedgerDesk.Answered<BookedRequests> answered = desk().ask(call, (ledger, reports) -> {
            Optional<RequestRow> row =
                    reports.request(scope, id).or(() -> reports.newest(scope, RequestIds.beginningInBooks(id)));
            return BookedRequests.of(ledger, row.stream().toList());
        });
        List<RequestRow> rows = answered.value().rows();
        if (rows.isEmpty()) {
            throw new ApiException(
                    404,
                    ApiException.INVALID_REQUEST,
                    "id",
                    "request_not_found",
                    "The books have no request of that id; one that has just ended comes some seconds later");
        }
        JsonWriter out = call.writer().beginObject();
        answered.value().write(out, rows.getFirst(), call.caller().operator());
        out.name("as_of").value(answered.asOf()).endObject();
        call.answer(200, BooksAnswer.headers(BooksAnswer.JSON, answered.asOf()), out.toBytes());
    }
}
