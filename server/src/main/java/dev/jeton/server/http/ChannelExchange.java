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

/** A request that came over a connection or in a stream of HTTP/2. */
final class ChannelExchange implements Exchange {

    private final Channel channel;
    private final HttpRequest head;
    private final byte[] body;
    private final String path;
    private final Optional<ArrivingBody> arriving;
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
    private volatile boolean closes;
    private @Nullable Runnable onHangUp;
    private @Nullable Recording recording;

    /**
     * @param arriving the body, where it is not whole yet
     * @param keepAlive whether the client wants to go on with the connection
     * @param unsent told of bytes of the answer's end that are handed over; what it gives is run once they are sent
     * @param complete told on the event loop once the whole answer is to be sent
     * @param answered told on the event loop once it is sent
     */
    ChannelExchange(
            Channel channel,
            HttpRequest head,
            byte[] body,
            Optional<ArrivingBody> arriving,
            boolean keepAlive,
            IntFunction<Runnable> unsent,
            Runnable complete,
            Runnable answered) {
        this.channel = channel;
        this.head = head;
        this.body = body;
        this.arriving = arriving;
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

    @Override
    public String method() {
        return head.method().name();
    }

    @Override
    public String path() {
        return path;
    }

    @Override
    public Map<String, List<String>> query() {
        return QueryStringDecoder.builder()
                .semicolonIsNormalChar(true)
                .build(head.uri())
                .parameters();
    }

    @Override
    public Optional<String> header(String name) {
        return Optional.ofNullable(head.headers().get(name));
    }

    @Override
    public String remote() {
        Channel connection =
                channel.parent() instanceof Channel parent && !(parent instanceof ServerChannel) ? parent : channel;
        return connection.remoteAddress() instanceof InetSocketAddress address && address.getAddress() != null
                ? address.getAddress().getHostAddress()
                : "";
    }

    @Override
    public byte[] body() {
        return body;
    }

    @Override
    public ArrivingBody arriving() {
        return arriving.orElseThrow(() -> new IllegalStateException("the body is whole"));
    }

    @Override
    public boolean hungUp() {
        return hungUp;
    }

    @Override
    public boolean begun() {
        return begun;
    }

    @Override
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

    @Override
    public void record(int most, Consumer<Recording> whole) {
        recording = new Recording(most, whole);
    }

    @Override
    public void fail() {
        if (recording != null) {
            recording.fail();
        }
    }

    @Override
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

    @Override
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

    @Override
    public long bytesWritten() {
        return bytesWritten;
    }

    @Override
    public void write(byte[] part) {
        if (!hungUp && part.length > 0) {
            bytesWritten += part.length;
            if (recording != null) {
                recording.add(part);
            }
            lastWrite = Optional.of(channel.writeAndFlush(new DefaultHttpContent(Unpooled.wrappedBuffer(part))));
        }
    }

    @Override
    public void end(byte[] part) {
        bytesWritten += part.length;
        if (recording != null) {
            recording.end(part);
        }
        last(new DefaultLastHttpContent(Unpooled.wrappedBuffer(part)), part.length);
    }

    @Override
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

    @Override
    public boolean sent() {
        return !hungUp && (lastWrite.isEmpty() || lastWrite.get().isSuccess());
    }

    @Override
    public boolean awaitSent(long nanos) throws InterruptedException {
        return lastWrite.isEmpty()
                || lastWrite.get().await(nanos, TimeUnit.NANOSECONDS)
                        && lastWrite.get().isSuccess();
    }

    @Override
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

    /** Whether the connection ends with the answer, which its client is told. */
    boolean closes() {
        return closes;
    }

    /** What is left of a body that nobody reads is not the next request. */
    private void setHeaders(HttpHeaders target, Map<String, String> headers) {
        headers.forEach(target::set);
        closes = !keepAlive || !arriving.map(ArrivingBody::whole).orElse(true);
        if (closes) {
            target.set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
        }
    }
}
