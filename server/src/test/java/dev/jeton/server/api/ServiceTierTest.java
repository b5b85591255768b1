package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Requests that may wait, and cost less. */
class ServiceTierTest {

    private static final String PRICES = """
            currency: USD
            tariffs:
              - {model: "*", input: 1000, output: 2000, batch-discount: 40}
            """;

    @TempDir
    private Path folder;

    private TestServer.Builder books() throws IOException {
        Path prices = Files.writeString(folder.resolve("prices.yaml"), PRICES);
        return TestServer.builder().set("books.folder", folder.toString()).set("books.prices", prices.toString());
    }

    private static BigDecimal list(Answer answer) {
        return new BigDecimal((String) answer.at("usage.jeton.cost.list"));
    }

    @Test
    void aFlexRequestHasTheBatchDiscount() throws IOException {
        try (TestServer server = books().start()) {
            BigDecimal usual = list(server.complete("'max_tokens':3"));
            BigDecimal flex = list(server.complete("'max_tokens':3,'service_tier':'flex'"));

            assertThat(flex).isEqualByComparingTo(usual.multiply(new BigDecimal("0.6")));
        }
    }

    @Test
    void anAnswerSaysHowItWasServedWhereItWasAsked() {
        try (TestServer server = TestServer.start()) {
            assertThat(server.chat("'service_tier':'flex'").at("service_tier")).isEqualTo("flex");
            assertThat(server.chat("'service_tier':'auto'").at("service_tier")).isEqualTo("default");
            assertThat(server.chat("").body()).doesNotContain("service_tier");
            assertThat(server.chat("'service_tier':'flex','stream':true").events())
                    .isNotEmpty()
                    .allSatisfy(event ->
                            assertThat(Answer.at(event, "service_tier")).isEqualTo("flex"));
        }
    }

    @Test
    void theBooksKnowFlexRequestsAsBatchWork() throws IOException {
        try (TestServer server = books().start()) {
            server.complete("'max_tokens':3,'service_tier':'flex'");
            server.complete("'max_tokens':3");
            Eventually.until(
                    "both are booked",
                    () -> server.get("/v1/books/requests").body().contains("\"batch\""));
            Eventually.until(
                    "both are booked",
                    () -> server.get("/v1/books/requests").body().contains("\"generation\""));

            assertThat(server.get("/v1/books/report?by=work&format=csv").body().lines())
                    .satisfiesExactly(
                            head -> assertThat(head).startsWith("work,"),
                            batch -> assertThat(batch).startsWith("batch,1,"),
                            plain -> assertThat(plain).startsWith("generation,1,"));
            assertThat(server.get("/v1/books/requests").at("data.0.work")).isEqualTo("generation");
            assertThat(server.get("/v1/books/requests").at("data.1.work")).isEqualTo("batch");
            assertThat(server.get("/v1/books/export/focus?basis=list").body())
                    .contains("tokens/test-model/input/batch");
        }
    }

    @Test
    void aFlexRequestIsServedAfterThoseThatCameLaterAndMayNotWait() throws Exception {
        ConcurrentLinkedQueue<String> begun = new ConcurrentLinkedQueue<>();
        int[] reply = new int[3_000];
        Arrays.fill(reply, 'a');
        TestServer.Builder one = TestServer.builder().sequences(1).replies(prompt -> {
            begun.add(new ByteTokenizer().decode(prompt, true));
            return reply;
        });
        try (TestServer server = one.start();
                ExecutorService clients = Executors.newVirtualThreadPerTaskExecutor()) {
            server.engine().hold();
            List<Future<Answer>> asked = new ArrayList<>();
            for (String fields : List.of(
                    "'prompt':'first','max_tokens':2000",
                    "'prompt':'flex','max_tokens':3,'service_tier':'flex'",
                    "'prompt':'later','max_tokens':3")) {
                String waiting = "jeton_sequences_waiting{model=\"test-model\"} " + asked.size() + ".0";
                asked.add(
                        clients.submit(() -> server.post("/v1/completions", "{'model':'test-model'," + fields + "}")));
                Eventually.until(fields + " is there", () -> {
                    // The step loop takes in what came with each step.
                    server.engine().allow(1);
                    String metrics = server.get("/metrics").body();
                    return metrics.contains("jeton_sequences_running{model=\"test-model\"} 1.0")
                            && metrics.contains(waiting);
                });
            }
            server.engine().release();
            for (Future<Answer> answer : asked) {
                assertThat(answer.get().status()).isEqualTo(200);
            }
        }
        assertThat(begun).containsExactly("first", "later", "flex");
    }
}
