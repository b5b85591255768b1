package dev.jeton.server.clients;

import static org.assertj.core.api.Assertions.assertThat;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.StreamResponse;
import com.openai.helpers.ChatCompletionAccumulator;
import com.openai.models.FunctionDefinition;
import com.openai.models.FunctionParameters;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionFunctionTool;
import com.openai.models.chat.completions.ChatCompletionMessage;
import com.openai.models.chat.completions.ChatCompletionMessageFunctionToolCall;
import com.openai.models.chat.completions.ChatCompletionToolMessageParam;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.TestServer;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** An agent's round with OpenAI's library for Java: a question, a call, its result, an answer. */
class OpenAiJavaToolsTest {

    private static final String CALL =
            "I look.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"K\u00f6ln\"}}\n</tool_call>";

    private static TestServer server;
    private static OpenAIClient client;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .toolCallParser("hermes")
                .replies(prompt -> new ByteTokenizer().encode(answer(new ByteTokenizer().decode(prompt, true)), false))
                .start();
        client = OpenAIOkHttpClient.builder()
                .baseUrl(server.uri("/v1").toString())
                .apiKey("none")
                .maxRetries(0)
                .build();
    }

    /** Calls the tool, and then says what that said. */
    private static String answer(String prompt) {
        int result = prompt.lastIndexOf("tool: ");
        return prompt.contains("tool: 12 degrees") ? "It has " + prompt.substring(result + 6, result + 16) + "." : CALL;
    }

    @AfterAll
    static void stop() {
        client.close();
        server.close();
    }

    private static ChatCompletionCreateParams.Builder question() {
        FunctionDefinition weather = FunctionDefinition.builder()
                .name("weather")
                .description("Today's weather")
                .parameters(FunctionParameters.builder()
                        .putAdditionalProperty("type", JsonValue.from("object"))
                        .putAdditionalProperty("properties", JsonValue.from(Map.of("city", Map.of("type", "string"))))
                        .build())
                .build();
        return ChatCompletionCreateParams.builder()
                .model(TestServer.MODEL)
                .addTool(ChatCompletionFunctionTool.builder().function(weather).build())
                .addUserMessage("How warm is it?");
    }

    private static ChatCompletionMessageFunctionToolCall call(ChatCompletion answer) {
        ChatCompletion.Choice choice = answer.choices().getFirst();
        assertThat(choice.finishReason()).isEqualTo(ChatCompletion.Choice.FinishReason.TOOL_CALLS);
        assertThat(choice.message().content()).hasValue("I look.");
        return choice.message().toolCalls().orElseThrow().getFirst().asFunction();
    }

    private static void checkCall(ChatCompletionMessageFunctionToolCall call) {
        assertThat(call.function().name()).isEqualTo("weather");
        assertThat(call.function().arguments()).isEqualTo("{\"city\": \"K\u00f6ln\"}");
        assertThat(call.id()).startsWith("call_");
    }

    @Test
    void shouldCallAToolAndTakeItsResult() {
        ChatCompletionCreateParams.Builder conversation = question();
        ChatCompletion first = client.chat().completions().create(conversation.build());
        ChatCompletionMessageFunctionToolCall call = call(first.validate());
        checkCall(call);
        ChatCompletionMessage message = first.choices().getFirst().message();
        ChatCompletion second = client.chat()
                .completions()
                .create(conversation
                        .addMessage(message)
                        .addMessage(ChatCompletionToolMessageParam.builder()
                                .toolCallId(call.id())
                                .content("12 degrees")
                                .build())
                        .build());
        assertThat(second.choices().getFirst().message().content()).hasValue("It has 12 degrees.");
        assertThat(second.choices().getFirst().message().toolCalls()).isEmpty();
    }

    @Test
    void shouldStreamACallThatTheLibraryPutsTogether() {
        ChatCompletionAccumulator accumulator = ChatCompletionAccumulator.create();
        try (StreamResponse<ChatCompletionChunk> stream =
                client.chat().completions().createStreaming(question().build())) {
            stream.stream().peek(ChatCompletionChunk::validate).forEach(accumulator::accumulate);
        }
        checkCall(call(accumulator.chatCompletion()));
    }
}
