package dev.jeton.server.clients;

import static org.assertj.core.api.Assertions.assertThat;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.http.StreamResponse;
import com.openai.helpers.ChatCompletionAccumulator;
import com.openai.helpers.ResponseAccumulator;
import com.openai.models.Reasoning;
import com.openai.models.ReasoningEffort;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionMessage;
import com.openai.models.responses.Response;
import com.openai.models.responses.ResponseCreateParams;
import com.openai.models.responses.ResponseStreamEvent;
import dev.jeton.models.template.JinjaTemplate;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.TestServer;
import java.time.Clock;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A chat of two rounds with OpenAI's library for Java and a model that thinks, and then says what it is shown. */
class OpenAiJavaReasoningTest {

    private static final String TEMPLATE =
            "{% for m in messages %}{{ m.reasoning_content }}/{{ m.content }} {% endfor %}"
                    + "{{ reasoning_effort }}{% if false %}<think>{% endif %}";

    private static TestServer server;
    private static OpenAIClient client;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .template(new JinjaTemplate(TEMPLATE, Map.of(), Clock.systemUTC()))
                .reasoningParser("auto")
                .replies(prompt -> new ByteTokenizer()
                        .encode("<think>\nwhy\n</think>\n\n" + new ByteTokenizer().decode(prompt, true), false))
                .start();
        client = OpenAIOkHttpClient.builder()
                .baseUrl(server.uri("/v1").toString())
                .apiKey("none")
                .maxRetries(0)
                .build();
    }

    @AfterAll
    static void stop() {
        client.close();
        server.close();
    }

    private static ChatCompletionCreateParams.Builder question() {
        return ChatCompletionCreateParams.builder()
                .model(TestServer.MODEL)
                .reasoningEffort(ReasoningEffort.LOW)
                .addUserMessage("a");
    }

    @Test
    void shouldReadThinkingAndShowItToTheModelAgain() {
        ChatCompletion first = client.chat().completions().create(question().build());
        ChatCompletionMessage message = first.validate().choices().getFirst().message();
        assertThat(message.content()).hasValue("/a low");
        assertThat(message._additionalProperties().get("reasoning_content").asString())
                .hasValue("why");
        assertThat(first.usage()
                        .orElseThrow()
                        .completionTokensDetails()
                        .orElseThrow()
                        .reasoningTokens())
                .hasValue(20L);
        ChatCompletion second = client.chat()
                .completions()
                .create(question().addMessage(message).addUserMessage("b").build());
        assertThat(second.choices().getFirst().message().content().orElseThrow())
                .endsWith("/a low /b low");
    }

    @Test
    void shouldReadThinkingOfAResponseAndShowItToTheModelAgain() {
        Response first = client.responses()
                .create(ResponseCreateParams.builder()
                        .model(TestServer.MODEL)
                        .reasoning(
                                Reasoning.builder().effort(ReasoningEffort.LOW).build())
                        .input("a")
                        .build())
                .validate();
        assertThat(first.output().getFirst().asReasoning().content().orElseThrow())
                .singleElement()
                .satisfies(part -> assertThat(part.text()).isEqualTo("why"));
        ResponseAccumulator accumulator = ResponseAccumulator.createWithSnapshots();
        try (StreamResponse<ResponseStreamEvent> stream = client.responses()
                .createStreaming(ResponseCreateParams.builder()
                        .model(TestServer.MODEL)
                        .previousResponseId(first.id())
                        .input("b")
                        .build())) {
            stream.stream().map(ResponseStreamEvent::validate).forEach(accumulator::accumulate);
        }
        Response second = accumulator.response().validate();
        assertThat(second.output()
                        .get(1)
                        .asMessage()
                        .content()
                        .getFirst()
                        .asOutputText()
                        .text())
                .isEqualTo("/a why//a low /b ");
        assertThat(second.usage().orElseThrow().outputTokensDetails().reasoningTokens())
                .isEqualTo(20);
        assertThat(accumulator.reconstructedResponse().output()).isEqualTo(second.output());
    }

    @Test
    void shouldStreamAnAnswerThatTheLibraryPutsTogether() {
        ChatCompletionAccumulator accumulator = ChatCompletionAccumulator.create();
        StringBuilder thinking = new StringBuilder();
        try (StreamResponse<ChatCompletionChunk> stream =
                client.chat().completions().createStreaming(question().build())) {
            stream.stream().peek(accumulator::accumulate).forEach(chunk -> {
                var more = chunk.choices().getFirst().delta()._additionalProperties();
                if (more.containsKey("reasoning_content")) {
                    thinking.append(more.get("reasoning_content").asString().orElseThrow());
                }
            });
        }
        assertThat(thinking).hasToString("why");
        assertThat(accumulator.chatCompletion().choices().getFirst().message().content())
                .hasValue("/a low");
    }
}
