package dev.jeton.benchmarks.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class LoadGeneratorTest {

    private static final String USAGE = "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3}";
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final AtomicInteger served = new AtomicInteger();
    private final AtomicInteger atOnce = new AtomicInteger();
    private final AtomicInteger mostAtOnce = new AtomicInteger();
    private HttpServer server;

    LoadGeneratorTest() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    }

    @BeforeEach
    void start() {
        server.setExecutor(threads);
        server.createContext("/v1/models", exchange -> answer(exchange, 200, "{\"data\":[{\"id\":\"small\"}]}"));
        server.createContext("/v1/completions", this::complete);
        server.start();
    }

    @AfterEach
    void stop() {
        server.stop(0);
        threads.close();
    }

    /** Every seventh request is refused, every eleventh ends in an error, every thirteenth before its end. */
    private void complete(HttpExchange exchange) throws IOException {
        int number = served.incrementAndGet();
        mostAtOnce.accumulateAndGet(atOnce.incrementAndGet(), Math::max);
        String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
        atOnce.decrementAndGet();
        if (!body.contains("\"model\":\"small\"")) {
            answer(exchange, 404, "{\"error\":{}}");
        } else if (number % 7 == 0) {
            answer(exchange, 503, "{\"error\":{\"message\":\"full\"}}");
        } else if (body.contains("\"stream\":true")) {
            stream(exchange, number);
        } else {
            answer(exchange, 200, "{\"choices\":[{\"text\":\"abc\"}]," + USAGE + "}");
        }
    }

    private static void stream(HttpExchange exchange, int number) throws IOException {
        exchange.sendResponseHeaders(200, 0);
        StringBuilder events = new StringBuilder();
        for (int i = 0; i < 3; i++) {
            events.append("data: {\"choices\":[{\"text\":\"a\"}],\"usage\":null}\n\n");
        }
        if (number % 11 == 0) {
            events.append("data: {\"error\":{\"message\":\"broke\"}}\n\n");
        } else if (number % 13 != 0) {
            events.append("data: {\"choices\": [],").append(USAGE).append("}\n\ndata: [DONE]\n\n");
        }
        exchange.getResponseBody().write(events.toString().getBytes(StandardCharsets.UTF_8));
        exchange.getResponseBody().close();
    }

    private static void answer(HttpExchange exchange, int status, String json) throws IOException {
        byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.getResponseBody().close();
    }

    private Target target() {
        return Target.of("http://127.0.0.1:" + server.getAddress().getPort() + "/v1", "small", "");
    }

    private static Workload workload() {
        return new Workload(List.of(new Workload.Length(5, 3)), 0, 0, 10, 20, 1);
    }

    @Test
    void asksForTheFirstModel() throws IOException {
        assertThat(LoadGenerator.withFirstModel(Target.of(
                                "http://127.0.0.1:" + server.getAddress().getPort() + "/v1", "", ""))
                        .model())
                .isEqualTo("small");
    }

    @Test
    void countsStreamsAndEveryKindOfError() throws InterruptedException {
        AtomicInteger ended = new AtomicInteger();
        Report report = new LoadGenerator(target(), workload(), new LoadGenerator.Plan(60, 0, 4, 0, true, true))
                .run(count -> ended.accumulateAndGet(count, Math::max));

        assertThat(report.samples()).hasSize(60);
        assertThat(ended).hasValue(60);
        assertThat(report.samples().stream().filter(s -> s.error().equals("HTTP 503")))
                .hasSize(8);
        assertThat(report.samples().stream().filter(s -> s.error().contains("broke")))
                .hasSize(5);
        assertThat(report.samples().stream().filter(s -> s.error().contains("[DONE]")))
                .hasSize(4);
        assertThat(report.samples().stream().filter(Sample::good)).hasSize(43).allSatisfy(sample -> {
            assertThat(sample.promptTokens()).isEqualTo(5);
            assertThat(sample.outputTokens()).isEqualTo(3);
            assertThat(sample.gaps()).hasSize(2);
            assertThat(sample.firstNanos()).isPositive().isLessThanOrEqualTo(sample.totalNanos());
        });
    }

    @Test
    void countsWholeAnswersAfterAWarmUp() throws InterruptedException {
        Report report = new LoadGenerator(target(), workload(), new LoadGenerator.Plan(12, 2, 1, 0, false, false))
                .run(count -> {});

        assertThat(served).hasValue(14);
        assertThat(report.samples().stream().filter(Sample::good)).hasSize(10).allSatisfy(sample -> {
            assertThat(sample.outputTokens()).isEqualTo(3);
            assertThat(sample.nanosPerToken()).isZero();
        });
    }

    @Test
    void anOpenLoopKeepsItsBoundAndSendsEverything() throws InterruptedException {
        Report report = new LoadGenerator(target(), workload(), new LoadGenerator.Plan(40, 0, 3, 10_000, true, true))
                .run(count -> {});

        assertThat(report.samples()).hasSize(40);
        assertThat(mostAtOnce.get()).isLessThanOrEqualTo(3);
    }

    @Test
    void aServerThatIsNotThereFailsEveryRequestAndHangsNone() throws InterruptedException {
        server.stop(0);
        Report report = new LoadGenerator(target(), workload(), new LoadGenerator.Plan(5, 0, 2, 0, true, true))
                .run(count -> {});

        assertThat(report.samples()).hasSize(5).noneMatch(Sample::good);
    }

    @Test
    void refusesPlansOutOfBounds() {
        assertThatThrownBy(() -> new LoadGenerator.Plan(0, 0, 1, 0, true, true))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Target.of("https://somewhere/v1", "", ""))
                .hasMessageContaining("no plain http address");
    }
}
