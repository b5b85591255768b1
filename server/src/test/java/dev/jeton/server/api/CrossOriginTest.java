package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.server.config.ConfigException;
import dev.jeton.server.config.Configuration;
import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What browsers are told of pages of other origins, and what such pages may do. */
class CrossOriginTest {

    private static final String PAGE = "origin: https://ui.example.org";
    private static final String STRANGER = "origin: https://evil.example";

    private TestServer server = start("https://ui.example.org,http://localhost:3000");

    private static TestServer start(String origins, String... more) {
        TestServer.Builder builder = TestServer.builder().set("server.allowed-origins", origins);
        for (int i = 0; i < more.length; i += 2) {
            builder.set(more[i], more[i + 1]);
        }
        return builder.start();
    }

    private void restart(String origins, String... more) {
        server.close();
        server = start(origins, more);
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private String ask(String line, String body, String... headers) throws IOException {
        try (RawClient client = new RawClient(server.port())) {
            return client.send("%s HTTP/1.1\r\nhost: localhost:%d\r\n%s\r\ncontent-length: %d\r\n\r\n%s"
                            .formatted(line, server.port(), String.join("\r\n", headers), body.length(), body))
                    .response();
        }
    }

    private String preflight(String... headers) throws IOException {
        return ask("OPTIONS /v1/chat/completions", "", headers);
    }

    private String complete(boolean stream, String... headers) throws IOException {
        return ask(
                "POST /v1/completions",
                "{\"model\":\"test-model\",\"prompt\":\"hi\",\"max_tokens\":2,\"stream\":%s}".formatted(stream),
                headers);
    }

    @Test
    void pageOfANamedOriginMayAskAndRead() throws IOException {
        assertThat(preflight(
                        PAGE,
                        "access-control-request-method: POST",
                        "access-control-request-headers: authorization,content-type,x-stainless-os"))
                .startsWith("HTTP/1.1 200")
                .contains("access-control-allow-origin: https://ui.example.org")
                .contains("access-control-allow-methods: GET, POST, DELETE")
                .contains("access-control-allow-headers: authorization,content-type,x-stainless-os")
                .contains("vary: Origin");
        for (boolean stream : new boolean[] {false, true}) {
            assertThat(complete(stream, PAGE, "sec-fetch-site: cross-site"))
                    .startsWith("HTTP/1.1 200")
                    .contains("access-control-allow-origin: https://ui.example.org")
                    .contains("access-control-expose-headers: x-request-id");
        }
    }

    @Test
    void errorsCanBeReadToo() throws IOException {
        assertThat(ask("POST /v1/completions", "{", PAGE))
                .startsWith("HTTP/1.1 400")
                .contains("access-control-allow-origin: https://ui.example.org");
        assertThat(ask("GET /nowhere", "", PAGE))
                .startsWith("HTTP/1.1 404")
                .contains("access-control-allow-origin: https://ui.example.org");
    }

    @Test
    void strangersAreAnsweredAsWithoutTheSetting() throws IOException {
        assertThat(preflight(STRANGER, "access-control-request-method: POST"))
                .doesNotStartWith("HTTP/1.1 2")
                .doesNotContain("access-control-allow-origin");
        assertThat(complete(false, STRANGER, "sec-fetch-site: cross-site"))
                .startsWith("HTTP/1.1 403")
                .contains("server.allowed-origins")
                .doesNotContain("access-control-allow-origin");
        assertThat(ask("GET /v1/models", "", STRANGER))
                .startsWith("HTTP/1.1 200")
                .contains("vary: Origin");
    }

    @Test
    void nothingIsSaidOfOriginsWhereNoneAreNamed() throws IOException {
        restart("");
        assertThat(ask("GET /v1/models", "", PAGE)).doesNotContain("vary").doesNotContain("access-control");
        assertThat(preflight(PAGE, "access-control-request-method: POST")).doesNotContain("access-control");
    }

    @Test
    void allOriginsReadWhereAKeyIsAskedFor() throws IOException {
        restart("*", "server.api-keys", "a-key");
        assertThat(preflight(STRANGER, "access-control-request-method: POST"))
                .startsWith("HTTP/1.1 200")
                .contains("access-control-allow-origin: *");
        assertThat(complete(false, STRANGER, "authorization: Bearer a-key", "sec-fetch-site: cross-site"))
                .startsWith("HTTP/1.1 200")
                .contains("access-control-allow-origin: *");
        assertThat(complete(false, STRANGER)).startsWith("HTTP/1.1 401").contains("access-control-allow-origin: *");
    }

    @Test
    void noPageMakesWorkWithoutAKeyByBeingOneOfAll() throws IOException {
        restart("*");
        assertThat(complete(false, STRANGER, "sec-fetch-site: cross-site")).startsWith("HTTP/1.1 403");
    }

    @Test
    void privateNetworkIsOpenedToWhomIsAllowed() throws IOException {
        String asking = "access-control-request-private-network: true";
        assertThat(preflight(PAGE, "access-control-request-method: POST", asking))
                .contains("access-control-allow-private-network: true");
        assertThat(preflight(PAGE, "access-control-request-method: POST")).doesNotContain("private-network");
    }

    @Test
    void headersThatAreNoneAreNotRepeated() throws IOException {
        assertThat(preflight(PAGE, "access-control-request-method: POST", "access-control-request-headers: a;b\"<c>"))
                .startsWith("HTTP/1.1 200")
                .doesNotContain("access-control-allow-headers");
    }

    @Test
    void optionsWithoutAQuestionIsAMethodLikeOthers() throws IOException {
        assertThat(ask("OPTIONS /v1/models", "", PAGE, "sec-fetch-site: same-origin"))
                .startsWith("HTTP/1.1 405");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"ui.example.org", "https://ui.example.org/", "https://*.example.org", "null", "https://a b"})
    void whatIsNoOriginIsRefused(String origin) {
        assertThatThrownBy(() -> Configuration.of(Map.of("server.allowed-origins", origin)))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("server.allowed-origins")
                .hasMessageContaining("https://ui.example.org");
    }

