package dev.jeton.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.TestServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MetricsTest {

    private static final String MODEL = "model=\"test-model\"";

    private static PrometheusText scrape(TestServer server) {
        return PrometheusText.parse(server.get("/metrics").body());
    }

    @Test
    void shouldExportEveryTimeAsHistogramAndAsQuantiles() {
        try (TestServer server = TestServer.start()) {
            server.complete("");
            server.complete("'stream':true");
            PrometheusText text = scrape(server);
            for (String name : new String[] {
                "time_to_first_token",
                "inter_token",
                "queue_time",
                "prefill_time",
                "decode_time",
                "request_time",
                "step_time"
            }) {
                String histogram = "jeton_" + name + "_seconds";
                String recent = "jeton_" + name + "_recent_seconds";
                assertThat(text.types()).containsEntry(histogram, "histogram").containsEntry(recent, "summary");
                assertThat(text.value(histogram + "_bucket", MODEL, "le=\"+Inf\""))
                        .isPositive();
                for (String quantile : new String[] {"0.5", "0.95", "0.99"}) {
                    assertThat(text.value(recent, MODEL, "quantile=\"" + quantile + "\""))
                            .isNotNaN();
                }
            }
        }
    }

    @Test
    void shouldCountRequestsAndTokens() {
        try (TestServer server = TestServer.start()) {
            server.complete("'max_tokens':5");
            server.complete("'max_tokens':-1");
            server.post("/v1/completions", "{'model':'made-up','prompt':'x'}");
            PrometheusText text = scrape(server);
            String endpoint = "endpoint=\"completions\"";
            assertThat(text.value("jeton_requests_total", endpoint, MODEL, "outcome=\"ok\""))
                    .isEqualTo(1);
            assertThat(text.value("jeton_requests_total", endpoint, MODEL, "outcome=\"client_error\""))
                    .isEqualTo(1);
            assertThat(text.value("jeton_requests_total", endpoint, "model=\"unknown\"", "outcome=\"client_error\""))
                    .isEqualTo(1);
            assertThat(text.value("jeton_tokens_prompt_total", MODEL)).isEqualTo(3);
            assertThat(text.value("jeton_tokens_generated_total", MODEL)).isEqualTo(5);
            assertThat(server.get("/metrics").body()).doesNotContain("made-up");
        }
    }

    @Test
    void shouldExportTheSchedulersStateAndTheProcesss() {
        try (TestServer server = TestServer.start()) {
            server.complete("");
            PrometheusText text = scrape(server);
            assertThat(text.value("jeton_steps_total", MODEL)).isPositive();
            assertThat(text.value("jeton_step_rows_total", MODEL)).isPositive();
            assertThat(text.value("jeton_step_tokens_total", MODEL, "kind=\"decode\""))
                    .isPositive();
            assertThat(text.value("jeton_device_time_seconds_total", MODEL, "state=\"step\""))
                    .isPositive();
            assertThat(text.value("jeton_kv_blocks", MODEL, "state=\"free\"")).isPositive();
            assertThat(text.value("jeton_sequences_waiting_bound", MODEL)).isEqualTo(1_024);
            assertThat(text.value("jeton_connections")).isPositive();
            // one pool is read: of the heap's, one may be empty just after a collection
            assertThat(text.value("jvm_memory_used_bytes", "area=\"nonheap\"")).isPositive();
            assertThat(text.value("process_resident_memory_bytes")).isNotNegative();
        }
    }

    @Test
    void shouldExportWhatADevicesTimeCameToByAccount(@TempDir Path folder) throws IOException {
        Path prices = folder.resolve("prices.yaml");
        Files.writeString(prices, "currency: CHF\ndevices: [{name: '*', per-hour: 3600}]\n");
        try (TestServer server = TestServer.builder()
                .set("books.folder", folder.toString())
                .set("books.prices", prices.toString())
                .start()) {
            server.complete("");
            String tenant = "account=\"tenant\"";
            Eventually.until(
                    "a tenant's device time in the ledger",
                    () -> scrape(server).value("jeton_books_device_seconds_total", tenant) > 0);
            PrometheusText text = scrape(server);
            assertThat(text.value("jeton_books_device_cost_total", tenant, "currency=\"CHF\""))
                    .isCloseTo(text.value("jeton_books_device_seconds_total", tenant), withinPercentage(1));
            assertThat(text.value("jeton_books_device_seconds_total", "account=\"rounding\""))
                    .isZero();
        }
    }

    @Test
    void shouldExportVllmsNamesOnlyWhereAsked() {
        try (TestServer plain = TestServer.start();
                TestServer asked =
                        TestServer.builder().set("metrics.vllm-names", "true").start()) {
            asked.complete("'max_tokens':5");
            assertThat(plain.get("/metrics").body()).doesNotContain("vllm:");
            PrometheusText text = scrape(asked);
            String label = "model_name=\"test-model\"";
            Map<String, String> types = Map.of(
                    "vllm:num_requests_running", "gauge",
                    "vllm:num_requests_waiting", "gauge",
                    "vllm:kv_cache_usage_perc", "gauge",
                    "vllm:time_to_first_token_seconds", "histogram",
                    "vllm:inter_token_latency_seconds", "histogram",
                    "vllm:e2e_request_latency_seconds", "histogram");
            assertThat(text.types()).containsAllEntriesOf(types);
            assertThat(text.value("vllm:prompt_tokens_total", label)).isEqualTo(3);
            assertThat(text.value("vllm:generation_tokens_total", label)).isEqualTo(5);
            assertThat(text.value("vllm:request_success_total", label, "finished_reason=\"length\""))
                    .isEqualTo(1);
            assertThat(text.value("vllm:num_preemptions_total", label)).isZero();
            assertThat(text.value("vllm:prefix_cache_queries_total", label)).isNotNegative();
            assertThat(text.value("vllm:prefix_cache_hits_total", label)).isNotNegative();
        }
    }
}
