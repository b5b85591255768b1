package dev.jeton.server.http;

import java.io.ByteArrayOutputStream;
import java.util.Map;
import java.util.Optional;

/**
 * A POST that the server asks itself for somebody who is not connected; its answer is gathered. Nobody reads it before
 * it is whole, so nobody is slow and nobody hangs up. Used by one thread.
 */
public final class InnerExchange extends OwnExchange {

    private final ByteArrayOutputStream answer = new ByteArrayOutputStream();
    private Map<String, String> answerHeaders = Map.of();
    private int status;
    private boolean ended;

    /** @param headers by names in small letters */
    public InnerExchange(String path, Map<String, String> headers, byte[] body) {
        super(path, headers, body);
    }

    /** Status of the answer; 0 where there is none. */
    public int status() {
        return ended ? status : 0;
    }

    /** A header field of the answer. */
    public Optional<String> answerHeader(String name) {
        return Optional.ofNullable(answerHeaders.get(name));
    }

    /** The answer's body. */
    public byte[] answer() {
        return answer.toByteArray();
    }

    @Override
    public boolean hungUp() {
        return false;
    }

    @Override
    public boolean begun() {
        return status != 0;
    }

    @Override
    public void onHangUp(Runnable action) {}

    @Override
    public void respond(int answerStatus, Map<String, String> fields, byte[] content) {
        begin(answerStatus, fields);
        end(content);
    }

    @Override
    public void begin(int answerStatus, Map<String, String> fields) {
        if (begun()) {
            throw new IllegalStateException("an exchange is answered once");
        }
        status = answerStatus;
        answerHeaders = Map.copyOf(fields);
    }

    @Override
    public long bytesWritten() {
        return answer.size();
    }

    @Override
    public void write(byte[] part) {
        answer.writeBytes(part);
    }

    @Override
    public void end(byte[] part) {
        answer.writeBytes(part);
        ended = true;
    }

    @Override
    public boolean awaitWritable(long nanos) {
        return true;
    }

    @Override
    public boolean sent() {
        return true;
    }

    @Override
    public boolean awaitSent(long nanos) {
        return true;
    }

    @Override
    public void abort() {
        ended = false;
    }
}
