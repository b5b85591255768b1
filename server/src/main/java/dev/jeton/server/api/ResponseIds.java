package dev.jeton.server.api;

import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Ids of responses and of their items: {@code resp_ID}, and {@code msg_ID_3} for its fourth item, so that an item's id
 * tells in which response it is.
 */
final class ResponseIds {

    private static final String PREFIX = "resp_";

    private ResponseIds() {}

    /** A response's, of its request's id; with something random behind that where the client chose it. */
    static String of(Call call) {
        boolean chosen =
                call.exchange().header("x-request-id").filter(call.id()::equals).isPresent();
        return PREFIX
                + call.id()
                + (chosen ? "_%016x".formatted(ThreadLocalRandom.current().nextLong()) : "");
    }

    /**
     * An item's.
     *
     * @param kind {@code msg}, {@code fc}, {@code fco} or {@code rs}
     * @param place what tells it from the response's others
     */
    static String item(String kind, String response, String place) {
        return kind + "_" + response.substring(PREFIX.length()) + "_" + place;
    }

    /** The id of a message, which is answered as a response is. */
    static String message(String response) {
        return "msg_" + response.substring(PREFIX.length());
    }

    /** The response that an item is in; empty where no item is called so. */
    static Optional<String> responseOf(String item) {
        int first = item.indexOf('_');
        int last = item.lastIndexOf('_');
        return first < 0 || last <= first ? Optional.empty() : Optional.of(PREFIX + item.substring(first + 1, last));
    }
}