    @Test
    void refusalsAheadOfTheApiCanBeReadToo() throws IOException {
        restart("https://ui.example.org", "http.max-body", "1KiB");
        assertThat(ask("POST /v1/completions", "x".repeat(2_000), PAGE))
                .startsWith("HTTP/1.1 413")
                .contains("access-control-allow-origin: https://ui.example.org");
        assertThat(ask("POST /v1/completions", "x".repeat(2_000), STRANGER))
                .startsWith("HTTP/1.1 413")
                .doesNotContain("access-control-allow-origin");
    }

    @Test
    void answerThatIsGivenAgainIsForThePageThatAsksNow() throws IOException {
        String key = "idempotency-key: k";
        assertThat(complete(false, PAGE, key)).contains("access-control-allow-origin: https://ui.example.org");
        assertThat(complete(false, "origin: http://localhost:3000", key))
                .contains("x-jeton-replayed: true")
                .contains("access-control-allow-origin: http://localhost:3000");
        assertThat(complete(false, key))
                .contains("x-jeton-replayed: true")
                .contains("vary: Origin")
                .doesNotContain("access-control");
    }

    @ParameterizedTest
    @ValueSource(strings = {"https://UI.example.org:443", "https://ui.example.org:8443,https://ui.example.org"})
    void portThatBrowsersLeaveOutMayBeNamed(String origins) throws IOException {
        restart(origins);
        assertThat(ask("GET /v1/models", "", PAGE)).contains("access-control-allow-origin: https://ui.example.org\r\n");
    }

    @Test
    void anotherPortIsAnotherOrigin() throws IOException {
        for (String other :
                new String[] {"http://localhost", "http://localhost:3001", "https://localhost:3000", "null"}) {
            assertThat(ask("GET /v1/models", "", "origin: " + other)).doesNotContain("access-control-allow");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"x-should-retry", "retry-after", "x-jeton-next", "x-jeton-as-of", "content-disposition"})
    void pagesReadWhatClientsActUpon(String header) throws IOException {
        assertThat(ask("GET /v1/models", "", PAGE))
                .containsPattern("access-control-expose-headers: [^\r]*\\b" + header + "\\b");
    }
}
