package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.server.config.Tenant;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.net.http.HttpRequest.BodyPublishers;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TenantsAndLabelsTest {

    private static Answer ask(TestServer server, String key) {
        return server.send(server.request("/v1/completions")
                .header("authorization", "Bearer " + key)
                .POST(BodyPublishers.ofString(
                        """
                        {"model": "test-model", "prompt": "%s", "max_tokens": 2}""".formatted("a prompt of more than one block, for all tenants the same"))));
    }

    @Test
    void aTenantsPromptIsNotFoundInAnothersCache() {
        String yaml = """
                tenants:
                  - {id: a, keys: [{id: one, sha256: "%s"}, {id: two, sha256: "%s"}]}
                  - {id: b, keys: [{id: one, sha256: "%s"}]}
                """.formatted(Tenant.Key.digest("a1"), Tenant.Key.digest("a2"), Tenant.Key.digest("b1"));
        try (TestServer server = TestServer.builder().yaml(yaml).start()) {
            String cached = "usage.prompt_tokens_details.cached_tokens";
            assertThat(ask(server, "a1").at(cached)).isEqualTo(0L);
            assertThat(ask(server, "b1").at(cached)).isEqualTo(0L);
            assertThat((Long) ask(server, "a2").at(cached)).isPositive();
            assertThat(ask(server, "nobody's").status()).isEqualTo(401);
        }
    }

    @Test
    void readsLabelsWithSpacesAroundThem() {
        assertThat(Labels.of(Optional.of("team=search , feature= chat box")))
                .isEqualTo(Map.of("team", "search", "feature", "chat box"));
        assertThat(Labels.of(Optional.of("  "))).isEmpty();
        assertThat(Labels.of(Optional.empty())).isEmpty();
    }

    @Test
    void refusesLabelsThatAreNoneOrTooMany() {
        String many = IntStream.range(0, 10_000).mapToObj(i -> "l" + i + "=x").collect(Collectors.joining(","));
        String seventeen = IntStream.range(0, 17).mapToObj(i -> "l" + i + "=x").collect(Collectors.joining(","));
        String long10k = "team=" + "x".repeat(10_240);
        for (String wrong : new String[] {
            many, seventeen, long10k, "team", "=x", "team=", "1=x", "a=b,a=c", "a=b,", "a=\"q\"", "te am=x"
        }) {
            assertThatThrownBy(() -> Labels.of(Optional.of(wrong)))
                    .as(wrong.substring(0, Math.min(20, wrong.length())))
                    .isInstanceOf(ApiException.class)
                    .hasMessageContaining("X-Jeton-Labels");
        }
    }
}
