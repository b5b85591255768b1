package dev.jeton.server.http;

import dev.jeton.server.config.Configuration.HttpSettings;
import dev.jeton.server.http.RequestTimer.Phase;
import dev.jeton.server.tls.Tls;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http2.Http2FrameCodecBuilder;
import io.netty.handler.codec.http2.Http2MultiplexHandler;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2StreamFrameToHttpObjectCodec;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.net.InetSocketAddress;
import java.nio.channels.UnresolvedAddressException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/** A listening port that speaks HTTP/1.1 and HTTP/2, which clients begin by prior knowledge or, over TLS, by ALPN. */
public final class HttpListener implements AutoCloseable {

    private static final int MAX_CHUNK = 64 << 10;
    private static final int BACKLOG = 1_024;
    private static final long GOODBYE_NANOS = 2_000_000_000L;
    private static final long POLL_NANOS = 1_000_000L;

    private final HttpSettings settings;
    private final Duration stallTimeout;
    private final Optional<Tls> tls;
    private final RequestHandler handler;
    private final ConnectionLimits limits;
    private final EventLoopGroup loops;
    private final ChannelGroup connections = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);
    private final Channel listening;

    /**
     * Listens from now on.
     *
     * @param port 0 takes a free one
     * @param stallTimeout how long a client may leave an answer unread
     * @param tls what connections are encrypted by; empty for plain text
     * @throws ListenException if the address cannot be listened on
     */
    public HttpListener(
            String host,
            int port,
            HttpSettings settings,
            Duration stallTimeout,
            Optional<Tls> tls,
            RequestHandler handler) {
        this.settings = settings;
        this.tls = tls;
        this.handler = handler;
        this.stallTimeout = stallTimeout;
        this.limits = new ConnectionLimits(settings);
        boolean epoll = Epoll.isAvailable();
        IoHandlerFactory io = epoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
        this.loops = new MultiThreadIoEventLoopGroup(loopCount(settings), new DefaultThreadFactory("http"), io);
        this.listening = listen(host, port, epoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class);
    }

    private static int loopCount(HttpSettings settings) {
        int cores = Runtime.getRuntime().availableProcessors();
        return settings.eventLoops() > 0 ? settings.eventLoops() : Math.max(1, cores / 4);
    }

    private Channel listen(String host, int port, Class<? extends ServerChannel> type) {
        int high = settings.writeBuffer();
        var bound = new ServerBootstrap()
                .group(loops)
                .channel(type)
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .option(ChannelOption.SO_REUSEADDR, true)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childOption(ChannelOption.SO_SNDBUF, settings.sendBuffer())
                .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, new WriteBufferWaterMark(high / 2, high))
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        connect(channel);
                    }
                })
                .bind(new InetSocketAddress(host, port))
                .awaitUninterruptibly();
        if (!bound.isSuccess()) {
            loops.shutdownGracefully(0, 1, TimeUnit.SECONDS);
            throw new ListenException(
                    "cannot listen on %s:%d: %s; choose another host or port"
                            .formatted(host, port, reason(bound.cause())),
                    bound.cause());
        }
        return bound.channel();
    }

    /** By the system's words: what Java and epoll throw has no type in common. */
    private static String reason(Throwable cause) {
        String words = String.valueOf(cause.getMessage());
        if (cause instanceof UnresolvedAddressException) {
            return "the host is not known";
        }
        if (words.contains("Address already in use")) {
            return "the address is in use";
        }
        return words.contains("Cannot assign requested address") ? "the address is not this machine's" : words;
    }

    private void connect(Channel channel) {
        if (limits.admit(channel, tls.isEmpty())) {
            connections.add(channel);
            RequestTimer timer = new RequestTimer(settings, stallTimeout, true);
            tls.ifPresent(by -> channel.pipeline()
                    .addLast(new UnreadReplies())
                    .addLast(new TlsGate(by, settings.headerTimeout()))
                    .addLast(new TlsGate.Watch(by)));
            channel.pipeline()
                    .addLast(timer)
                    .addLast(new PrefaceDetector(ctx -> speakHttp1(ctx, timer), this::speakHttp2));
        }
    }

    private void speakHttp1(ChannelHandlerContext ctx, RequestTimer timer) {
        ctx.pipeline()
                .addLast(new HttpServerCodec(settings.maxUri(), settings.maxHeader(), MAX_CHUNK))
                .addLast(new RequestCollector(settings, limits, handler, timer, false));
    }

    private void speakHttp2(ChannelHandlerContext ctx) {
        RequestTimer timer = new RequestTimer(settings, stallTimeout, false);
        AtomicInteger streams = new AtomicInteger();
        ctx.pipeline().replace(RequestTimer.class, "timer", timer);
        ctx.pipeline()
                .addLast(Http2FrameCodecBuilder.forServer()
                        .initialSettings(Http2Settings.defaultSettings()
                                .maxConcurrentStreams(settings.maxStreams())
                                .maxHeaderListSize(settings.maxHeader()))
                        .build())
                .addLast(new Http2MultiplexHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel stream) {
                        openStream(stream, timer, streams);
                    }
                }));
    }

    private void openStream(Channel stream, RequestTimer connectionTimer, AtomicInteger streams) {
        streams.incrementAndGet();
        connectionTimer.enter(Phase.ANSWER);
        stream.closeFuture().addListener(closed -> {
            if (streams.decrementAndGet() == 0) {
                connectionTimer.enter(Phase.IDLE);
            }
        });
        int high = settings.writeBuffer();
        stream.config().setWriteBufferWaterMark(new WriteBufferWaterMark(high / 2, high));
        RequestTimer timer = new RequestTimer(settings, stallTimeout, false);
        ChannelPipeline pipeline = stream.pipeline();
        pipeline.addLast(timer)
                .addLast(new Http2StreamFrameToHttpObjectCodec(true))
                .addLast(new RequestCollector(settings, limits, handler, timer, true));
        timer.enter(Phase.HEAD);
    }

    /** The port listened on. */
    public int port() {
        return ((InetSocketAddress) listening.localAddress()).getPort();
    }

    /** Connections and bytes held. */
    public ConnectionStats stats() {
        return limits.stats();
    }

    /**
     * Stops listening and closes every connection: requests under way see their client hang up, and have a moment to
     * end before the event loops do.
     */
    @Override
    public void close() {
        listening.close().awaitUninterruptibly();
        connections.close().awaitUninterruptibly();
        long end = System.nanoTime() + GOODBYE_NANOS;
        while (limits.answering() > 0 && System.nanoTime() - end < 0) {
            LockSupport.parkNanos(POLL_NANOS);
        }
        loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
    }
}
