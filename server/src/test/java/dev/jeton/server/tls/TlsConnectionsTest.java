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

}
