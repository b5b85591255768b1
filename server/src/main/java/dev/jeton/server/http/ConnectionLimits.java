package dev.jeton.server.http;

import dev.jeton.server.config.Configuration.HttpSettings;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** Counts connections and buffered bytes of a listener against their bounds; thread-safe. */
final class ConnectionLimits {

    private final HttpSettings settings;
    private final AtomicInteger open = new AtomicInteger();
    private final AtomicLong refused = new AtomicLong();
    private final AtomicLong buffered = new AtomicLong();
    private final AtomicInteger answering = new AtomicInteger();
    private final AtomicLong refusedRequests = new AtomicLong();
    private final UnsentAnswers unsent;

    ConnectionLimits(HttpSettings settings) {
        this.settings = settings;
        unsent = new UnsentAnswers(settings.maxBuffered());
    }

    /** Answers that clients have not read; as many bytes as those of requests' bodies. */
    UnsentAnswers unsent() {
        return unsent;
    }

    /**
     * Counts a new connection until it closes; at the bound it is closed.
     *
     * @param plain whether it is told so: who is about to encrypt would take plain text for a broken server
     */
    boolean admit(Channel channel, boolean plain) {
        if (open.incrementAndGet() > settings.maxConnections()) {
            open.decrementAndGet();
            refused.incrementAndGet();
            if (!plain) {
                channel.close();
                return false;
            }
            byte[] answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                    .getBytes(StandardCharsets.US_ASCII);
            channel.writeAndFlush(Unpooled.wrappedBuffer(answer)).addListener(ChannelFutureListener.CLOSE);
            return false;
        }
        channel.closeFuture().addListener(closed -> open.decrementAndGet());
        return true;
    }

    /** Takes room for bytes of a body; false where there is none. */
    boolean reserve(int bytes) {
        if (buffered.addAndGet(bytes) > settings.maxBuffered()) {
            buffered.addAndGet(-bytes);
            return false;
        }
        return true;
    }

    void release(int bytes) {
        buffered.addAndGet(-bytes);
    }

    /** A request's virtual thread has begun. */
    void answerBegun() {
        answering.incrementAndGet();
    }

    /** A request's virtual thread has ended. */
    void answerEnded() {
        answering.decrementAndGet();
    }

    /** Virtual threads that answer requests. */
    int answering() {
        return answering.get();
    }

    void countRefusedRequest() {
        refusedRequests.incrementAndGet();
    }

    ConnectionStats stats() {
        return new ConnectionStats(
                open.get(),
                settings.maxConnections(),
                refused.get(),
                buffered.get(),
                settings.maxBuffered(),
                refusedRequests.get(),
                unsent.bytes());
    }
}
