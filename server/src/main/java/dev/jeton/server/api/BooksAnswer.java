package dev.jeton.server.api;

import java.util.LinkedHashMap;
import java.util.Map;

/** What every answer about the books has in its head. */
final class BooksAnswer {

    /** Up to when the ledger surely has this server's requests. */
    static final String AS_OF = "x-jeton-as-of";

    /** Where the next part of a report begins, as {@code after} takes it. */
    static final String NEXT = "x-jeton-next";

    static final String JSON = "application/json";
    static final String CSV = "text/csv; charset=utf-8";

    private BooksAnswer() {}

    static Map<String, String> headers(String contentType, String asOf) {
        Map<String, String> headers = new LinkedHashMap<>();
        headers.put("content-type", contentType);
        headers.put("cache-control", "no-store");
        headers.put(AS_OF, asOf);
        return headers;
    }
}
