package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import java.io.IOException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WebPagesTest {

    private static final String BODY = "{\"model\":\"test-model\",\"prompt\":\"hi\"}";

    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.builder().set("server.hosts", "jeton.example.org").start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static String ask(TestServer whom, String requestLine, String... headers) throws IOException {
        boolean posts = requestLine.startsWith("POST");
        try (RawClient client = new RawClient(whom.port())) {
            return client.send("%s HTTP/1.1\r\n%s\r\ncontent-length: %d\r\n\r\n%s"
                            .formatted(
                                    requestLine,
                                    String.join("\r\n", headers),
                                    posts ? BODY.length() : 0,
                                    posts ? BODY : ""))
                    .response();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"evil.example:8000", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80"})
    void isNotReadUnderANameThatAPageMadeUp(String host) throws IOException {
        assertThat(ask(server, "GET /v1/models", "host: " + host))
                .startsWith("HTTP/1.1 403")
                .contains("\"code\":\"unknown_host\"");
        assertThat(ask(server, "GET /metrics", "host: " + host)).startsWith("HTTP/1.1 403");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "127.0.0.1:8000",
                "localhost:8000",
                "LOCALHOST",
                "app.localhost",
                "[::1]:8000",
                "[::1]",
                "jeton",
                "host.docker.internal:8000",
                "jeton.example.org"
            })
    void isReadUnderItsOwnNames(String host) throws IOException {
        assertThat(ask(server, "GET /v1/models", "host: " + host)).startsWith("HTTP/1.1 200");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "sec-fetch-site: cross-site",
                "sec-fetch-site: same-site",
                "origin: https://evil.example",
                "origin: null",
                "origin: http://localhost:9000"
            })
    void worksForNoPageOfAnotherSite(String header) throws IOException {
        assertThat(ask(server, "POST /v1/completions", "host: localhost:8000", "content-type: text/plain", header))
                .startsWith("HTTP/1.1 403")
                .contains("\"code\":\"cross_site\"");
    }

    @ParameterizedTest
    @ValueSource(strings = {"sec-fetch-site: same-origin", "sec-fetch-site: none", "origin: http://localhost:8000"})
    void worksForItsOwnPages(String header) throws IOException {
        assertThat(ask(server, "POST /v1/completions", "host: localhost:8000", header))
                .startsWith("HTTP/1.1 200");
    }

    @Test
    void worksForAPageBehindAProxyThatChangesTheHost() throws IOException {
        assertThat(ask(
                        server,
                        "POST /v1/completions",
                        "host: 127.0.0.1:8000",
                        "sec-fetch-site: same-origin",
                        "origin: https://ui.example"))
                .startsWith("HTTP/1.1 200");
    }

    @Test
    void followsALinkFromAnotherSite() throws IOException {
        assertThat(ask(server, "GET /metrics", "host: localhost:8000", "sec-fetch-site: cross-site"))
                .startsWith("HTTP/1.1 200");
    }

    @Test
    void leavesItToTheKeyWhereOneIsAskedFor() throws IOException {
        try (TestServer keyed =
                TestServer.builder().set("server.api-keys", "a-key").start()) {
            assertThat(ask(
                            keyed,
                            "POST /v1/completions",
                            "host: jeton.example.net",
                            "authorization: Bearer a-key",
                            "origin: https://ui.example"))
                    .startsWith("HTTP/1.1 200");
        }
    }
}
