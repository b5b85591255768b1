package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Adapters of a model, each served under a name of its own by the model's engine. */
class AdaptersTest {

    @TempDir
    Path books;

    private TestServer server;

    @BeforeEach
    void start() {
        server = TestServer.builder()
                .adapter("shout")
                .adapter("whisper")
                .set("books.folder", books.toString())
                .set("metrics.vllm-names", "true")
                .start();
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private Answer complete(String model, String prompt) {
        return server.post("/v1/completions", """
                {"model": "%s", "prompt": "%s", "max_tokens": 40}
                """.formatted(model, prompt));
    }

    private String text(String model, String prompt) {
        return (String) complete(model, prompt).at("choices.0.text");
    }

    @Test
    void answersThroughTheAdapterThatIsNamed() {
        assertThat(text(TestServer.MODEL, "say:Good day")).isEqualTo("Good day");
        assertThat(text("shout", "say:Good day")).isEqualTo("GOOD DAY");
        assertThat(text("whisper", "say:Good day")).isEqualTo("good day");
        assertThat(complete("shout", "say:Good day").at("model")).isEqualTo("shout");
    }

    @Test
    void listsThemWithTheModelThatTheyChange() {
        Answer models = server.get("/v1/models");
        assertThat(models.at("data.0.parent")).isNull();
        assertThat(models.at("data.1.id")).isEqualTo("shout");
        assertThat(models.at("data.1.parent")).isEqualTo(TestServer.MODEL);
        assertThat(models.at("data.2.id")).isEqualTo("whisper");
        assertThat(server.get("/v1/models/whisper").at("parent")).isEqualTo(TestServer.MODEL);
    }

    @Test
    void sharesNoPrefixBetweenAdapters() {
        String prompt = "a prompt of several blocks that is always the same ".repeat(3) + "say:x";
        List<String> models = List.of(TestServer.MODEL, "shout", "whisper");
        for (String model : models) {
            assertThat(complete(model, prompt).at("usage.prompt_tokens_details.cached_tokens"))
                    .as(model)
                    .isEqualTo(0L);
        }
        for (String model : models) {
            assertThat((long) complete(model, prompt).at("usage.prompt_tokens_details.cached_tokens"))
                    .as(model)
                    .isGreaterThan(100);
        }
    }

    @Test
    void estimatesByThePrefixesOfTheAdapter() {
        String prompt = "a prompt of several blocks that is always the same ".repeat(3) + "say:x";
        complete("shout", prompt);
        String body = "{\"model\": \"%s\", \"prompt\": \"" + prompt + "\", \"max_tokens\": 4}";
        assertThat((long) server.post("/v1/estimate", body.formatted("shout")).at("tokens.cached"))
                .isGreaterThan(100);
        assertThat(server.post("/v1/estimate", body.formatted("whisper")).at("tokens.cached"))
                .isEqualTo(0L);
    }

    @Test
    void booksEachUnderItsOwnName() {
        complete("shout", "say:one two");
        complete(TestServer.MODEL, "say:one two");
        Eventually.until("both are booked", () -> {
            Answer report = server.get("/v1/books/report?by=model");
            return report.body().contains("\"shout\"") && report.body().contains("\"test-model\"");
        });
    }

    @Test
    void countsTokensByAdapterAndStepsByModel() {
        complete("shout", "say:one two");
        Eventually.until("it is counted", () -> metrics().value("jeton_tokens_generated_total", "model=\"shout\"") > 0);
        PrometheusText text = metrics();
        assertThat(text.value("jeton_tokens_generated_total", "model=\"test-model\""))
                .isZero();
        assertThat(text.value("vllm:generation_tokens_total", "model_name=\"test-model\""))
                .isPositive();
        assertThat(server.get("/metrics").body()).doesNotContain("jeton_kv_blocks{model=\"shout\"");
    }

    @Test
    void tellsBalancersWhichThereAre() {
        String[] labels = {"max_lora=\"2\"", "running_lora_adapters=\"shout,whisper\"", "waiting_lora_adapters=\"\""};
        assertThat(metrics().value("vllm:lora_requests_info", labels)).isGreaterThan(1e9);
    }

    private PrometheusText metrics() {
        return PrometheusText.parse(server.get("/metrics").body());
    }
}
