package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.time.Instant;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code GET /v1/models} as Anthropic's clients ask for it. */
class AnthropicModelsTest {

    private static final TestServer SERVER = TestServer.builder()
            .set("server.api-keys", "k1")
            .alias("b")
            .alias("c")
            .alias("d")
            .alias("e")
            .start();

    @AfterAll
    static void stop() {
        SERVER.close();
    }

    private static Answer get(String path) {
        return SERVER.send(
                SERVER.request(path).header("anthropic-version", "2023-06-01").header("x-api-key", "k1"));
    }

    private static String ids(Answer page) {
        return ((List<?>) page.at("data"))
                .stream().map(model -> String.valueOf(Answer.at(model, "id"))).collect(Collectors.joining(" "));
    }

    @Test
    void shouldTellModelsInAnthropicsShape() {
        Answer page = get("/v1/models");
        assertThat(page.status()).as(page.body()).isEqualTo(200);
        assertThat(ids(page)).isEqualTo("test-model b c d e");
        assertThat(page.at("data.0.type")).isEqualTo("model");
        assertThat(page.at("data.0.display_name")).isEqualTo("test-model");
        assertThat(Instant.parse(String.valueOf(page.at("data.0.created_at")))).isBeforeOrEqualTo(Instant.now());
        assertThat(page.at("data.0.max_input_tokens")).isEqualTo(4_096L);
        assertThat(page.at("first_id")).isEqualTo("test-model");
        assertThat(page.at("last_id")).isEqualTo("e");
        assertThat(page.at("has_more")).isEqualTo(false);
    }

    @ParameterizedTest
    @CsvSource({
        "limit=2, test-model b, true",
        "limit=2&after_id=b, c d, true",
        "limit=2&after_id=c, d e, false",
        "limit=2&before_id=d, b c, true",
        "limit=2&before_id=c, test-model b, false",
        "limit=1000&after_id=d&beta=true, e, false"
    })
    void shouldTellThemByPages(String query, String ids, boolean more) {
        Answer page = get("/v1/models?" + query);
        assertThat(ids(page)).as(page.body()).isEqualTo(ids);
        assertThat(page.at("has_more")).isEqualTo(more);
    }

    @Test
    void shouldEndAnEmptyPage() {
        Answer page = get("/v1/models?after_id=e");
        assertThat(page.body()).contains("\"data\":[]", "\"first_id\":null", "\"last_id\":null", "\"has_more\":false");
    }

    @ParameterizedTest
    @ValueSource(strings = {"limit=0", "limit=1001", "limit=x", "after_id=nobody", "after_id=b&before_id=c"})
    void shouldRefuseWhatIsNoPage(String query) {
        Answer refused = get("/v1/models?" + query);
        assertThat(refused.status()).as(refused.body()).isEqualTo(400);
        assertThat(refused.at("type")).isEqualTo("error");
        assertThat(refused.at("error.type")).isEqualTo("invalid_request_error");
    }

    @Test
    void shouldTellOneModel() {
        assertThat(get("/v1/models/c").at("type")).isEqualTo("model");
        Answer none = get("/v1/models/nobody");
        assertThat(none.status()).isEqualTo(404);
        assertThat(none.at("error.type")).isEqualTo("not_found_error");
    }

    @Test
    void shouldAskForTheKeyInAnthropicsWay() {
        Answer none = SERVER.send(SERVER.request("/v1/models").header("anthropic-version", "2023-06-01"));
        assertThat(none.status()).isEqualTo(401);
        assertThat(none.at("error.type")).isEqualTo("authentication_error");
    }
}
