package dev.jeton.server.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http2.DefaultHttp2DataFrame;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.DefaultHttp2HeadersFrame;
import io.netty.handler.codec.http2.Http2DataFrame;
import io.netty.handler.codec.http2.Http2FrameCodecBuilder;
import io.netty.handler.codec.http2.Http2HeadersFrame;
import io.netty.handler.codec.http2.Http2MultiplexHandler;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2StreamChannelBootstrap;
import io.netty.handler.codec.http2.Http2StreamFrame;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class Http2Test {

    private final MultiThreadIoEventLoopGroup loops = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private TestServer server;
    private Channel connection;

    @BeforeEach
    void start() throws InterruptedException {
        server = TestServer.start();
        connection = connect(server);
    }

    private Channel connect(TestServer to) throws InterruptedException {
        return connect(to, Http2Settings.defaultSettings());
    }

    private Channel connect(TestServer to, Http2Settings settings) throws InterruptedException {
        return new Bootstrap()
                .group(loops)
                .channel(NioSocketChannel.class)
                .handler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        channel.pipeline()
                                .addLast(Http2FrameCodecBuilder.forClient()
                                        .initialSettings(settings)
                                        .build())
                                .addLast(new Http2MultiplexHandler(new ChannelInboundHandlerAdapter()));
                    }
                })
                .connect("127.0.0.1", to.port())
                .sync()
                .channel();
    }

    @AfterEach
    void disconnect() {
        connection.close().awaitUninterruptibly();
        loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
        server.close();
    }

    private record Stream(Channel channel, StringBuilder status, CompletableFuture<String> body) {}

    private Stream send(String method, String path, String json) throws Exception {
        CompletableFuture<String> whole = new CompletableFuture<>();
        StringBuilder status = new StringBuilder();
        StringBuilder body = new StringBuilder();
        Channel stream = new Http2StreamChannelBootstrap(connection)
                .handler(new SimpleChannelInboundHandler<Http2StreamFrame>() {
                    @Override
                    protected void channelRead0(ChannelHandlerContext ctx, Http2StreamFrame frame) {
                        boolean end = false;
                        if (frame instanceof Http2HeadersFrame headers) {
                            status.append(headers.headers().status());
                            end = headers.isEndStream();
                        } else if (frame instanceof Http2DataFrame data) {
                            body.append(data.content().toString(StandardCharsets.UTF_8));
                            end = data.isEndStream();
                        }
                        if (end) {
                            whole.complete(body.toString());
                        }
                    }
                })
                .open()
                .get();
        byte[] content = json.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
        var headers = new DefaultHttp2Headers()
                .method(method)
                .path(path)
                .scheme("http")
                .authority("test")
                .set("content-type", "application/json");
        stream.write(new DefaultHttp2HeadersFrame(headers, content.length == 0));
        if (content.length > 0) {
            stream.write(new DefaultHttp2DataFrame(Unpooled.wrappedBuffer(content), true));
        }
        stream.flush();
        return new Stream(stream, status, whole);
    }

    private static String whole(Stream stream) throws Exception {
        return stream.body().get(20, TimeUnit.SECONDS);
    }

    @Test
    void shouldAnswerByPriorKnowledge() throws Exception {
        Stream stream = send("POST", "/v1/completions", "{'model':'test-model','prompt':'say:two'}");
        assertThat(whole(stream)).contains("\"text\":\"two\"");
        assertThat(stream.status()).hasToString("200");
    }

    @Test
    void shouldStreamEventsOnSeveralStreamsAtOnce() throws Exception {
        List<Stream> streams = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            streams.add(
                    send("POST", "/v1/completions", "{'model':'test-model','prompt':'say:nr" + i + "','stream':true}"));
        }
        for (Stream stream : streams) {
            assertThat(whole(stream)).endsWith("data: [DONE]\n\n").contains("data: {");
        }
    }

    @Test
    void shouldRefuseATooLargeBody() throws Exception {
        try (TestServer small =
                TestServer.builder().set("http.max-body", "1KiB").start()) {
            connection.close().sync();
            connection = connect(small);
            Stream stream = send("POST", "/v1/completions", " ".repeat(5_000));
            assertThat(whole(stream)).contains("request_too_large");
            assertThat(stream.status()).hasToString("413");
            assertThat(whole(send("GET", "/health", ""))).contains("live");
        }
    }

    @Test
    void shouldDropTheAnswersThatWaitLongestWhereAClientAsksAndNeverReads() throws Exception {
        try (TestServer small =
                TestServer.builder().set("http.max-buffered", "1MiB").start()) {
            connection.close().sync();
            connection = connect(small, Http2Settings.defaultSettings().initialWindowSize(0));
            Stream first = send("GET", "/metrics", "");
            Stream last = first;
            int size = small.get("/metrics").body().length();
            for (int i = 0; i < 2 * (1 << 20) / size; i++) {
                last = send("GET", "/metrics", "");
            }
            assertThat(first.channel().closeFuture().await(20, TimeUnit.SECONDS))
                    .isTrue();
            assertThat(first.body()).isNotDone();
            assertThat(last.channel().isActive()).isTrue();
            assertThat(small.get("/metrics").status()).isEqualTo(200);
        }
    }

    @Test
    void shouldResetAStreamWhoseAnswerIsNotReadInTime() throws Exception {
        try (TestServer hasty =
                TestServer.builder().set("stream.stall-timeout", "100ms").start()) {
            connection.close().sync();
            connection = connect(hasty, Http2Settings.defaultSettings().initialWindowSize(0));
            Stream unread = send("GET", "/metrics", "");
            assertThat(unread.channel().closeFuture().await(20, TimeUnit.SECONDS))
                    .isTrue();
            assertThat(unread.status()).hasToString("200");
            assertThat(unread.body()).isNotDone();
        }
    }

    @Test
    void shouldCancelWhenAStreamIsReset() throws Exception {
        server.engine().hold();
        Stream stream = send(
                "POST",
                "/v1/completions",
                "{'model':'test-model','prompt':'hi','max_tokens':1000,'ignore_eos':true,'min_tokens':1000}");
        server.engine().allow(5);
        Eventually.until("five steps ran", () -> server.engine().stepsRun() == 5);
        stream.channel().close().sync();
        Eventually.until("the request ended", () -> {
            server.engine().allow(1);
            return server.get("/metrics").body().contains("outcome=\"cancelled\"");
        });
        assertThat(server.engine().stepsRun()).isLessThan(1_000);
    }
}
