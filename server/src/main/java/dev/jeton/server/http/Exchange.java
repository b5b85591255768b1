package dev.jeton.server.http;

import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ServerChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.DefaultLastHttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.QueryStringDecoder;
import io.netty.util.ReferenceCountUtil;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * One request and its answer, used by the request's virtual thread alone. Either {@link #respond} once, or
 * {@link #begin}, any number of {@link #write}, and {@link #end}. An exchange whose handler returns without either is
 * closed with its connection.
 */
public final class Exchange {

    private final Channel channel;
    private final HttpRequest head;
    private final byte[] body;
    private final String path;
    private final boolean keepAlive;
    private final Runnable complete;
    private final Runnable answered;
    private final IntFunction<Runnable> unsent;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition writable = lock.newCondition();
    private volatile boolean hungUp;
    private long bytesWritten;
    private Optional<ChannelFuture> lastWrite = Optional.empty();
    private volatile boolean begun;
    private volatile boolean ended;
    private @Nullable Runnable onHangUp;
    private @Nullable Recording recording;

    /**
     * @param unsent told of bytes of the answer's end that are handed over; what it gives is run once they are sent
     * @param complete told on the event loop once the whole answer is to be sent
     * @param answered told on the event loop once it is sent
     */
    Exchange(
            Channel channel,
            HttpRequest head,
            byte[] body,
            boolean keepAlive,
            IntFunction<Runnable> unsent,
            Runnable complete,
            Runnable answered) {
        this.channel = channel;
        this.head = head;
        this.body = body;
        this.keepAlive = keepAlive;
        this.unsent = unsent;
        this.complete = complete;
        this.answered = answered;
        this.path = decodedPath(head.uri());
    }

    /** The path in a request's target, decoded, without the query. */
    static String decodedPath(String uri) {
        try {
            return new QueryStringDecoder(uri).path();
        } catch (IllegalArgumentException e) {
            // Broken percent escapes: as they stand they match no path, which is what the client is told.
            return uri;
        }
    }

    /** The request's method, {@code GET}. */
    public String method() {
        return head.method().name();
    }

    /** The request's path, decoded, without the query. */
    public String path() {
        return path;
    }

    /**
     * The query's parameters, decoded, in their order.
     *
     * @throws IllegalArgumentException where percent escapes are broken
     */
    public Map<String, List<String>> query() {
        return QueryStringDecoder.builder()
                .semicolonIsNormalChar(true)
                .build(head.uri())
                .parameters();
    }

    /** A header field's first value. */
    public Optional<String> header(String name) {
        return Optional.ofNullable(head.headers().get(name));
    }

    /** Where the request comes from: an address without a port; empty where that is not known. */
    public String remote() {
        Channel connection =
                channel.parent() instanceof Channel parent && !(parent instanceof ServerChannel) ? parent : channel;
        return connection.remoteAddress() instanceof InetSocketAddress address && address.getAddress() != null
                ? address.getAddress().getHostAddress()
                : "";
    }

    /** The request's body, whole. */
    public byte[] body() {
        return body;
    }

    /** Whether the client has closed the connection (or reset the stream). */
    public boolean hungUp() {
        return hungUp;
    }

    /** Whether an answer has begun, so that its status cannot change any more. */
    public boolean begun() {
        return begun;
    }

    /**
     * What to do as soon as the client hangs up; at once if it has. Runs on an event loop: must not block. Replaces the
     * action given before.
     */
    public void onHangUp(Runnable action) {
        boolean already;
        lock.lock();
        try {
            onHangUp = action;
            already = hungUp;
        } finally {
            lock.unlock();
        }
        if (already) {
            action.run();
        }
    }

    /**
     * Keeps a copy of what is answered from now on.
     *
     * @param most most bytes of a body that is kept
     * @param whole given the copy once the answer is whole, before its last byte is sent
     */
    public void record(int most, Consumer<Recording> whole) {
        recording = new Recording(most, whole);
    }

    /** What is answered now is an error, though its status was sent before. */
    public void fail() {
        if (recording != null) {
            recording.fail();
        }
    }

    /** Answers whole. */
    public void respond(int status, Map<String, String> headers, byte[] content) {
        requireFresh();
        begun = true;
        boolean headOnly = method().equals("HEAD");
        DefaultFullHttpResponse response = new DefaultFullHttpResponse(
                HttpVersion.HTTP_1_1,
                HttpResponseStatus.valueOf(status),
                headOnly ? Unpooled.EMPTY_BUFFER : Unpooled.wrappedBuffer(content));
        setHeaders(response.headers(), headers);
        response.headers().set(HttpHeaderNames.CONTENT_LENGTH, content.length);
        bytesWritten += content.length;
        if (recording != null) {
            recording.begin(status, headers);
            recording.end(content);
        }
        last(response, content.length);
    }

    /** Begins a streamed answer; nothing is sent before the first write. */
    public void begin(int status, Map<String, String> headers) {
        requireFresh();
        begun = true;
        HttpResponse response = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.valueOf(status));
        setHeaders(response.headers(), headers);
        if (head.protocolVersion().isKeepAliveDefault()) {
            response.headers().set(HttpHeaderNames.TRANSFER_ENCODING, HttpHeaderValues.CHUNKED);
        }
        if (recording != null) {
            recording.begin(status, headers);
        }
        channel.write(response);
    }

    /** Bytes of the answer's body that were handed over for sending so far; the writing thread only. */
    public long bytesWritten() {
        return bytesWritten;
    }

    /** Sends a part of a streamed answer without waiting; see {@link #awaitWritable}. The array is kept. */
    public void write(byte[] part) {
        if (!hungUp && part.length > 0) {
            bytesWritten += part.length;
            if (recording != null) {
                recording.add(part);
            }
            lastWrite = Optional.of(channel.writeAndFlush(new DefaultHttpContent(Unpooled.wrappedBuffer(part))));
        }
    }

    /** Ends a streamed answer with its last part. */
    public void end(byte[] part) {
        bytesWritten += part.length;
        if (recording != null) {
            recording.end(part);
        }
        last(new DefaultLastHttpContent(Unpooled.wrappedBuffer(part)), part.length);
    }

    /**
     * Waits until what was written has drained enough that more may be written.
     *
     * @return false if the client read nothing for so long that {@code nanos} passed, or has hung up
     */
    public boolean awaitWritable(long nanos) throws InterruptedException {
        if (channel.isWritable()) {
            return !hungUp;
        }
        long left = nanos;
        lock.lock();
        try {
            while (!hungUp && !channel.isWritable()) {
                if (left <= 0) {
                    return false;
                }
                left = writable.awaitNanos(left);
            }
            return !hungUp;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Whether the operating system has all that was written, and nobody hung up: from there on it goes out even if this
     * process dies.
     */
    public boolean sent() {
        return !hungUp && (lastWrite.isEmpty() || lastWrite.get().isSuccess());
    }

    /**
     * Waits until the operating system has all that was written: from there on it goes out even if this process dies.
     *
     * @return false if that took longer than {@code nanos}, or the client has hung up
     */
    public boolean awaitSent(long nanos) throws InterruptedException {
        return lastWrite.isEmpty()
                || lastWrite.get().await(nanos, TimeUnit.NANOSECONDS)
                        && lastWrite.get().isSuccess();
    }

    /** Closes the connection (resets the stream) with the answer unfinished. */
    public void abort() {
        ended = true;
        channel.close();
    }

    /** Whether the answer is complete or aborted. */
    boolean ended() {
        return ended;
    }

    /** Wakes a writer; event loop. */
    void writabilityChanged() {
        lock.lock();
        try {
            writable.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** The connection is gone; event loop. */
    void connectionLost() {
        Runnable action;
        lock.lock();
        try {
            hungUp = true;
            action = onHangUp;
            writable.signalAll();
        } finally {
            lock.unlock();
        }
        if (action != null && !ended) {
            action.run();
        }
    }

    private void requireFresh() {
        if (begun || ended) {
            throw new IllegalStateException("an exchange is answered once");
        }
    }

    private void last(Object message, int bytes) {
        ended = true;
        if (hungUp) {
            ReferenceCountUtil.release(message);
            return;
        }
        channel.eventLoop().execute(complete);
        Runnable sent = unsent.apply(bytes);
        channel.writeAndFlush(message).addListener(written -> {
            sent.run();
            answered.run();
        });
    }

    private void setHeaders(HttpHeaders target, Map<String, String> headers) {
        headers.forEach(target::set);
        if (!keepAlive) {
            target.set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
        }
    }
}
