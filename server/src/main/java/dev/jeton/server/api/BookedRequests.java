package dev.jeton.server.api;

import dev.jeton.accounting.Ledger;
import dev.jeton.accounting.Money;
import dev.jeton.accounting.PriceBook;
import dev.jeton.accounting.RequestRow;
import dev.jeton.server.json.JsonWriter;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Requests of the books as JSON.
 *
 * @param rows the requests
 * @param currencies of their list prices, by version of the price book
 */
record BookedRequests(List<RequestRow> rows, Map<String, String> currencies) {

    /** With the currencies that the ledger knows of; to be asked at the desk. */
    static BookedRequests of(Ledger ledger, List<RequestRow> rows) {
        Map<String, String> currencies = new HashMap<>();
        rows.stream()
                .map(RequestRow::priceBook)
                .distinct()
                .forEach(version -> currencies.put(
                        version,
                        PriceBook.parse("price book " + version, ledger.priceBook(version))
                                .currency()
                                .getCurrencyCode()));
        return new BookedRequests(rows, currencies);
    }

    /**
     * Writes one into an open object.
     *
     * @param operator whether also what depends on other callers, and where it ran
     */
    void write(JsonWriter out, RequestRow row, boolean operator) {
        out.name("id").value(row.id());
        out.name("object").value("books.request");
        out.name("tenant").value(row.payer().tenant());
        out.name("project").value(row.payer().project());
        out.name("key").value(row.payer().key());
        out.name("model").value(row.model());
        out.name("labels").tree(row.labels());
        out.name("task").value(row.tags().task());
        out.name("prompt_version").value(row.tags().promptVersion());
        out.name("route").value(row.tags().route());
        out.name("context_bucket").value(row.context().text());
        out.name("fallback").value(row.tags().fallback());
        out.name("retries").value(row.retries());
        out.name("work").value(row.work().text());
        out.name("opened_at").value(time(row.openedAt()));
        out.name("closed_at");
        if (row.outcome().isPresent()) {
            out.value(time(row.closedAt()));
        } else {
            out.nullValue();
        }
        out.name("outcome")
                .value(row.outcome()
                        .map(outcome -> outcome.name().toLowerCase(Locale.ROOT))
                        .orElse("open"));
        out.name("tokens").beginObject();
        out.name("input").value(row.tokens().input());
        out.name("cached").value(row.tokens().cached());
        out.name("output").value(row.tokens().output());
        out.endObject();
        out.name("egress_bytes").value(row.egressBytes());
        out.name("zone_from").value(row.zones().from());
        out.name("zone_to").value(row.zones().to());
        out.name("queue_ms").value(millis(row.queueNanos()));
        out.name("first_token_ms").value(millis(row.firstTokenNanos()));
        out.name("total_ms").value(millis(row.totalNanos()));
        if (operator) {
            out.name("node").value(row.node());
            out.name("granted_tokens").value(row.granted());
            out.name("confirmed_tokens").value(row.confirmed());
            out.name("device_ms").value(millis(row.payable()));
            out.name("house_device_ms").value(millis(row.house()));
            out.name("joules").value(row.microjoules() / 1e6);
        }
        cost(out, row, operator);
    }

    private void cost(JsonWriter out, RequestRow row, boolean operator) {
        out.name("cost").beginObject();
        out.name("currency").value(currencies.getOrDefault(row.priceBook(), ""));
        out.name("price_book").value(row.priceBook());
        out.name("list").value(Money.text(row.list()));
        out.name("egress").value(Money.text(row.egress()));
        if (operator) {
            out.name("metered").value(Money.text(row.metered()));
            out.name("margin").value(Money.text(row.margin()));
            out.name("house").value(Money.text(row.houseMoney()));
        }
        out.endObject();
    }

    private static String time(long micros) {
        return Instant.EPOCH.plus(micros, ChronoUnit.MICROS).toString();
    }

    private static double millis(long nanos) {
        return Math.rint(nanos / 1e3) / 1e3;
    }
}
