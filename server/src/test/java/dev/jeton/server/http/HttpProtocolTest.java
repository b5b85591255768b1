package dev.jeton.server.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class HttpProtocolTest {

    private static final String COMPLETIONS = "/v1/completions";
    private static final int FIFTY_MEGABYTES = 50_000_000;

    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .set("http.max-body", "1MiB")
                .set("http.header-timeout", "300ms")
                .set("http.body-timeout", "300ms")
                .set("http.max-header", "2048")
                .set("http.max-uri", "512")
                .start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    @AfterEach
    void shouldStillServe() {
        assertThat(server.complete("'max_tokens':2").status()).isEqualTo(200);
    }

    private static RawClient connect() throws IOException {
        return new RawClient(server.port());
    }

    private static String say(String text) {
        return "{'model':'test-model','prompt':'say:" + text + "'}";
    }

    @Test
    void shouldAnswerManyRequestsOnOneConnection() throws IOException {
        try (RawClient client = connect()) {
            for (int i = 0; i < 20; i++) {
                client.post(COMPLETIONS, say("number " + i));
                assertThat(client.response()).startsWith("HTTP/1.1 200").contains("\"text\":\"number " + i + "\"");
            }
        }
    }

    @Test
    void shouldAnswerPipelinedRequestsInTheirOrder() throws IOException {
        try (RawClient client = connect()) {
            int count = 60;
            for (int i = 0; i < count; i++) {
                client.post(COMPLETIONS, say("number " + i));
            }
            for (int i = 0; i < count; i++) {
                assertThat(client.response()).contains("\"text\":\"number " + i + "\"");
            }
        }
    }

    @Test
    void shouldRefuseInItsTurnWhatIsPipelinedBehindASoundRequest() throws IOException {
        try (RawClient client = connect()) {
            client.post(COMPLETIONS, say("first"));
            client.send("POST " + COMPLETIONS + " HTTP/1.1\r\nhost: t\r\ncontent-length: 5000000\r\n\r\n");
            assertThat(client.response()).contains("\"text\":\"first\"");
            assertThat(client.response()).startsWith("HTTP/1.1 413");
        }
    }

    @Test
    void shouldAnswerAClientThatOffersToUpgrade() throws Exception {
        try (HttpClient client = HttpClient.newHttpClient()) {
            HttpRequest request = server.request(COMPLETIONS)
                    .version(HttpClient.Version.HTTP_2)
                    .POST(HttpRequest.BodyPublishers.ofString(say("plain").replace('\'', '"')))
                    .build();
            assertThat(client.send(request, HttpResponse.BodyHandlers.ofString())
                            .body())
                    .contains("\"text\":\"plain\"");
        }
    }

    @Test
    void shouldCloseWhereAsked() throws IOException {
        try (RawClient client = connect()) {
            client.send("GET /health HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
            assertThat(client.rest()).startsWith("HTTP/1.1 200").contains("connection: close");
        }
    }

    @Test
    void shouldStreamToHttp10UntilItCloses() throws IOException {
        try (RawClient client = connect()) {
            String body = "{\"model\":\"test-model\",\"prompt\":\"say:old\",\"stream\":true}";
            client.send("POST " + COMPLETIONS + " HTTP/1.0\r\ncontent-length: " + body.length() + "\r\n\r\n" + body);
            assertThat(client.rest())
                    .contains("data: {")
                    .endsWith("data: [DONE]\n\n")
                    .doesNotContain("chunked");
        }
    }

    @Test
    void shouldAnswerHeadWithoutABody() throws IOException {
        try (RawClient client = connect()) {
            client.send("HEAD /health HTTP/1.1\r\nhost: t\r\n\r\n");
            assertThat(client.headOfResponse()).startsWith("HTTP/1.1 200").contains("content-length: 17");
            client.send("GET /health HTTP/1.1\r\nhost: t\r\n\r\n");
            assertThat(client.response()).startsWith("HTTP/1.1 200");
        }
    }

    @Test
    void shouldRefuseATooLargeBodyBeforeItIsSent() throws IOException {
        try (RawClient client = connect()) {
            client.send(
                    "POST " + COMPLETIONS + " HTTP/1.1\r\nhost: t\r\ncontent-length: " + FIFTY_MEGABYTES + "\r\n\r\n{");
            assertThat(client.response()).startsWith("HTTP/1.1 413").contains("at most 1048576");
            assertThat(client.rest()).isEmpty();
        }
    }

    @Test
    void shouldRefuseATooLargeBodyInsteadOfAskingForIt() throws IOException {
        try (RawClient client = connect()) {
            client.send("POST " + COMPLETIONS + " HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: "
                    + FIFTY_MEGABYTES + "\r\n\r\n");
            assertThat(client.response()).startsWith("HTTP/1.1 413");
        }
    }

    @Test
    void shouldAskForABodyThatFits() throws IOException {
        try (RawClient client = connect()) {
            String body = say("asked").replace('\'', '"');
            client.send("POST " + COMPLETIONS + " HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: "
                    + body.length() + "\r\n\r\n");
            assertThat(client.headOfResponse()).startsWith("HTTP/1.1 100");
            client.send(body);
            assertThat(client.response()).startsWith("HTTP/1.1 200").contains("asked");
        }
    }

    @Test
    void shouldRefuseAnotherExpectation() throws IOException {
        try (RawClient client = connect()) {
            client.send(
                    "POST " + COMPLETIONS + " HTTP/1.1\r\nhost: t\r\nexpect: miracles\r\ncontent-length: 2\r\n\r\n");
            assertThat(client.response()).startsWith("HTTP/1.1 417");
        }
    }

    @Test
    void shouldRefuseATooLargeChunkedBodyBeforeItsEnd() throws IOException {
        try (RawClient client = connect()) {
            client.send("POST " + COMPLETIONS + " HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n");
            String chunk = "10000\r\n" + " ".repeat(0x10000) + "\r\n";
            for (int i = 0; i < 17; i++) {
                client.send(chunk);
            }
            assertThat(client.response()).startsWith("HTTP/1.1 413").contains("request_too_large");
        }
    }

    @Test
    void shouldTakeAChunkedBody() throws IOException {
        try (RawClient client = connect()) {
            client.send("POST " + COMPLETIONS + " HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n");
            String body = say("in chunks").replace('\'', '"');
            for (char c : body.toCharArray()) {
                client.send("1\r\n" + c + "\r\n");
            }
            client.send("0\r\n\r\n");
            assertThat(client.response()).contains("in chunks");
        }
    }

    @Test
    void shouldGiveUpOnAClientThatSendsItsHeadByteByByte() throws IOException {
        try (RawClient client = connect()) {
            assertThat(dripped(client, "GET /health HTTP/1.1\r\nx: ")).startsWith("HTTP/1.1 408");
        }
    }

    @Test
    void shouldGiveUpOnAClientThatSendsItsBodyByteByByte() throws IOException {
        try (RawClient client = connect()) {
            client.send("POST " + COMPLETIONS + " HTTP/1.1\r\nhost: t\r\ncontent-length: 1000000\r\n\r\n");
            assertThat(dripped(client, "{")).startsWith("HTTP/1.1 408").contains("did not arrive in time");
        }
    }

    /** Sends a byte whenever the last one had time to arrive, until the server answers. */
    private static String dripped(RawClient client, String beginning) throws IOException {
        client.send(beginning);
        client.socket().setSoTimeout(20);
        while (true) {
            try {
                String answer = client.response();
                client.socket().setSoTimeout(20_000);
                return answer;
            } catch (SocketTimeoutException e) {
                client.send("a");
            }
        }
    }

    @Test
    void shouldRefuseATooLongRequestLine() throws IOException {
        try (RawClient client = connect()) {
            client.send("GET /" + "a".repeat(600) + " HTTP/1.1\r\nhost: t\r\n\r\n");
            assertThat(client.response()).startsWith("HTTP/1.1 414");
        }
    }

    @Test
    void shouldRefuseTooManyHeaderBytes() throws IOException {
        try (RawClient client = connect()) {
            client.send("GET /health HTTP/1.1\r\nhost: t\r\nx: " + "a".repeat(3_000) + "\r\n\r\n");
            assertThat(client.response()).startsWith("HTTP/1.1 431");
        }
    }

    @Test
    void shouldRefuseWhatIsNotHttp() throws IOException {
        try (RawClient client = connect()) {
            client.send("\u0001\u0002\u0003 hello\r\n\r\n");
            assertThat(client.response()).startsWith("HTTP/1.1 400");
        }
    }

    @Test
    void shouldKeepServingNextToAThousandIdleConnections() throws IOException {
        List<RawClient> idle = new ArrayList<>();
        try {
            for (int i = 0; i < 1_000; i++) {
                idle.add(connect());
            }
            assertThat(server.complete("").status()).isEqualTo(200);
            RawClient last = idle.getLast();
            last.send("GET /health HTTP/1.1\r\nhost: t\r\n\r\n");
            assertThat(last.response()).startsWith("HTTP/1.1 200");
        } finally {
            for (RawClient client : idle) {
                client.close();
            }
        }
    }

    @Test
    void shouldTellAConnectionPastTheBoundSo() throws IOException {
        try (TestServer small =
                        TestServer.builder().set("http.max-connections", "2").start();
                RawClient first = new RawClient(small.port());
                RawClient second = new RawClient(small.port())) {
            for (RawClient client : List.of(first, second)) {
                client.send("GET /health HTTP/1.1\r\nhost: t\r\n\r\n");
                assertThat(client.response()).startsWith("HTTP/1.1 200");
            }
            try (RawClient third = new RawClient(small.port())) {
                assertThat(third.rest()).startsWith("HTTP/1.1 503");
            }
        }
    }

    @Test
    void shouldSayWhyItCannotListen() {
        assertThatThrownBy(() -> TestServer.builder()
                        .set("server.port", Integer.toString(server.port()))
                        .start())
                .isInstanceOf(ListenException.class)
                .hasMessage("cannot listen on 127.0.0.1:%d: the address is in use; choose another host or port"
                        .formatted(server.port()));
        assertThatThrownBy(() -> TestServer.builder()
                        .set("server.host", "no.such.host.invalid")
                        .start())
                .isInstanceOf(ListenException.class)
                .hasMessageContaining(":0: the host is not known; choose another");
    }

    @Test
    void shouldCloseAnIdleConnection() throws IOException {
        try (TestServer impatient =
                        TestServer.builder().set("http.idle-timeout", "100ms").start();
                RawClient client = new RawClient(impatient.port())) {
            client.send("GET /health HTTP/1.1\r\nhost: t\r\n\r\n");
            assertThat(client.response()).startsWith("HTTP/1.1 200");
            assertThat(client.rest()).isEmpty();
        }
    }

    @Test
    void shouldRefuseBodiesPastTheBoundOfAllBodies() throws IOException {
        try (TestServer small =
                        TestServer.builder().set("http.max-buffered", "1MiB").start();
                RawClient client = new RawClient(small.port())) {
            client.send("POST " + COMPLETIONS + " HTTP/1.1\r\nhost: t\r\ncontent-length: 3000000\r\n\r\n");
            client.send(" ".repeat(1_500_000));
            assertThat(client.response()).startsWith("HTTP/1.1 503");
            assertThat(small.complete("").status()).isEqualTo(200);
        }
    }
}
