package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class DrainTest {

    private static CompletableFuture<Boolean> drain(TestServer server) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return server.server().drain();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
    }

    @Test
    void shouldFinishWhatRunsAndRefuseWhatComes() throws Exception {
        try (TestServer server = TestServer.start();
                RawClient running = new RawClient(server.port())) {
            server.engine().hold();
            running.post("/v1/completions", "{'model':'test-model','prompt':'say:to the end'}");
            server.engine().allow(1);
            Eventually.until("it runs", () -> server.engine().stepsRun() == 1);
            CompletableFuture<Boolean> drained = drain(server);
            Eventually.until(
                    "readiness fails", () -> server.get("/health/ready").status() == 503);
            Answer refused = server.complete("");
            assertThat(refused.status()).isEqualTo(503);
            assertThat(refused.at("error.code")).isEqualTo("draining");
            assertThat(server.get("/health/live").status()).isEqualTo(200);
            server.engine().release();
            assertThat(running.response()).startsWith("HTTP/1.1 200").contains("to the end");
            assertThat(drained.get()).isTrue();
        }
    }

    @Test
    void shouldNotCallItselfAliveWhenOnlyANewProcessHelps() throws Exception {
        try (TestServer server = TestServer.builder()
                .replies(prompt -> {
                    throw new IllegalStateException("as the test wants it");
                })
                .start()) {
            assertThat(server.get("/health/live").status()).isEqualTo(200);
            assertThat(server.complete("").status()).isGreaterThanOrEqualTo(500);
            Eventually.until(
                    "the engine is down", () -> server.get("/health/ready").status() == 503);
            Answer live = server.get("/health/live");
            assertThat(live.status()).isEqualTo(503);
            assertThat(live.at("status")).isEqualTo("engine_down");
            assertThat(server.get("/health").status()).isEqualTo(200);
        }
    }

    @Test
    void shouldTellWhoIsStillStreamedToAtTheDeadline() throws Exception {
        TestServer server =
                TestServer.builder().set("server.drain-timeout", "50ms").start();
        try (RawClient running = new RawClient(server.port())) {
            server.engine().hold();
            running.post(
                    "/v1/completions",
                    "{'model':'test-model','prompt':'hi','stream':true,'ignore_eos':true,'min_tokens':4000}");
            server.engine().allow(2);
            assertThat(running.headOfResponse()).startsWith("HTTP/1.1 200");
            assertThat(drain(server).get()).isFalse();
            server.close();
            assertThat(running.rest()).contains("\"code\":\"shutdown\"").doesNotContain("[DONE]");
        }
    }

    @Test
    void shouldRefuseWhatStillRunsAtTheDeadline() throws Exception {
        TestServer server =
                TestServer.builder().set("server.drain-timeout", "50ms").start();
        try (RawClient running = new RawClient(server.port())) {
            server.engine().hold();
            running.post("/v1/completions", "{'model':'test-model','prompt':'hi','ignore_eos':true,'min_tokens':4000}");
            server.engine().allow(1);
            Eventually.until("it runs", () -> server.engine().stepsRun() == 1);
            assertThat(drain(server).get()).isFalse();
            server.close();
            assertThat(running.rest()).startsWith("HTTP/1.1 503").contains("\"code\":\"shutdown\"");
        }
    }
}
