package dev.jeton.server.http;

import dev.jeton.server.config.Configuration.HttpSettings;
import dev.jeton.server.http.RequestTimer.Phase;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import io.netty.handler.codec.http2.DefaultHttp2ResetFrame;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.ssl.SslHandler;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Gathers one connection's (or one HTTP/2 stream's) requests within the bounds and gives each whole one to a virtual
 * thread.
 *
 * <p>Pipelined requests are answered one after the other in the order of their arrival: those that arrive while one is
 * being answered wait in a bounded queue, and at its bound the connection is not read. A request that passes a bound is
 * refused in its turn, after which the connection closes: what the client still sends is dropped for a moment so that
 * it can read the answer, then cut.
 */
final class RequestCollector extends SimpleChannelInboundHandler<HttpObject> {

    /** How long what a client still sends is dropped, so that it can read why. */
    static final long LINGER_MILLIS = 1_000;

    private static final int FIRST_BODY_SIZE = 1_024;
    private static final byte[] NO_BODY = new byte[0];

    private final HttpSettings settings;
    private final ConnectionLimits limits;
    private final RequestHandler handler;
    private final RequestTimer timer;
    private final boolean stream;

    private final ArrayDeque<Runnable> turns = new ArrayDeque<>();
    private boolean answering;
    private boolean refused;
    private @Nullable Exchange current;
    private @Nullable HttpRequest head;
    private byte[] body = NO_BODY;
    private int bodySize;
    private int reserved;

    /** @param stream whether this is one HTTP/2 stream, which ends with its one request */
    RequestCollector(
            HttpSettings settings,
            ConnectionLimits limits,
            RequestHandler handler,
            RequestTimer timer,
            boolean stream) {
        this.settings = settings;
        this.limits = limits;
        this.handler = handler;
        this.timer = timer;
        this.stream = stream;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        timer.onExpired(() -> expired(ctx));
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, HttpObject message) {
        if (refused) {
            return;
        }
        if (message.decoderResult().isFailure()) {
            refuseMalformed(ctx, message.decoderResult().cause());
            return;
        }
        if (message instanceof HttpRequest request) {
            begin(ctx, request);
        }
        if (!refused && message instanceof HttpContent content) {
            append(ctx, content.content());
            if (!refused && message instanceof LastHttpContent) {
                complete(ctx);
            }
        }
    }

    private void begin(ChannelHandlerContext ctx, HttpRequest request) {
        head = request;
        long announced = HttpUtil.getContentLength(request, 0L);
        if (announced > settings.maxBody()) {
            refuse(ctx, 413, "the body has %d bytes, at most %d are accepted".formatted(announced, settings.maxBody()));
            return;
        }
        if (!answering) {
            timer.enter(Phase.BODY);
        }
        if (HttpUtil.is100ContinueExpected(request)) {
            // Behind a request still being answered the client is left to its own time-out: 100 may not overtake it.
            if (!answering) {
                ctx.writeAndFlush(new DefaultFullHttpResponse(
                        HttpVersion.HTTP_1_1, HttpResponseStatus.CONTINUE, Unpooled.EMPTY_BUFFER));
            }
        } else if (request.headers().contains(HttpHeaderNames.EXPECT)) {
            refuse(ctx, 417, "only 'Expect: 100-continue' is supported");
        }
    }

    private void append(ChannelHandlerContext ctx, ByteBuf content) {
        int more = content.readableBytes();
        if (more == 0) {
            return;
        }
        if (more > settings.maxBody() - bodySize) {
            refuse(ctx, 413, "the body has more than the %d bytes that are accepted".formatted(settings.maxBody()));
            return;
        }
        if (body.length - bodySize < more) {
            int wanted = (int) Math.min(settings.maxBody(), Math.max(FIRST_BODY_SIZE, 2L * (bodySize + more)));
            if (!limits.reserve(wanted - reserved)) {
                refuse(ctx, 503, "the server holds as many bytes of bodies as it may; try again later");
                return;
            }
            reserved = wanted;
            body = Arrays.copyOf(body, wanted);
        }
        content.readBytes(body, bodySize, more);
        bodySize += more;
    }

    private void complete(ChannelHandlerContext ctx) {
        HttpRequest whole = head;
        if (whole == null) {
            return;
        }
        byte[] bytes = bodySize == body.length ? body : Arrays.copyOf(body, bodySize);
        int held = reserved;
        // Without chunks HTTP/1.0 tells a stream's end by closing, so it is never kept alive.
        boolean keepAlive =
                stream || HttpUtil.isKeepAlive(whole) && whole.protocolVersion().isKeepAliveDefault();
        head = null;
        body = NO_BODY;
        bodySize = 0;
        reserved = 0;
        turn(ctx, () -> answer(ctx, whole, bytes, held, keepAlive));
    }

    private void answer(ChannelHandlerContext ctx, HttpRequest whole, byte[] bytes, int held, boolean keepAlive) {
        Exchange exchange = new Exchange(
                ctx.channel(),
                whole,
                bytes,
                keepAlive,
                size -> limits.unsent().hold(size, () -> ctx.executor().execute(() -> drop(ctx))),
                () -> timer.enter(Phase.SENDING),
                () -> answered(ctx, keepAlive));
        current = exchange;
        timer.enter(Phase.ANSWER);
        limits.answerBegun();
        Thread.ofVirtual().name("request").start(() -> {
            try {
                handler.handle(exchange);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } finally {
                limits.release(held);
                if (!exchange.ended()) {
                    exchange.abort();
                }
                limits.answerEnded();
            }
        });
    }

