package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class DeadlineTest {

    private static final long TIMEOUT_NANOS = 20_000_000;

    /** Sends a request to a server whose engine stands still until the request's time is over. */
    private static Answer late(TestServer server, String fields) throws Exception {
        server.engine().hold();
        CompletableFuture<Answer> answer = CompletableFuture.supplyAsync(() -> server.complete(fields));
        server.engine().allow(1);
        Eventually.until(
                "it runs or was too late already", () -> server.engine().stepsRun() == 1 || answer.isDone());
        long since = System.nanoTime();
        Eventually.until("its time is over", () -> System.nanoTime() - since > TIMEOUT_NANOS);
        server.engine().release();
        return answer.get();
    }

    private static TestServer server() {
        return TestServer.builder().set("limits.request-timeout", "20ms").start();
    }

    @Test
    void shouldAnswer504WhenARequestTakesTooLong() throws Exception {
        try (TestServer server = server()) {
            Answer answer = late(server, "");
            assertThat(answer.status()).isEqualTo(504);
            assertThat(answer.at("error.code")).isEqualTo("deadline_exceeded");
            assertThat(answer.body()).contains("limits.request-timeout");
        }
    }

    @Test
    void shouldEndAStreamThatTakesTooLongWithTheError() throws Exception {
        try (TestServer server = server()) {
            assertThat(late(server, "'stream':true").body())
                    .contains("deadline_exceeded")
                    .doesNotContain("[DONE]");
        }
    }

    @Test
    void shouldNotBoundARequestUnlessAsked() throws Exception {
        try (TestServer server = TestServer.start()) {
            assertThat(late(server, "").status()).isEqualTo(200);
        }
    }
}
