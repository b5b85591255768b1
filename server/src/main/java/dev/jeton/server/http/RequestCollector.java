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

    /** A client that sends a body which is taken as it comes has a body's time for each so many bytes of it. */
    private static final long PROGRESS = 1 << 20;

    private static final String LATE = "the request did not arrive in time";
    private static final String MALFORMED = "malformed HTTP";
    private static final String NO_ROOM = "the server holds as many bytes of bodies as it may; try again later";
    private static final String ONLY_CONTINUE = "only 'Expect: 100-continue' is supported";

    /**
     * A request that waits to be answered.
     *
     * @param held bytes of bodies that it has taken room for
     */
    private record Turn(int held, Runnable begin) {}

    private final HttpSettings settings;
    private final ConnectionLimits limits;
    private final RequestHandler handler;
    private final RequestTimer timer;
    private final boolean stream;

    private final ArrayDeque<Turn> turns = new ArrayDeque<>();
    private boolean answering;
    private boolean refused;
    private @Nullable ChannelExchange current;
    private @Nullable ArrivingBody arriving;
    private long sinceProgress;
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
            if (arriving != null) {
                refused = true;
                arriving.fail(400, MALFORMED);
                return;
            }
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
        long mostArriving = handler.mostArriving(request.method().name(), ChannelExchange.decodedPath(request.uri()));
        long most = mostArriving > 0 ? mostArriving : settings.maxBody();
        if (announced > most) {
            refuse(ctx, 413, "the body has %d bytes, at most %d are accepted".formatted(announced, most));
            return;
        }
        if (mostArriving > 0) {
            beginArriving(ctx, request, mostArriving);
            return;
        }
        if (!answering) {
            timer.enter(Phase.BODY);
        }
        if (HttpUtil.is100ContinueExpected(request)) {
            // Behind a request still being answered the client is left to its own time-out: 100 may not overtake it.
            if (!answering) {
                sayContinue(ctx);
            }
        } else if (request.headers().contains(HttpHeaderNames.EXPECT)) {
            refuse(ctx, 417, ONLY_CONTINUE);
        }
    }

    /** A request whose body is taken as it comes has its turn before it is whole. */
    private void beginArriving(ChannelHandlerContext ctx, HttpRequest request, long most) {
        boolean continued = HttpUtil.is100ContinueExpected(request);
        if (!continued && request.headers().contains(HttpHeaderNames.EXPECT)) {
            refuse(ctx, 417, ONLY_CONTINUE);
            return;
        }
        if (!limits.reserve(ArrivingBody.HELD)) {
            refuse(ctx, 503, NO_ROOM);
            return;
        }
        head = null;
        ArrivingBody coming = new ArrivingBody(most, () -> ctx.executor().execute(() -> resume(ctx)));
        arriving = coming;
        boolean keepAlive = keepAlive(request);
        turn(ctx, ArrivingBody.HELD, () -> {
            if (continued && !coming.failed()) {
                sayContinue(ctx);
            }
            answer(ctx, request, NO_BODY, Optional.of(coming), ArrivingBody.HELD, keepAlive);
        });
    }

    private static void sayContinue(ChannelHandlerContext ctx) {
        ctx.writeAndFlush(
                new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.CONTINUE, Unpooled.EMPTY_BUFFER));
    }

    private void resume(ChannelHandlerContext ctx) {
        if (!refused && turns.size() < settings.maxPipelined()) {
            ctx.channel().config().setAutoRead(true);
        }
        receive();
    }

    /** The client's time for the next bytes of a body begins, unless it is not read. */
    private void receive() {
        ArrivingBody coming = arriving;
        if (coming != null && current != null && turns.isEmpty() && timer.phase() != Phase.SENDING) {
            sinceProgress = 0;
            timer.enter(coming.paused() ? Phase.ANSWER : Phase.BODY);
        }
    }

    private void append(ChannelHandlerContext ctx, ArrivingBody coming, ByteBuf content) {
        int more = content.readableBytes();
        if (more == 0) {
            return;
        }
        byte[] part = new byte[more];
        content.readBytes(part);
        boolean room = coming.add(part);
        refused |= coming.failed();
        if (!room) {
            ctx.channel().config().setAutoRead(false);
        }
        sinceProgress += more;
        if (!room || sinceProgress >= PROGRESS) {
            receive();
        }
    }

    private void append(ChannelHandlerContext ctx, ByteBuf content) {
        ArrivingBody coming = arriving;
        if (coming != null) {
            append(ctx, coming, content);
            return;
        }
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
                refuse(ctx, 503, NO_ROOM);
                return;
            }
            reserved = wanted;
            body = Arrays.copyOf(body, wanted);
        }
        content.readBytes(body, bodySize, more);
        bodySize += more;
    }

    private void complete(ChannelHandlerContext ctx) {
        ArrivingBody coming = arriving;
        if (coming != null) {
            arriving = null;
            coming.end();
            if (timer.phase() == Phase.BODY) {
                timer.enter(Phase.ANSWER);
            }
            return;
        }
        HttpRequest whole = head;
        if (whole == null) {
            return;
        }
        byte[] bytes = bodySize == body.length ? body : Arrays.copyOf(body, bodySize);
        int held = reserved;
        boolean keepAlive = keepAlive(whole);
        head = null;
        body = NO_BODY;
        bodySize = 0;
        reserved = 0;
        turn(ctx, held, () -> answer(ctx, whole, bytes, Optional.empty(), held, keepAlive));
    }

    /** Without chunks HTTP/1.0 tells a stream's end by closing, so it is never kept alive. */
    private boolean keepAlive(HttpRequest request) {
        return stream
                || HttpUtil.isKeepAlive(request) && request.protocolVersion().isKeepAliveDefault();
    }

    private void answer(
            ChannelHandlerContext ctx,
            HttpRequest request,
            byte[] bytes,
            Optional<ArrivingBody> coming,
            int held,
            boolean keepAlive) {
        ChannelExchange exchange = new ChannelExchange(
                ctx.channel(),
                request,
                bytes,
                coming,
                keepAlive,
                size -> limits.unsent().hold(size, () -> ctx.executor().execute(() -> drop(ctx))),
                () -> timer.enter(Phase.SENDING),
                () -> answered(ctx));
        current = exchange;
        timer.enter(Phase.ANSWER);
        if (arriving != null && coming.isPresent()) {
            receive();
        }
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
    private void turn(ChannelHandlerContext ctx, int held, Runnable begin) {
        if (answering) {
            turns.add(new Turn(held, begin));
            if (turns.size() >= settings.maxPipelined()) {
                ctx.channel().config().setAutoRead(false);
            }
        } else {
            answering = true;
            begin.run();
        }
    }

    private void answered(ChannelHandlerContext ctx) {
        ChannelExchange done = current;
        current = null;
        if (done == null || done.closes()) {
            if (arriving != null) {
                refused = true;
                dropBody();
                linger(ctx);
            } else {
                ctx.close();
            }
            return;
        }
        Turn next = turns.poll();
        if (next != null) {
            next.begin().run();
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
            case HEAD, BODY -> {
                ArrivingBody coming = arriving;
                if (coming != null) {
                    refused = true;
                    timer.enter(Phase.ANSWER);
                    coming.fail(408, LATE);
                } else {
                    refuse(ctx, 408, LATE);
                }
            }
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
            default -> refuse(ctx, 400, MALFORMED);
        }
    }

    private void refuse(ChannelHandlerContext ctx, int status, String message) {
        refused = true;
        limits.countRefusedRequest();
        HttpRequest asked = head;
        String path = asked == null ? "" : ChannelExchange.decodedPath(asked.uri());
        dropBody();
        turn(ctx, 0, () -> {
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
        if (arriving != null) {
            arriving.fail(0, "the client has hung up");
            arriving = null;
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        refused = true;
        dropBody();
        turns.forEach(turn -> limits.release(turn.held()));
        turns.clear();
        ChannelExchange lost = current;
        current = null;
        if (lost != null) {
            lost.connectionLost();
        }
        ctx.fireChannelInactive();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        ChannelExchange exchange = current;
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