    /** Takes a turn now or after those before it. */
    private void turn(ChannelHandlerContext ctx, Runnable turn) {
        if (answering) {
            turns.add(turn);
            if (turns.size() >= settings.maxPipelined()) {
                ctx.channel().config().setAutoRead(false);
            }
        } else {
            answering = true;
            turn.run();
        }
    }

    private void answered(ChannelHandlerContext ctx, boolean keepAlive) {
        current = null;
        if (!keepAlive) {
            ctx.close();
            return;
        }
        Runnable next = turns.poll();
        if (next != null) {
            next.run();
        } else {
            answering = false;
            // What is being received while the server answered has its time from now on.
            timer.enter(head == null ? Phase.IDLE : Phase.BODY);
        }
        if (!refused && turns.size() < settings.maxPipelined()) {
            ctx.channel().config().setAutoRead(true);
        }
    }

    private void expired(ChannelHandlerContext ctx) {
        switch (timer.phase()) {
            case HEAD, BODY -> refuse(ctx, 408, "the request did not arrive in time");
            case IDLE, ANSWER, SENDING -> drop(ctx);
        }
    }

    /**
     * Ends what the client does not read. A stream is reset: once its end was handed over, closing it alone would leave
     * what is not sent with the connection.
     */
    private void drop(ChannelHandlerContext ctx) {
        if (stream) {
            reset(ctx, Http2Error.CANCEL);
        } else {
            ctx.close();
        }
    }

    private void refuseMalformed(ChannelHandlerContext ctx, Throwable cause) {
        switch (cause) {
            case TooLongHttpLineException e ->
                refuse(ctx, 414, "the request line has more than %d bytes".formatted(settings.maxUri()));
            case TooLongHttpHeaderException e ->
                refuse(ctx, 431, "the header fields have more than %d bytes".formatted(settings.maxHeader()));
            default -> refuse(ctx, 400, "malformed HTTP");
        }
    }

    private void refuse(ChannelHandlerContext ctx, int status, String message) {
        refused = true;
        limits.countRefusedRequest();
        HttpRequest asked = head;
        String path = asked == null ? "" : Exchange.decodedPath(asked.uri());
        dropBody();
        turn(ctx, () -> {
            timer.enter(Phase.SENDING);
            byte[] content = handler.refusal(status, path, message);
            DefaultFullHttpResponse response = new DefaultFullHttpResponse(
                    HttpVersion.HTTP_1_1, HttpResponseStatus.valueOf(status), Unpooled.wrappedBuffer(content));
            handler.refusalHeaders(name -> Optional.ofNullable(asked)
                            .map(request -> request.headers().get(name)))
                    .forEach(response.headers()::set);
            response.headers()
                    .set(HttpHeaderNames.CONTENT_TYPE, HttpHeaderValues.APPLICATION_JSON)
                    .set(HttpHeaderNames.CONTENT_LENGTH, content.length)
                    .set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
            ctx.writeAndFlush(response).addListener((ChannelFutureListener) written -> linger(ctx));
        });
    }

    /** Closing at once would reset the connection and could take the answer from the client that still sends. */
    private void linger(ChannelHandlerContext ctx) {
        if (stream) {
            // Unread, the stream's window stays as it is and the client cannot send much more.
            ctx.channel().config().setAutoRead(false);
            // The answer is whole and the rest of the request not wanted: any other code would make it an error.
            ctx.executor().schedule(() -> reset(ctx, Http2Error.NO_ERROR), LINGER_MILLIS, TimeUnit.MILLISECONDS);
        } else {
            endOutput(ctx.channel());
            ctx.channel().config().setAutoRead(true);
            ctx.executor().schedule(() -> ctx.close(), LINGER_MILLIS, TimeUnit.MILLISECONDS);
        }
    }

    /** Over TLS the end is a record of its own: without it the answer might have been cut off by somebody between. */
    static void endOutput(Channel channel) {
        if (channel instanceof DuplexChannel duplex) {
            SslHandler tls = channel.pipeline().get(SslHandler.class);
            if (tls == null) {
                duplex.shutdownOutput();
            } else {
                tls.closeOutbound().addListener(told -> duplex.shutdownOutput());
            }
        }
    }

    private static void reset(ChannelHandlerContext ctx, Http2Error code) {
        if (ctx.channel().isActive()) {
            ctx.writeAndFlush(new DefaultHttp2ResetFrame(code)).addListener(ChannelFutureListener.CLOSE);
        }
    }

    private void dropBody() {
        limits.release(reserved);
        reserved = 0;
        body = NO_BODY;
        bodySize = 0;
        head = null;
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        refused = true;
        dropBody();
        turns.clear();
        Exchange lost = current;
        current = null;
        if (lost != null) {
            lost.connectionLost();
        }
        ctx.fireChannelInactive();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        Exchange exchange = current;
        if (exchange != null) {
            exchange.writabilityChanged();
        }
        ctx.fireChannelWritabilityChanged();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        // A reset connection or a broken frame: nothing can be told to the client any more.
        ctx.close();
    }
}
