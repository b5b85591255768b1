package dev.jeton.server.api;

import dev.jeton.server.batch.Batch;
import dev.jeton.server.batch.BatchLine;
import dev.jeton.server.http.InnerExchange;
import java.util.Map;
import java.util.TreeMap;

/** Requests of batches, as if each had come over HTTP with the headers that the batch came with. */
final class InnerRequests {

    /** The label by which all requests of a batch are found in the books. */
    private static final String LABEL = "batch=";

    private InnerRequests() {}

    static InnerExchange of(BatchLine line, Batch batch) {
        Map<String, String> headers = new TreeMap<>(batch.asked().headers());
        headers.put(Labels.HEADER, labels(headers, batch.id()));
        headers.put("content-type", "application/json");
        return new InnerExchange(line.path(), headers, line.body());
    }

    /** The labels among headers, and the batch's own. */
    static String labels(Map<String, String> headers, String batch) {
        String given = headers.getOrDefault(Labels.HEADER, "");
        return given.isBlank() ? LABEL + batch : given + ", " + LABEL + batch;
    }
}
