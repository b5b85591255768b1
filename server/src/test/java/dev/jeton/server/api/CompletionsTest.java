package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CompletionsTest {

    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    @Test
    void shouldAnswerWithTheModelsText() {
        Answer answer = server.complete("");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        assertThat(answer.at("choices.0.text")).isEqualTo(TestServer.REPLY);
        assertThat(answer.at("choices.0.finish_reason")).isEqualTo("stop");
        assertThat(answer.at("object")).isEqualTo("text_completion");
        assertThat(answer.response().headers().firstValue("x-jeton-request-id")).isPresent();
    }

    @Test
    void shouldStreamTheSameText() {
        Answer answer = server.complete("'stream':true");
        assertThat(answer.streamed("choices.0.text", 0)).isEqualTo(TestServer.REPLY);
        assertThat(answer.body()).endsWith("data: [DONE]\n\n");
        assertThat(answer.response().headers().firstValue("content-type")).hasValue("text/event-stream; charset=utf-8");
        List<Object> events = answer.events();
        assertThat(Answer.at(events.getLast(), "choices.0.finish_reason")).isEqualTo("stop");
        assertThat(events)
                .allSatisfy(event -> assertThat(Answer.at(event, "usage")).isNull());
    }

    @Test
    void shouldEndWithTheUsageWhereAsked() {
        Answer answer = server.complete("'stream':true,'stream_options':{'include_usage':true}");
        Object last = answer.events().getLast();
        assertThat(Answer.at(last, "choices")).isEqualTo(List.of());
        assertThat(Answer.at(last, "usage.prompt_tokens")).isEqualTo(3L);
    }

    @Test
    void shouldAnswerEveryPromptOfAListInOrder() {
        Answer answer = server.post(
                "/v1/completions", "{'model':'test-model','prompt':['say:one','say:two','say:three'],'n':2}");
        for (int i = 0; i < 6; i++) {
            assertThat(answer.at("choices." + i + ".text"))
                    .isEqualTo(List.of("one", "one", "two", "two", "three", "three")
                            .get(i));
        }
        assertThat(answer.at("usage.prompt_tokens")).isEqualTo((long) (8 + 8 + 10));
    }

    @Test
    void shouldStreamEveryPromptOfAList() {
        Answer answer =
                server.post("/v1/completions", "{'model':'test-model','prompt':['say:one','say:two'],'stream':true}");
        assertThat(answer.streamed("choices.0.text", 0)).isEqualTo("one");
        assertThat(answer.streamed("choices.0.text", 1)).isEqualTo("two");
    }

    @Test
    void shouldTakeTokenIds() {
        assertThat(server.post("/v1/completions", "{'model':'test-model','prompt':[115,97,121,58,120]}")
                        .at("choices.0.text"))
                .isEqualTo("x");
        assertThat(server.post("/v1/completions", "{'model':'test-model','prompt':[[115,97,121,58,121]]}")
                        .at("choices.0.text"))
                .isEqualTo("y");
    }

    @Test
    void shouldPutThePromptInFrontWhereAsked() {
        Answer whole = server.complete("'echo':true");
        assertThat(whole.at("choices.0.text")).isEqualTo("hi" + TestServer.REPLY);
        assertThat(server.complete("'echo':true,'stream':true").streamed("choices.0.text", 0))
                .isEqualTo("hi" + TestServer.REPLY);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 15, 31, 47, 48})
    void shouldGiveThePromptBackWithoutGeneratingWhereNothingIsAskedFor(int letters) {
        String prompt = "a".repeat(letters);
        String body = "{'model':'test-model','prompt':'%s','echo':true,'max_tokens':0,'n':2}".formatted(prompt);
        // The second time it is in the prefix cache.
        for (int i = 0; i < 2; i++) {
            Answer answer = server.post("/v1/completions", body);
            assertThat(answer.status()).as(answer.body()).isEqualTo(200);
            assertThat(answer.at("choices.0.text")).isEqualTo(prompt);
            assertThat(answer.at("choices.1.text")).isEqualTo(prompt);
            assertThat(answer.at("choices.0.finish_reason")).isEqualTo("length");
            assertThat(answer.at("usage.completion_tokens")).isEqualTo(0L);
        }
    }

    @Test
    void shouldScoreThePromptWithoutGenerating() {
        Answer answer = server.complete("'echo':true,'logprobs':0,'max_tokens':0");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        assertThat(answer.at("choices.0.text")).isEqualTo("hi");
        assertThat(answer.at("choices.0.logprobs.tokens")).isEqualTo(List.of("<bos>", "h", "i"));
        assertThat(answer.at("choices.0.logprobs.token_logprobs.0")).isNull();
        assertThat(answer.at("choices.0.logprobs.token_logprobs.2")).isEqualTo(-0.5);
        assertThat(answer.at("usage.completion_tokens")).isEqualTo(0L);
    }

    @Test
    void shouldTellWhereThePromptsTokensBeginInTheText() {
        Answer answer = server.post(
                "/v1/completions",
                "{'model':'test-model','prompt':'h\u00e9y','echo':true,'logprobs':0,'max_tokens':1}");
        assertThat(answer.at("choices.0.text")).isEqualTo("h\u00e9yH");
        assertThat(answer.at("choices.0.logprobs.tokens"))
                .isEqualTo(List.of("<bos>", "h", "bytes:\\xc3", "bytes:\\xa9", "y", "H"));
        assertThat(answer.at("choices.0.logprobs.text_offset")).isEqualTo(List.of(0L, 0L, 1L, 1L, 2L, 3L));
    }

    /** A server whose tokenizer takes the space from the beginning of a text; it answers " the". */
    private static TestServer stripping() {
        ByteTokenizer tokenizer = new ByteTokenizer(true);
        return TestServer.builder()
                .tokenizer(tokenizer)
                .replies(prompt -> new int[] {tokenizer.id(" the")})
                .start();
    }

    @Test
    void shouldKeepTheSpaceBetweenAPromptAndWhatGoesOn() {
        try (TestServer strip = stripping()) {
            assertThat(strip.complete("").at("choices.0.text")).isEqualTo(" the");
            assertThat(strip.complete("'echo':true").at("choices.0.text")).isEqualTo("hi the");
            assertThat(strip.complete("'stream':true").streamed("choices.0.text", 0))
                    .isEqualTo(" the");
        }
    }

    @Test
    void shouldBeginAnAnswerOfAChatWithoutASpace() {
        try (TestServer strip = stripping()) {
            assertThat(strip.chat("").at("choices.0.message.content")).isEqualTo("the");
        }
    }

    @Test
    void shouldShowTheSpaceWithWhichATokenBegins() {
        try (TestServer strip = stripping()) {
            assertThat(strip.complete("'logprobs':0,'max_tokens':1").at("choices.0.logprobs.tokens"))
                    .isEqualTo(List.of(" the"));
            Answer chat = strip.chat("'logprobs':true,'max_tokens':1");
            assertThat(chat.at("choices.0.logprobs.content.0.token")).isEqualTo(" the");
            assertThat(chat.at("choices.0.logprobs.content.0.bytes")).isEqualTo(List.of(32L, 116L, 104L, 101L));
        }
    }

    @Test
    void shouldGiveLogProbabilitiesWithOffsets() {
        Answer answer = server.complete("'logprobs':2,'max_tokens':3");
        assertThat(answer.at("choices.0.logprobs.tokens")).isEqualTo(List.of("H", "e", "l"));
        assertThat(answer.at("choices.0.logprobs.token_logprobs")).isEqualTo(List.of(-0.25, -0.25, -0.25));
        assertThat(answer.at("choices.0.logprobs.text_offset")).isEqualTo(List.of(0L, 1L, 2L));
        assertThat(answer.at("choices.0.logprobs.top_logprobs.0.H")).isEqualTo(-0.25);
        assertThat(answer.at("choices.0.logprobs.top_logprobs.0.b")).isEqualTo(-1.25);
    }

    @Test
    void shouldShowTheBytesOfATokenThatIsNoWholeCharacter() {
        Answer answer = server.post(
                "/v1/completions", "{'model':'test-model','prompt':'say:\u00e9','logprobs':0,'max_tokens':2}");
        assertThat(answer.at("choices.0.logprobs.tokens")).isEqualTo(List.of("bytes:\\xc3", "bytes:\\xa9"));
        assertThat(answer.at("choices.0.text")).isEqualTo("\u00e9");
    }

    @Test
    void shouldStopAtAStopString() {
        Answer answer = server.complete("'stop':[' and','never']");
        assertThat(answer.at("choices.0.text")).isEqualTo("Hello, h\u00e9llo \ud83d\ude00");
        assertThat(answer.at("choices.0.finish_reason")).isEqualTo("stop");
    }

    @Test
    void shouldNotStopAtAStopStringBeforeMinTokens() {
        Answer answer = server.complete("'stop':'l','min_tokens':8");
        assertThat(answer.at("choices.0.text")).isEqualTo("Hello, h\u00e9");
    }

    @Test
    void shouldStopAtAStopToken() {
        assertThat(server.complete("'stop_token_ids':[44]").at("choices.0.text"))
                .isEqualTo("Hello");
    }

    @Test
    void shouldGoOnPastTheEndWhereToldToIgnoreIt() {
        Answer answer = server.complete("'ignore_eos':true,'max_tokens':100,'min_tokens':100");
        assertThat(answer.at("usage.completion_tokens")).isEqualTo(100L);
        assertThat(answer.at("choices.0.finish_reason")).isEqualTo("length");
    }

    @Test
    void shouldGenerateTheRestOfTheContextWhereNothingElseIsSaid() {
        try (TestServer small = TestServer.builder().contextLength(64).start()) {
            Answer answer = small.complete("'ignore_eos':true,'min_tokens':61");
            assertThat(answer.at("usage.total_tokens")).isEqualTo(64L);
            assertThat(answer.at("choices.0.finish_reason")).isEqualTo("length");
        }
    }

    @Test
    void shouldTakeTheClientsRequestIdWhereItIsSane() {
        Answer sane = server.send(
                server.request("/version").header("x-request-id", "abc-1").GET());
        assertThat(sane.response().headers().firstValue("x-jeton-request-id")).hasValue("abc-1");
        assertThat(sane.header("x-request-id"))
                .as("where OpenAI's clients look for it")
                .isEqualTo("abc-1");
        Answer odd = server.send(
                server.request("/version").header("x-request-id", "a b!").GET());
        assertThat(odd.response().headers().firstValue("x-jeton-request-id"))
                .isPresent()
                .get()
                .isNotEqualTo("a b!");
    }

    @Test
    void shouldRefuseWithRetryAfterWhereTheQueueIsFull() throws Exception {
        try (TestServer small = TestServer.builder().sequences(1).waiting(1).start()) {
            small.engine().hold();
            try (RawClient first = new RawClient(small.port());
                    RawClient second = new RawClient(small.port());
                    RawClient third = new RawClient(small.port())) {
                first.post("/v1/completions", "{'model':'test-model','prompt':'a'}");
                small.engine().allow(1);
                Eventually.until("the first one runs", () -> small.engine().stepsRun() == 1);
                second.post("/v1/completions", "{'model':'test-model','prompt':'b'}");
                third.post("/v1/completions", "{'model':'test-model','prompt':'c'}");
                Eventually.until(
                        "one is refused", () -> small.get("/metrics").body().contains("outcome=\"rejected\""));
                small.engine().release();
                assertThat(first.response()).startsWith("HTTP/1.1 200");
                List<String> others = List.of(second.response(), third.response());
                assertThat(others).anyMatch(response -> response.startsWith("HTTP/1.1 200"));
                assertThat(others)
                        .anyMatch(
                                response -> response.startsWith("HTTP/1.1 429") && response.contains("retry-after: 1"));
            }
        }
    }
}
