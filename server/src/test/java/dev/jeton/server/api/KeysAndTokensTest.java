package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class KeysAndTokensTest {

    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .set("server.api-keys", "first-key,second-key")
                .start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static Answer models(String authorization) {
        return server.send(server.request("/v1/models")
                .header("authorization", authorization)
                .GET());
    }

    private static Answer post(TestServer to, String path, String json) {
        return to.post(path, json);
    }

    @Test
    void shouldAcceptEveryKey() {
        assertThat(models("Bearer first-key").status()).isEqualTo(200);
        assertThat(models("bearer second-key").status()).isEqualTo(200);
    }

    @Test
    void shouldRefuseNoKeyAndAWrongOne() {
        Answer none = server.get("/v1/models");
        assertThat(none.status()).isEqualTo(401);
        assertThat(none.at("error.code")).isEqualTo("invalid_api_key");
        assertThat(models("Bearer first-ke").status()).isEqualTo(401);
        assertThat(models("Basic first-key").status()).isEqualTo(401);
        assertThat(server.complete("").status()).isEqualTo(401);
    }

    @Test
    void shouldTellHealthAndMetricsToAnyone() {
        for (String path : List.of("/health", "/health/live", "/health/ready", "/metrics", "/version")) {
            assertThat(server.get(path).status()).as(path).isEqualTo(200);
        }
    }

    @Test
    void shouldListItsModels() {
        Answer list = models("Bearer first-key");
        assertThat(list.at("object")).isEqualTo("list");
        assertThat(list.at("data.0.id")).isEqualTo(TestServer.MODEL);
        assertThat(list.at("data.0.max_model_len")).isEqualTo(4_096L);
        assertThat(list.body()).doesNotContain("nowhere");
    }

    @Test
    void shouldTellOneModel() {
        try (TestServer open = TestServer.start()) {
            assertThat(open.get("/v1/models/test-model").at("id")).isEqualTo("test-model");
            assertThat(open.get("/v1/models/other").status()).isEqualTo(404);
        }
    }

    @Test
    void shouldTokenizeAndDetokenize() {
        try (TestServer open = TestServer.start()) {
            Answer tokens = post(open, "/tokenize", "{'model':'test-model','prompt':'hi','return_token_strs':true}");
            assertThat(tokens.at("tokens")).isEqualTo(List.of(257L, 104L, 105L));
            assertThat(tokens.at("count")).isEqualTo(3L);
            assertThat(tokens.at("max_model_len")).isEqualTo(4_096L);
            assertThat(tokens.at("token_strs.0")).isEqualTo("<bos>");
            assertThat(post(open, "/tokenize", "{'prompt':'hi','add_special_tokens':false}")
                            .at("count"))
                    .isEqualTo(2L);
            assertThat(post(open, "/tokenize", "{'messages':[{'role':'user','content':'x'}]}")
                            .at("count"))
                    .isEqualTo((long) "user: x\nassistant: ".length());
            assertThat(post(open, "/detokenize", "{'tokens':[104,105]}").at("prompt"))
                    .isEqualTo("hi");
            assertThat(post(open, "/detokenize", "{'tokens':[999]}").at("error.param"))
                    .isEqualTo("tokens[0]");
            assertThat(post(open, "/detokenize", "{}").at("error.param")).isEqualTo("tokens");
        }
    }
}
