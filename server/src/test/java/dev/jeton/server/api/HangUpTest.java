package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HangUpTest {

    private static final String LONG = "'max_tokens':3000,'ignore_eos':true,'min_tokens':3000";

    private static String request(String prompt, String fields) {
        return "{'model':'test-model','prompt':'" + prompt + "'," + fields + "}";
    }

    private static boolean metric(TestServer server, String line) {
        return server.get("/metrics").body().contains(line);
    }

    private static void untilCancelled(TestServer server) {
        Eventually.until("the request ended as cancelled", () -> metric(server, "outcome=\"cancelled\""));
        Eventually.until("no sequence runs", () -> metric(server, "jeton_sequences_running{model=\"test-model\"} 0.0"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"'stream':true,", "'stream':false,"})
    void shouldCancelWithinAStepInDecode(String stream) throws IOException {
        try (TestServer server = TestServer.start()) {
            hangUpAfterTenSteps(server, "/v1/completions", request("hi", stream + LONG));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"'stream':true", "'stream':false"})
    void shouldCancelAResponseAndStoreNothingOfIt(String stream) throws IOException {
        try (TestServer server = TestServer.start()) {
            hangUpAfterTenSteps(
                    server,
                    "/v1/responses",
                    "{'model':'test-model','input':'hi','ignore_eos':true,'min_tokens':3000," + stream + "}");
            assertThat(metric(server, "jeton_responses_stored 0.0")).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"'stream':true", "'stream':false"})
    void shouldCancelAMessage(String stream) throws IOException {
        try (TestServer server = TestServer.start()) {
            hangUpAfterTenSteps(
                    server,
                    "/v1/messages",
                    "{'model':'test-model','max_tokens':3500,'messages':[{'role':'user','content':'hi'}],"
                            + "'ignore_eos':true,'min_tokens':3000," + stream + "}");
        }
    }

    /** Posts, hangs up after ten steps, and finds that hardly another was run. */
    private static void hangUpAfterTenSteps(TestServer server, String path, String body) throws IOException {
        server.engine().hold();
        try (RawClient client = new RawClient(server.port())) {
            client.post(path, body);
            server.engine().allow(10);
            Eventually.until("ten steps ran", () -> server.engine().stepsRun() == 10);
        }
        Eventually.until("the connection is gone", () -> metric(server, "jeton_connections 1.0"));
        server.engine().allow(100);
        untilCancelled(server);
        // The step in flight, and at most one that was planned before the hang-up was seen.
        assertThat(server.engine().stepsRun()).isLessThanOrEqualTo(12);
    }

    @Test
    void shouldCancelWithinAStepInPrefill() throws IOException {
        try (TestServer server =
                TestServer.builder().contextLength(8_192).batchedTokens(16).start()) {
            server.engine().hold();
            try (RawClient client = new RawClient(server.port())) {
                client.post("/v1/completions", request("x".repeat(2_000), LONG));
                server.engine().allow(3);
                Eventually.until("three steps ran", () -> server.engine().stepsRun() == 3);
            }
            Eventually.until("the connection is gone", () -> metric(server, "jeton_connections 1.0"));
            server.engine().allow(200);
            untilCancelled(server);
            assertThat(server.engine().stepsRun()).isLessThanOrEqualTo(5);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"", "<tool_call>{\"id\": \""})
    void shouldCancelWithinAStepInACallThatIsToldOrHeldBack(String begun) throws IOException {
        try (TestServer server = TestServer.builder()
                .toolCallParser("hermes")
                .replies(prompt -> new ByteTokenizer().encode(begun + "x".repeat(2_000), false))
                .start()) {
            server.engine().hold();
            int steps = begun.length() + 10;
            try (RawClient client = new RawClient(server.port())) {
                client.post(
                        "/v1/chat/completions",
                        "{'model':'test-model','stream':true,'messages':[{'role':'user','content':'hi'}],"
                                + "'tools':[{'type':'function','function':{'name':'f'}}]}");
                server.engine().allow(steps);
                Eventually.until("the call has begun", () -> server.engine().stepsRun() == steps);
            }
            Eventually.until("the connection is gone", () -> metric(server, "jeton_connections 1.0"));
            server.engine().allow(100);
            untilCancelled(server);
            assertThat(server.engine().stepsRun()).isLessThanOrEqualTo(steps + 2);
        }
    }

    @Test
    void shouldCancelEveryPromptOfAList() throws IOException {
        try (TestServer server = TestServer.start()) {
            server.engine().hold();
            try (RawClient client = new RawClient(server.port())) {
                client.post(
                        "/v1/completions",
                        "{'model':'test-model','prompt':['a','b','c'],'n':2,'stream':true," + LONG + "}");
                server.engine().allow(4);
                Eventually.until("four steps ran", () -> server.engine().stepsRun() == 4);
                // or the first prompt's steps could all be over before the others are submitted
                assertThat(client.headOfResponse()).contains("200");
            }
            Eventually.until("the connection is gone", () -> metric(server, "jeton_connections 1.0"));
            server.engine().allow(100);
            untilCancelled(server);
        }
    }

    @Test
    void shouldCancelAndCloseWhereTheStreamIsNeverRead() throws IOException {
        try (TestServer server = TestServer.builder()
                        .set("stream.stall-timeout", "200ms")
                        .set("http.write-buffer", "1KiB")
                        .set("http.send-buffer", "4KiB")
                        .start();
                RawClient client = new RawClient(server.port(), 1_024)) {
            client.post("/v1/completions", request("hi", "'stream':true,'logprobs':20," + LONG));
            Eventually.until("the request ended as stalled", () -> metric(server, "outcome=\"stalled\""));
            Eventually.until(
                    "no sequence runs", () -> metric(server, "jeton_sequences_running{model=\"test-model\"} 0.0"));
            assertThat(client.rest()).startsWith("HTTP/1.1 200").doesNotContain("[DONE]");
            assertThat(server.complete("").status()).isEqualTo(200);
        }
    }

    @Test
    void shouldWaitForASlowReaderAndSendItEverything() throws IOException {
        try (TestServer server = TestServer.builder()
                        .set("http.write-buffer", "1KiB")
                        .set("http.send-buffer", "4KiB")
                        .start();
                RawClient client = new RawClient(server.port(), 1_024)) {
            String body =
                    "{\"model\":\"test-model\",\"prompt\":\"hi\",\"stream\":true," + LONG.replace('\'', '"') + "}";
            client.send("POST /v1/completions HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: "
                    + body.length() + "\r\n\r\n" + body);
            assertThat(client.rest()).contains("data: [DONE]");
        }
    }

    @Test
    void shouldCloseWhereTheEndOfAnAnswerIsNeverRead() throws IOException {
        try (TestServer server = TestServer.builder()
                        .set("stream.stall-timeout", "200ms")
                        .set("http.send-buffer", "4KiB")
                        .start();
                RawClient client = new RawClient(server.port(), 1_024)) {
            client.post("/v1/completions", request("hi", "'logprobs':20," + LONG));
            Eventually.until(
                    "the request ended",
                    () -> metric(server, "endpoint=\"completions\",model=\"test-model\",outcome=\"ok\""));
            Eventually.until("the connection is closed", () -> metric(server, "jeton_connections 1.0"));
        }
    }
}
