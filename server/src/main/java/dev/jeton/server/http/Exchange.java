package dev.jeton.server.http;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * One request and its answer, used by the request's virtual thread alone. Either {@link #respond} once, or
 * {@link #begin}, any number of {@link #write}, and {@link #end}. An exchange whose handler returns without either is
 * closed with its connection.
 */
public interface Exchange {

    /** The request's method, {@code GET}. */
    String method();

    /** The request's path, decoded, without the query. */
    String path();

    /**
     * The query's parameters, decoded, in their order.
     *
     * @throws IllegalArgumentException where percent escapes are broken
     */
    Map<String, List<String>> query();

    /** A header field's first value; the name in small letters. */
    Optional<String> header(String name);

    /** Where the request comes from: an address without a port; empty where that is not known. */
    String remote();

    /** The request's body, whole; empty where it is {@link #arriving}. */
    byte[] body();

    /**
     * The request's body as it arrives, of a request for which {@link RequestHandler#mostArriving} says so.
     *
     * @throws IllegalStateException of any other
     */
    ArrivingBody arriving();

    /** Whether the client has closed the connection (or reset the stream). */
    boolean hungUp();

    /** Whether an answer has begun, so that its status cannot change any more. */
    boolean begun();

    /**
     * What to do as soon as the client hangs up; at once if it has. Runs on an event loop: must not block. Replaces the
     * action given before.
     */
    void onHangUp(Runnable action);

    /**
     * Keeps a copy of what is answered from now on.
     *
     * @param most most bytes of a body that is kept
     * @param whole given the copy once the answer is whole, before its last byte is sent
     */
    void record(int most, Consumer<Recording> whole);

    /** What is answered now is an error, though its status was sent before. */
    void fail();

    /** Answers whole. */
    void respond(int status, Map<String, String> headers, byte[] content);

    /** Begins a streamed answer; nothing is sent before the first write. */
    void begin(int status, Map<String, String> headers);

    /** Bytes of the answer's body that were handed over for sending so far; the writing thread only. */
    long bytesWritten();

    /** Sends a part of a streamed answer without waiting; see {@link #awaitWritable}. The array is kept. */
    void write(byte[] part);

    /** Ends a streamed answer with its last part. */
    void end(byte[] part);

    /**
     * Waits until what was written has drained enough that more may be written.
     *
     * @return false if the client read nothing for so long that {@code nanos} passed, or has hung up
     */
    boolean awaitWritable(long nanos) throws InterruptedException;

    /**
     * Whether the operating system has all that was written, and nobody hung up: from there on it goes out even if this
     * process dies.
     */
    boolean sent();

    /**
     * Waits until the operating system has all that was written: from there on it goes out even if this process dies.
     *
     * @return false if that took longer than {@code nanos}, or the client has hung up
     */
    boolean awaitSent(long nanos) throws InterruptedException;

    /** Closes the connection (resets the stream) with the answer unfinished. */
    void abort();
}
