package dev.jeton.server.http;

import dev.jeton.server.tls.Tls;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.OptionalSslHandler;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.ReferenceCountUtil;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * First on a connection that is to be encrypted: looks whether it is. Who speaks plain HTTP is told so, in plain HTTP;
 * who goes on for too long without coming to an end of the handshake is cut off.
 */
final class TlsGate extends OptionalSslHandler {

    private static final Logger LOG = LoggerFactory.getLogger(TlsGate.class);
    /** For the last record of a connection, to clients that do not read. */
    private static final long GOODBYE_MILLIS = 1_000;

    private static final String TEXT = "This port speaks TLS: use https in place of http.\n";
    private static final byte[] ANSWER = ("HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: "
                    + TEXT.length() + "\r\nconnection: close\r\n\r\n" + TEXT)
            .getBytes(StandardCharsets.US_ASCII);

    private final Tls tls;
    private final long handshakeMillis;

    /** @param handshakeTimeout longest time of a handshake */
    TlsGate(Tls tls, Duration handshakeTimeout) {
        super(tls.context());
        this.tls = tls;
        handshakeMillis = handshakeTimeout.toMillis();
    }

    @Override
    protected SslHandler newSslHandler(ChannelHandlerContext context, SslContext sslContext) {
        OneHandshake handshake = new OneHandshake(tls.handshakes());
        SslHandler handler = sslContext.newHandler(context.alloc(), handshake);
        handler.handshakeFuture().addListener(done -> handshake.over());
        handler.setHandshakeTimeoutMillis(handshakeMillis);
        handler.setCloseNotifyFlushTimeoutMillis(GOODBYE_MILLIS);
        return handler;
    }

    @Override
    protected ChannelHandler newNonSslHandler(ChannelHandlerContext context) {
        tls.handshakeFailed();
        return new PlainText();
    }

    /**
     * Runs what one connection's handshake computes, and nothing once that is over. What comes then is a client of TLS
     * 1.2 that wants another: Java would go along, so that one connection could keep all these threads busy for as long
     * as it likes (CVE-2011-1473). Refusing the task ends the connection. TLS 1.3 has no such tasks.
     */
    private static final class OneHandshake implements Executor {
        private final Executor handshakes;
        private volatile boolean over;

        OneHandshake(Executor handshakes) {
            this.handshakes = handshakes;
        }

        void over() {
            over = true;
        }

        @Override
        public void execute(Runnable task) {
            if (over) {
                throw new RejectedExecutionException("a connection shakes hands once");
            }
            handshakes.execute(task);
        }
    }

    /** Answers whatever comes, once, and drops what a client still sends for a moment: it would not read the answer. */
    private static final class PlainText extends ChannelInboundHandlerAdapter {
        private boolean answered;

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object message) {
            ReferenceCountUtil.release(message);
            if (!answered) {
                answered = true;
                ctx.writeAndFlush(Unpooled.wrappedBuffer(ANSWER))
                        .addListener(written -> RequestCollector.endOutput(ctx.channel()));
                ctx.executor().schedule(() -> ctx.close(), RequestCollector.LINGER_MILLIS, TimeUnit.MILLISECONDS);
            }
        }
    }

    /** Behind the gate: counts handshakes that fail, and closes what the client has closed, or is no TLS any more. */
    static final class Watch extends ChannelInboundHandlerAdapter {
        private final Tls tls;

        Watch(Tls tls) {
            this.tls = tls;
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof SslHandshakeCompletionEvent handshake && !handshake.isSuccess()) {
                tls.handshakeFailed();
                LOG.debug("a handshake with {} failed", ctx.channel().remoteAddress(), handshake.cause());
            }
            if (event instanceof SslCloseCompletionEvent) {
                // as in plain text, where half a connection is none: nothing more can be sent over TLS 1.2
                ctx.close();
            }
            ctx.fireUserEventTriggered(event);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            LOG.debug("{} is no TLS any more", ctx.channel().remoteAddress(), cause);
            ctx.close();
        }
    }
}
