package dev.jeton.server.http;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Bounds what a client can make TLS itself write to it, and never reads: each request for new keys (RFC 8446, section
 * 4.6.3) is replied to at once, wherever the answers stand. Stands between the socket and TLS, whose replies are what
 * is written while something is read; of those some may wait for the client, and past the bound it is cut off. Event
 * loop.
 */
final class UnreadReplies extends ChannelDuplexHandler {

    private static final Logger LOG = LoggerFactory.getLogger(UnreadReplies.class);
    /** More than HTTP/2 has under way of such. */
    private static final int MOST = 1_024;
    /** Bytes of one; what is longer are answers, which HTTP/2 sends when it reads that the client has room for more. */
    private static final int LONGEST = 64;

    private boolean reading;
    private int unread;

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        reading = true;
        try {
            ctx.fireChannelRead(message);
        } finally {
            reading = false;
        }
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
        if (!reading || !(message instanceof ByteBuf record) || record.readableBytes() > LONGEST) {
            ctx.write(message, promise);
            return;
        }
        unread++;
        ctx.write(message, promise.unvoid().addListener(written -> unread--));
        if (unread > MOST) {
            LOG.debug("{} reads none of {} replies", ctx.channel().remoteAddress(), unread);
            ctx.close();
        }
    }
}
