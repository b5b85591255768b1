package dev.jeton.server.http;

import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/** What answers requests. */
public interface RequestHandler {

    /**
     * Answers one request; called on a virtual thread of its own that ends with this call.
     *
     * @throws InterruptedException if the server is closing; the connection is then closed
     */
    void handle(Exchange exchange) throws InterruptedException;

    /**
     * Most bytes of a request's body that is given to {@link #handle} as it arrives; 0 where it is held until it is
     * whole, within the bounds of all. Called on an event loop: must not block.
     *
     * @param path the request's as {@link Exchange#path}
     */
    default long mostArriving(String method, String path) {
        return 0;
    }

    /**
     * The body of an answer to a request that never became one (too large, too slow, malformed). Called on an event
     * loop: must not block.
     *
     * @param status the answer's status
     * @param path the request's as {@link Exchange#path}; empty where that is not known
     * @param message what is wrong and which bound was passed
     */
    byte[] refusal(int status, String path, String message);

    /**
     * Further header fields of such an answer. Called as {@link #refusal} is.
     *
     * @param request a field of the request by its name; none where its head did not arrive whole
     */
    default Map<String, String> refusalHeaders(Function<String, Optional<String>> request) {
        return Map.of();
    }
}
