package dev.jeton.server.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.server.testing.AdminClient;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PemFiles;
import dev.jeton.server.testing.TestServer;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Collectors;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A whole server behind TLS, asked by the JDK's clients. */
class TlsServerTest {

    private static final int TIMEOUT_MILLIS = 20_000;

    @TempDir
    private Path folder;

    private PemFiles files;
    private TestServer server;

    @BeforeEach
    void start() throws Exception {
        files = new PemFiles(folder);
        server = builder().start();
    }

    private TestServer.Builder builder() {
        return TestServer.builder()
                .set("tls.certificate", files.certificate.toString())
                .set("tls.key", files.key.toString());
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private static HttpClient client(SSLContext context, HttpClient.Version version) {
        return HttpClient.newBuilder().sslContext(context).version(version).build();
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create("https://127.0.0.1:" + server.port() + path))
                .timeout(Duration.ofMillis(TIMEOUT_MILLIS));
    }

    private HttpResponse<String> ask(SSLContext context, HttpClient.Version version, HttpRequest request)
            throws IOException, InterruptedException {
        try (HttpClient client = client(context, version)) {
            return client.send(request, BodyHandlers.ofString());
        }
    }

    private HttpRequest completion(boolean stream) {
        return request("/v1/completions")
                .POST(BodyPublishers.ofString(
                        "{\"model\": \"%s\", \"prompt\": \"say:%s\", \"max_tokens\": 2000, \"stream\": %s}"
                                .formatted(TestServer.MODEL, "long ".repeat(300), stream)))
                .build();
    }

    @ParameterizedTest
    @EnumSource(HttpClient.Version.class)
    void answersByTheProtocolThatTheClientChooses(HttpClient.Version version) throws Exception {
        HttpResponse<String> answer = ask(files.trusting(), version, completion(false));
        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.version()).isEqualTo(version);
        assertThat(answer.body()).contains("long long");
        assertThat(answer.sslSession().orElseThrow().getProtocol()).isEqualTo("TLSv1.3");
    }

    @ParameterizedTest
    @EnumSource(HttpClient.Version.class)
    void streamsAsInPlainText(HttpClient.Version version) throws Exception {
        String encrypted = ask(files.trusting(), version, completion(true)).body();
        try (TestServer plain = TestServer.start()) {
            String text = plain.post(
                            "/v1/completions",
                            "{'model':'%s','prompt':'say:%s','max_tokens':2000,'stream':true}"
                                    .formatted(TestServer.MODEL, "long ".repeat(300)))
                    .body();
            assertThat(texts(encrypted)).isEqualTo(texts(text)).hasSizeGreaterThan(1_400);
        }
    }

    private static String texts(String events) {
        return events.lines()
                .filter(line -> line.contains("\"text\":\""))
                .map(line -> line.replaceFirst(".*\"text\":\"", "").replaceFirst("\".*", ""))
                .collect(Collectors.joining());
    }

    @Test
    void plainTextIsToldToEncrypt() throws IOException {
        try (Socket socket = new Socket("127.0.0.1", server.port())) {
            socket.setSoTimeout(TIMEOUT_MILLIS);
            socket.getOutputStream().write("GET / HTTP/1.1\r\nhost: x\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII))
                    .startsWith("HTTP/1.1 400 Bad Request")
                    .contains("use https");
        }
        assertThat(metric("jeton_tls_handshakes_failed_total")).isEqualTo("1.0");
    }

    private String metric(String name) {
        try {
            return ask(
                            files.trusting(),
                            HttpClient.Version.HTTP_1_1,
                            request("/metrics").build())
                    .body()
                    .lines()
                    .filter(line -> line.startsWith(name + " "))
                    .map(line -> line.substring(name.length() + 1))
                    .findFirst()
                    .orElse("");
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"TLSv1", "TLSv1.1"})
    void oldVersionsAreRefused(String version) throws Exception {
        try (SSLSocket socket =
                (SSLSocket) files.trusting().getSocketFactory().createSocket("127.0.0.1", server.port())) {
            socket.setSoTimeout(TIMEOUT_MILLIS);
            socket.setEnabledProtocols(new String[] {version});
            assertThatThrownBy(socket::startHandshake).isInstanceOf(IOException.class);
        }
    }

    @Test
    void handshakeThatDoesNotEndIsCutOff() throws Exception {
        server.close();
        server = builder().set("http.header-timeout", "200ms").start();
        try (Socket socket = new Socket("127.0.0.1", server.port())) {
            socket.setSoTimeout(TIMEOUT_MILLIS);
            // the beginning of a ClientHello of 512 bytes
            socket.getOutputStream().write(new byte[] {22, 3, 1, 2, 0, 1});
            socket.getInputStream().readAllBytes();
        }
        Eventually.until(
                "the failure is counted",
                () -> metric("jeton_tls_handshakes_failed_total").equals("1.0"));
    }

    @Test
    void garbageEndsAConnectionAndNoOther() throws Exception {
        try (Socket socket = new Socket("127.0.0.1", server.port())) {
            socket.setSoTimeout(TIMEOUT_MILLIS);
            byte[] garbage = new byte[600];
            garbage[0] = 22;
            garbage[1] = 3;
            garbage[3] = 1;
            socket.getOutputStream().write(garbage);
            socket.getInputStream().readAllBytes();
        }
        assertThat(ask(files.trusting(), HttpClient.Version.HTTP_2, completion(false))
                        .statusCode())
                .isEqualTo(200);
    }

    @Test
    void clientsShowACertificateWhereAuthoritiesAreNamed() throws Exception {
        server.close();
        server = builder().set("tls.client-ca", files.ca.toString()).start();
        SSLContext own = files.showing(files.issued(PemFiles.clientCertificate("client")));
        assertThat(ask(own, HttpClient.Version.HTTP_1_1, completion(false)).statusCode())
                .isEqualTo(200);
        SSLContext stranger =
                files.showing(PemFiles.clientCertificate("stranger").buildIssuedBy(PemFiles.authority()));
        for (SSLContext refused : new SSLContext[] {files.trusting(), stranger}) {
            assertThatThrownBy(() -> ask(refused, HttpClient.Version.HTTP_1_1, completion(false)))
                    .isInstanceOf(IOException.class);
        }
    }

    @Test
    void saysOnMetricsWhenItsCertificateExpires() {
        double seconds = Double.parseDouble(metric("jeton_tls_certificate_expiry_timestamp_seconds"));
        assertThat(seconds).isGreaterThan(1.7e9);
    }

    @Test
    void adminApiIsEncryptedToo() throws Exception {
        server.close();
        server = AdminClient.in(folder.resolve("admin"))
                .set("tls.certificate", files.certificate.toString())
                .set("tls.key", files.key.toString())
                .start();
        URI uri = URI.create("https://127.0.0.1:%d/admin/v1/policy"
                .formatted(server.server().adminPort().orElseThrow()));
        HttpRequest policy = HttpRequest.newBuilder(uri)
                .header("authorization", "Bearer " + AdminClient.KEY)
                .build();
        assertThat(ask(files.trusting(), HttpClient.Version.HTTP_1_1, policy).statusCode())
                .isEqualTo(200);
    }
}
