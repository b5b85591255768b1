package dev.jeton.server.http;

import java.io.ByteArrayOutputStream;
import java.util.Map;
import java.util.function.Consumer;

/** A copy of one answer, as long as it is no longer than a bound. Used by the thread that answers. */
public final class Recording {

    private final int most;
    private final ByteArrayOutputStream body = new ByteArrayOutputStream();
    private Map<String, String> headers = Map.of();
    private final Consumer<Recording> whole;
    private int status;
    private boolean tooLong;
    private boolean failed;

    /**
     * Nothing yet.
     *
     * @param most most bytes of the body
     * @param whole given this at the end
     */
    Recording(int most, Consumer<Recording> whole) {
        this.most = most;
        this.whole = whole;
    }

    void begin(int answerStatus, Map<String, String> answerHeaders) {
        status = answerStatus;
        headers = Map.copyOf(answerHeaders);
    }

    void add(byte[] part) {
        tooLong |= part.length > most - body.size();
        if (tooLong) {
            body.reset();
        } else {
            body.writeBytes(part);
        }
    }

    void fail() {
        failed = true;
    }

    void end(byte[] part) {
        add(part);
        whole.accept(this);
    }

    /** Status of the answer; 0 before it has begun. */
    public int status() {
        return status;
    }

    /** Whether the answer went well: a status of 2xx, and no error at its end. */
    public boolean wentWell() {
        return status / 100 == 2 && !failed;
    }

    /** Header fields of the answer. */
    public Map<String, String> headers() {
        return headers;
    }

    /** Whether it was longer than the bound: then there is no body. */
    public boolean tooLong() {
        return tooLong;
    }

    /** The body. */
    public byte[] body() {
        return body.toByteArray();
    }
}
