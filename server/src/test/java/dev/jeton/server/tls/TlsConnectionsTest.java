package dev.jeton.server.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PemFiles;
import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import java.io.ByteArrayOutputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What clients may do to a connection that is encrypted: no more than to one that is not. */
class TlsConnectionsTest {

    private static final String NEW = "TLSv1.3";
    private static final String LONG = "'max_tokens':3000,'ignore_eos':true,'min_tokens':3000";

    @TempDir
    private Path folder;

    private PemFiles files;
    private TestServer server;
    private HttpClient asking;

    @BeforeEach
    void start() throws Exception {
        files = new PemFiles(folder);
        asking = HttpClient.newBuilder()
                .sslContext(files.trusting())
                .version(HttpClient.Version.HTTP_1_1)
                .build();
        start(TestServer.builder());
    }

    private void start(TestServer.Builder builder) {
        stop();
        server = builder.set("tls.certificate", files.certificate.toString())
                .set("tls.key", files.key.toString())
                .start();
    }

    @AfterEach
    void stop() {
        if (server != null) {
            server.close();
        }
    }

    private RawClient connect(int receiveBuffer, String version) throws Exception {
        return RawClient.encrypted(files.trusting(), server.port(), receiveBuffer, version);
    }

    private String metrics() {
        try {
            return asking.send(
                            HttpRequest.newBuilder(URI.create("https://127.0.0.1:" + server.port() + "/metrics"))
                                    .timeout(Duration.ofSeconds(20))
                                    .build(),
                            BodyHandlers.ofString())
                    .body();
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private void until(String metric) {
        Eventually.until(metric, () -> metrics().contains(metric));
    }

    private static String request(String fields) {
        return "{'model':'test-model','prompt':'hi'," + fields + "}";
    }

    @ParameterizedTest
    @CsvSource({"TLSv1.3,true", "TLSv1.3,false", "TLSv1.2,true"})
    void hangUpCancelsWithinAStep(String version, boolean stream) throws Exception {
        server.engine().hold();
        try (RawClient client = connect(0, version)) {
            client.post("/v1/completions", request("'stream':" + stream + "," + LONG));
            server.engine().allow(10);
            Eventually.until("ten steps ran", () -> server.engine().stepsRun() == 10);
        }
        until("jeton_connections 1.0");
        server.engine().allow(100);
        until("outcome=\"cancelled\"");
        until("jeton_sequences_running{model=\"test-model\"} 0.0");
        assertThat(server.engine().stepsRun()).isLessThanOrEqualTo(12);
    }

    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.3", "TLSv1.2"})
    void closeThatIsToldIsAHangUpThoughTheSocketStaysOpen(String version) throws Exception {
        Socket half = new Socket("127.0.0.1", server.port()) {
            @Override
            public void shutdownOutput() {}
        };
        try (SSLSocket client =
                (SSLSocket) files.trusting().getSocketFactory().createSocket(half, "localhost", server.port(), true)) {
            client.setEnabledProtocols(new String[] {version});
            server.engine().hold();
            String body = request("'stream':true," + LONG).replace('\'', '"');
            client.getOutputStream()
                    .write("POST /v1/completions HTTP/1.1\r\nhost: t\r\ncontent-length: %d\r\n\r\n%s"
                            .formatted(body.length(), body)
                            .getBytes(StandardCharsets.US_ASCII));
            server.engine().allow(10);
            Eventually.until("ten steps ran", () -> server.engine().stepsRun() == 10);
            client.shutdownOutput();
            until("jeton_connections 1.0");
            server.engine().allow(100);
            until("outcome=\"cancelled\"");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.3", "TLSv1.2"})
    void streamThatIsNeverReadIsCancelledAndCutOff(String version) throws Exception {
        start(TestServer.builder()
                .set("stream.stall-timeout", "200ms")
                .set("http.write-buffer", "1KiB")
                .set("http.send-buffer", "4KiB"));
        try (RawClient client = connect(1_024, version)) {
            client.post("/v1/completions", request("'stream':true,'logprobs':20," + LONG));
            until("outcome=\"stalled\"");
            until("jeton_sequences_running{model=\"test-model\"} 0.0");
            until("jeton_connections 1.0");
            assertThat(client.rest()).doesNotContain("[DONE]");
        }
    }

    @Test
    void slowReaderGetsEverything() throws Exception {
        start(TestServer.builder().set("http.write-buffer", "1KiB").set("http.send-buffer", "4KiB"));
        try (RawClient client = connect(1_024, NEW)) {
            String body = request("'stream':true," + LONG).replace('\'', '"');
            client.send("POST /v1/completions HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: "
                    + body.length() + "\r\n\r\n" + body);
            assertThat(client.rest()).contains("data: [DONE]");
        }
    }

    @Test
    void connectionIsClosedWhereTheEndOfAnAnswerIsNeverRead() throws Exception {
        start(TestServer.builder().set("stream.stall-timeout", "200ms").set("http.send-buffer", "4KiB"));
        try (RawClient client = connect(1_024, NEW)) {
            client.post("/v1/completions", request("'logprobs':20," + LONG));
            until("endpoint=\"completions\",model=\"test-model\",outcome=\"ok\"");
            until("jeton_connections 1.0");
        }
    }

    /** Keeps what comes in, as it comes. */
    private static final class Recorded extends Socket {
        final ByteArrayOutputStream came = new ByteArrayOutputStream();

        Recorded(int port) throws IOException {
            super("127.0.0.1", port);
            setSoTimeout(20_000);
        }

        @Override
        public InputStream getInputStream() throws IOException {
            return new FilterInputStream(super.getInputStream()) {
                @Override
                public int read(byte[] to, int from, int most) throws IOException {
                    int read = super.read(to, from, most);
                    came.write(to, from, Math.max(0, read));
                    return read;
                }
            };
        }

        /** The kind of the last record of TLS 1.2: 21 is an alert. */
        int lastKind() {
            byte[] all = came.toByteArray();
            int kind = -1;
            for (int at = 0; at + 5 <= all.length; at += 5 + ((all[at + 3] & 0xff) << 8 | all[at + 4] & 0xff)) {
                kind = all[at];
            }
            return kind;
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1_000_000})
    void refusalEndsWithTheCloseThatTellsItFromACut(int more) throws Exception {
        Recorded socket = new Recorded(server.port());
        try (SSLSocket client = (SSLSocket)
                files.trusting().getSocketFactory().createSocket(socket, "localhost", server.port(), true)) {
            client.setEnabledProtocols(new String[] {"TLSv1.2"});
            client.getOutputStream()
                    .write("POST /v1/completions HTTP/1.1\r\nhost: t\r\ncontent-length: 999999999\r\n\r\n"
                            .getBytes(StandardCharsets.US_ASCII));
            client.getOutputStream().write(new byte[more]);
            assertThat(new String(client.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                    .startsWith("HTTP/1.1 413");
            assertThat(socket.lastKind()).isEqualTo(21);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.3", "TLSv1.2"})
    void requestsThatCameInOneRecordAreAnsweredInTheirOrder(String version) throws Exception {
        start(TestServer.builder().set("http.max-pipelined", "2"));
        try (RawClient client = connect(0, version)) {
            StringBuilder all = new StringBuilder();
            for (int i = 0; i < 100; i++) {
                all.append("GET /nowhere/%d HTTP/1.1\r\nhost: t\r\n\r\n".formatted(i));
            }
            client.send(all.toString());
            for (int i = 0; i < 100; i++) {
                assertThat(client.response()).startsWith("HTTP/1.1 404").contains("/nowhere/" + i);
            }
        }
    }

    @Test
    void drainingLetsAStreamEndAndTheCloseIsTold() throws Exception {
        server.engine().hold();
        Recorded socket = new Recorded(server.port());
        try (SSLSocket client = (SSLSocket)
                files.trusting().getSocketFactory().createSocket(socket, "localhost", server.port(), true)) {
            client.setEnabledProtocols(new String[] {"TLSv1.2"});
            String body = request("'stream':true,'max_tokens':30").replace('\'', '"');
            client.getOutputStream()
                    .write("POST /v1/completions HTTP/1.1\r\nhost: t\r\ncontent-length: %d\r\n\r\n%s"
                            .formatted(body.length(), body)
                            .getBytes(StandardCharsets.US_ASCII));
            server.engine().allow(2);
            Eventually.until("two steps ran", () -> server.engine().stepsRun() == 2);
            CompletableFuture<Boolean> drained = CompletableFuture.supplyAsync(() -> {
                try {
                    return server.server().drain();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
            server.engine().release();
            assertThat(drained.get()).isTrue();
            server.close();
            assertThat(new String(client.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                    .contains("[DONE]");
            assertThat(socket.lastKind()).isEqualTo(21);
        }
    }

    @Test
    void closesItsConnectionsInAnyState() throws Exception {
        List<AutoCloseable> clients = new ArrayList<>();
        clients.add(connect(0, NEW));
        for (byte[] begun : new byte[][] {{}, {22}, {22, 3, 1, 2, 0, 1}}) {
            Socket socket = new Socket("127.0.0.1", server.port());
            socket.getOutputStream().write(begun);
            clients.add(socket);
        }
        until("jeton_connections 5.0");
        server.close();
        for (AutoCloseable client : clients) {
            client.close();
        }
    }

    @Test
    void connectionThatSaysNothingOrLittleIsCutOff() throws Exception {
        start(TestServer.builder().set("http.idle-timeout", "200ms"));
        for (byte[] begun : new byte[][] {{}, {22}, "PRI ".getBytes(StandardCharsets.US_ASCII)}) {
            try (Socket socket = new Socket("127.0.0.1", server.port())) {
                socket.setSoTimeout(20_000);
                socket.getOutputStream().write(begun);
                assertThat(socket.getInputStream().readAllBytes()).isEmpty();
            }
        }
    }

    @Test
    void plainTextThatGoesOnForLongIsToldToEncrypt() throws Exception {
        try (Socket socket = new Socket("127.0.0.1", server.port())) {
            socket.setSoTimeout(20_000);
            byte[] head = "POST / HTTP/1.1\r\ncontent-length: 1000000\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
            socket.getOutputStream().write(head);
            socket.getOutputStream().write(new byte[1_000_000]);
            assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII))
                    .startsWith("HTTP/1.1 400 Bad Request");
        }
    }

    @Test
    void handshakeAfterTheFirstEndsTheConnection() throws Exception {
        try (RawClient client = connect(0, "TLSv1.2")) {
            SSLSocket socket = (SSLSocket) client.socket();
            assertThatThrownBy(() -> {
                        socket.startHandshake();
                        client.send("GET /health HTTP/1.1\r\nhost: t\r\n\r\n").response();
                    })
                    .isInstanceOf(IOException.class);
        }
        until("jeton_connections 1.0");
    }

    @Test
    void clientThatAsksForNewKeysAndNeverReadsIsCutOff() throws Exception {
        start(TestServer.builder().set("http.send-buffer", "4KiB"));
        try (RawClient client = connect(1_024, NEW)) {
            SSLSocket socket = (SSLSocket) client.socket();
            assertThatThrownBy(() -> {
                        for (int i = 0; i < 100_000; i++) {
                            // once hands are shaken: a KeyUpdate that asks for one
                            socket.startHandshake();
                        }
                    })
                    .isInstanceOf(IOException.class);
        }
    }

    @Test
    void connectionPastTheBoundIsClosedWithoutPlainText() throws Exception {
        start(TestServer.builder().set("http.max-connections", "1"));
        try (RawClient first = connect(0, NEW);
                Socket socket = new Socket("127.0.0.1", server.port())) {
            socket.setSoTimeout(20_000);
            assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII))
                    .isEmpty();
            assertThat(first.send("GET /health HTTP/1.1\r\nhost: t\r\n\r\n").response())
                    .startsWith("HTTP/1.1 200");
        }
    }
}
