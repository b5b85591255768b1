package dev.jeton.server.http;

import dev.jeton.server.config.Configuration.HttpSettings;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Ends connections that are idle or slow. First in the pipeline, so that it sees a request's first byte.
 *
 * <p>The time-outs run over whole phases (head, body) and not from byte to byte, so a client that sends one byte a
 * second cannot hold a connection for longer than a fast one. One scheduled task per connection looks at the deadline
 * in force when it wakes, so moving the deadline costs one store.
 */
final class RequestTimer extends ChannelInboundHandlerAdapter {

    /** What the connection is waiting for. */
    enum Phase {
        IDLE,
        HEAD,
        BODY,
        /** The server's turn: no deadline. */
        ANSWER,
        /** The client's turn to read the end of an answer. */
        SENDING
    }

    private final HttpSettings settings;
    private final Duration stallTimeout;
    private final boolean bytesBeginRequests;
    private Phase phase = Phase.IDLE;
    private long deadline = Long.MAX_VALUE;
    private long scheduledFor = Long.MAX_VALUE;
    private long unsent = Long.MAX_VALUE;
    private @Nullable ChannelHandlerContext context;
    private @Nullable Runnable expired;

    /**
     * @param stallTimeout how long a client may leave the end of an answer unread
     * @param bytesBeginRequests whether bytes that arrive while idle begin a request (HTTP/1.1)
     */
    RequestTimer(HttpSettings settings, Duration stallTimeout, boolean bytesBeginRequests) {
        this.settings = settings;
        this.stallTimeout = stallTimeout;
        this.bytesBeginRequests = bytesBeginRequests;
    }

    /** What to do at a deadline instead of closing; asked on the event loop. */
    void onExpired(Runnable action) {
        expired = action;
    }

    Phase phase() {
        return phase;
    }

    void enter(Phase next) {
        phase = next;
        deadline = switch (next) {
            case IDLE -> after(settings.idleTimeout());
            case HEAD -> after(settings.headerTimeout());
            case BODY -> after(settings.bodyTimeout());
            case SENDING -> after(stallTimeout);
            case ANSWER -> Long.MAX_VALUE;
        };
        unsent = Long.MAX_VALUE;
        schedule();
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        context = ctx;
        enter(Phase.IDLE);
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        context = null;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        if (bytesBeginRequests && phase == Phase.IDLE) {
            enter(Phase.HEAD);
        }
        ctx.fireChannelRead(message);
    }

    private static long after(Duration time) {
        return System.nanoTime() + time.toNanos();
    }

    private void schedule() {
        ChannelHandlerContext ctx = context;
        // A task that wakes too early looks again; only a nearer deadline needs a task of its own.
        if (ctx == null || deadline == Long.MAX_VALUE || scheduledFor <= deadline) {
            return;
        }
        long at = deadline;
        scheduledFor = at;
        ctx.executor().schedule(() -> wake(at), at - System.nanoTime(), TimeUnit.NANOSECONDS);
    }

    private void wake(long at) {
        if (at != scheduledFor) {
            return;
        }
        scheduledFor = Long.MAX_VALUE;
        ChannelHandlerContext ctx = context;
        if (ctx == null || !ctx.channel().isActive()) {
            return;
        }
        if (deadline == Long.MAX_VALUE || deadline - System.nanoTime() > 0) {
            schedule();
        } else if (phase == Phase.SENDING && progressed(ctx.channel())) {
            deadline = after(stallTimeout);
            schedule();
        } else if (expired != null) {
            expired.run();
        } else {
            ctx.close();
        }
    }

    /** Whether something was sent since the last look; a stream of HTTP/2 does not tell, and has its time but once. */
    private boolean progressed(Channel channel) {
        ChannelOutboundBuffer buffer = channel.unsafe().outboundBuffer();
        if (buffer == null) {
            return false;
        }
        long before = unsent;
        unsent = buffer.totalPendingWriteBytes() - buffer.currentProgress();
        return unsent < before;
    }
}
