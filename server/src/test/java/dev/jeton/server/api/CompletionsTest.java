package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

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
}
