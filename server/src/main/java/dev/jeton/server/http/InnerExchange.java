package dev.jeton.server.http;

import java.io.ByteArrayOutputStream;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * A POST that the server asks itself for somebody who is not connected; its answer is gathered. Nobody reads it before
 * it is whole, so nobody is slow and nobody hangs up. Used by one thread.
 */
public final class InnerExchange implements Exchange {

    private final String path;
    private final Map<String, String> headers = new TreeMap<>();
    private final byte[] body;
    private final ByteArrayOutputStream answer = new ByteArrayOutputStream();
    private Map<String, String> answerHeaders = Map.of();
    private int status;
    private boolean ended;

    /** @param headers by names in small letters */
    public InnerExchange(String path, Map<String, String> headers, byte[] body) {
        this.path = path;
        this.headers.putAll(headers);
        this.body = body;
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
    public String method() {
        return "POST";
    }

    @Override
    public String path() {
        return path;
    }

    @Override
    public Map<String, List<String>> query() {
        return Map.of();
    }

    @Override
    public Optional<String> header(String name) {
        return Optional.ofNullable(headers.get(name.toLowerCase(Locale.ROOT)));
    }

    @Override
    public String remote() {
        return "";
    }

    @Override
    public byte[] body() {
        return body;
    }

    @Override
    public ArrivingBody arriving() {
        throw new IllegalStateException("the body is whole");
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
    public void record(int most, Consumer<Recording> whole) {
        throw new IllegalStateException("who asks itself does not repeat itself");
    }

    @Override
    public void fail() {}

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
