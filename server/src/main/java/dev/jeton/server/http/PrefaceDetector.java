package dev.jeton.server.http;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Consumer;

/** Looks at a connection's first bytes: HTTP/2's preface (prior knowledge) or anything else (HTTP/1.1). */
final class PrefaceDetector extends ByteToMessageDecoder {

    private static final byte[] PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII);

    private final Consumer<ChannelHandlerContext> http1;
    private final Consumer<ChannelHandlerContext> http2;

    /**
     * @param http1 adds the handlers for HTTP/1.1 to the pipeline
     * @param http2 adds the handlers for HTTP/2 to the pipeline
     */
    PrefaceDetector(Consumer<ChannelHandlerContext> http1, Consumer<ChannelHandlerContext> http2) {
        this.http1 = http1;
        this.http2 = http2;
    }

    @Override
    protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) {
        int length = Math.min(in.readableBytes(), PREFACE.length);
        boolean matches = true;
        for (int i = 0; i < length && matches; i++) {
            matches = in.getByte(in.readerIndex() + i) == PREFACE[i];
        }
        if (!matches) {
            http1.accept(ctx);
            ctx.pipeline().remove(this);
        } else if (length == PREFACE.length) {
            http2.accept(ctx);
            ctx.pipeline().remove(this);
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        // A client that breaks off before it has said anything is nothing to be logged.
        ctx.close();
    }
}
