package dev.jeton.server.clients;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.anthropic.client.AnthropicClient;
import com.anthropic.client.okhttp.AnthropicOkHttpClient;
import com.anthropic.core.JsonValue;
import com.anthropic.core.http.StreamResponse;
import com.anthropic.errors.BadRequestException;
import com.anthropic.errors.NotFoundException;
import com.anthropic.errors.UnauthorizedException;
import com.anthropic.helpers.MessageAccumulator;
import com.anthropic.models.messages.ContentBlockParam;
import com.anthropic.models.messages.Message;
import com.anthropic.models.messages.MessageContentParam;
import com.anthropic.models.messages.MessageCountTokensParams;
import com.anthropic.models.messages.MessageCreateParams;
import com.anthropic.models.messages.RawMessageStreamEvent;
import com.anthropic.models.messages.StopReason;
import com.anthropic.models.messages.Tool;
import com.anthropic.models.messages.ToolResultBlockParam;
import com.anthropic.models.messages.ToolUseBlock;
import com.anthropic.models.messages.WebSearchTool20250305;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.TestServer;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Messages with Anthropic's library for Java, which checks every field that it is given. */
class AnthropicJavaTest {

    private static final String KEY = "a-key";
    private static final String CALL =
            "I look.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"K\u00f6ln\"}}\n</tool_call>";

    private static TestServer server;
    private static AnthropicClient client;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .set("server.api-keys", KEY)
                .toolCallParser("hermes")
                .reasoningParser("qwen3")
                .replies(prompt -> new ByteTokenizer().encode(answer(new ByteTokenizer().decode(prompt, true)), false))
                .start();
        client = client().apiKey(KEY).build();
    }

    private static AnthropicOkHttpClient.Builder client() {
        return AnthropicOkHttpClient.builder()
                .baseUrl(server.uri("").toString())
                .maxRetries(0);
    }

    /** Calls the tool where there is one, then says what that said; thinks where it is told to. */
    private static String answer(String prompt) {
        if (prompt.contains("tool: 12 degrees")) {
            return "It has 12 degrees.";
        }
        return prompt.contains("weather")
                ? CALL
                : (prompt.contains("think") ? "<think>\nwhy\n</think>\n\n" : "") + "h\u00e9llo, to the end";
    }

    @AfterAll
    static void stop() {
        client.close();
        server.close();
    }

    private static MessageCreateParams.Builder ask(String question) {
        return MessageCreateParams.builder()
                .model(TestServer.MODEL)
                .maxTokens(200)
                .addUserMessage(question);
    }

    private static MessageCreateParams.Builder weather() {
        return ask("How warm is it?")
                .addTool(Tool.builder()
                        .name("weather")
                        .description("tells the weather")
                        .inputSchema(Tool.InputSchema.builder()
                                .properties(JsonValue.from(Map.of("city", Map.of("type", "string"))))
                                .required(List.of("city"))
                                .build())
                        .build());
    }

    private static Message streamed(MessageCreateParams params) {
        MessageAccumulator accumulator = MessageAccumulator.create();
        try (StreamResponse<RawMessageStreamEvent> stream = client.messages().createStreaming(params)) {
            stream.stream().map(RawMessageStreamEvent::validate).forEach(accumulator::accumulate);
        }
        return accumulator.message().validate();
    }

    private static Message whole(MessageCreateParams params) {
        return client.messages().create(params).validate();
    }

    private static String text(Message message) {
        return message.content().stream()
                .flatMap(block -> block.text().stream())
                .map(block -> block.text())
                .collect(Collectors.joining());
    }

    private static ToolUseBlock call(Message message) {
        assertThat(message.stopReason()).hasValue(StopReason.TOOL_USE);
        List<ToolUseBlock> calls = message.content().stream()
                .flatMap(block -> block.toolUse().stream())
                .toList();
        assertThat(calls).hasSize(1);
        assertThat(calls.getFirst().name()).isEqualTo("weather");
        assertThat(calls.getFirst()._input()).isEqualTo(JsonValue.from(Map.of("city", "K\u00f6ln")));
        return calls.getFirst();
    }

    @Test
    void shouldAnswerWhatTheLibraryFindsWhole() {
        Message message = whole(ask("hi").system("Be brief.").build());
        assertThat(text(message)).isEqualTo("h\u00e9llo, to the end");
        assertThat(message.stopReason()).hasValue(StopReason.END_TURN);
        assertThat(message.usage().outputTokens()).isEqualTo(19);
        assertThat(message._additionalProperties()).isEmpty();
    }

    @Test
    void shouldStreamWhatTheLibraryPutsTogether() {
        Message message = streamed(ask("hi").build());
        assertThat(text(message)).isEqualTo("h\u00e9llo, to the end");
        assertThat(message.stopReason()).hasValue(StopReason.END_TURN);
        assertThat(message.usage().outputTokens()).isEqualTo(19);
        assertThat(message.usage().inputTokens()
                        + message.usage().cacheReadInputTokens().orElse(0L))
                .isPositive();
    }

    @Test
    void shouldTellTheStopSequence() {
        for (Message message : List.of(
                whole(ask("hi").addStopSequence("to").build()),
                streamed(ask("hi").addStopSequence("to").build()))) {
            assertThat(text(message)).isEqualTo("h\u00e9llo, ");
            assertThat(message.stopReason()).hasValue(StopReason.STOP_SEQUENCE);
            assertThat(message.stopSequence()).hasValue("to");
        }
    }

    @Test
    void shouldThinkInABlockOfItsOwn() {
        for (Message message : List.of(
                whole(ask("think").enabledThinking(1_024).build()),
                streamed(ask("think").enabledThinking(1_024).build()))) {
            assertThat(message.content().getFirst().asThinking().thinking()).isEqualTo("why");
            assertThat(text(message)).isEqualTo("h\u00e9llo, to the end");
        }
    }

    @Test
    void shouldCallAToolAndGoOnFromItsResult() {
        for (Message first :
                List.of(whole(weather().build()), streamed(weather().build()))) {
            ContentBlockParam result = ContentBlockParam.ofToolResult(ToolResultBlockParam.builder()
                    .toolUseId(call(first).id())
                    .content("12 degrees")
                    .build());
            Message second = whole(weather()
                    .addMessage(first)
                    .addUserMessage(MessageContentParam.ofContentBlockParams(List.of(result)))
                    .build());
            assertThat(text(second)).isEqualTo("It has 12 degrees.");
        }
    }

    @Test
    void shouldCountTokens() {
        Message message = whole(ask("hi").system("Be brief.").build());
        assertThat(client.messages()
                        .countTokens(MessageCountTokensParams.builder()
                                .model(TestServer.MODEL)
                                .system("Be brief.")
                                .addUserMessage("hi")
                                .build())
                        .validate()
                        .inputTokens())
                .isEqualTo(message.usage().inputTokens()
                        + message.usage().cacheReadInputTokens().orElse(0L));
    }

    @Test
    void shouldTakeTheKeyAsATokenToo() {
        AnthropicClient bearer = client().authToken(KEY).build();
        try {
            assertThat(text(bearer.messages().create(ask("hi").build()))).isNotEmpty();
        } finally {
            bearer.close();
        }
    }

    @Test
    void shouldServeTheLibrarysBeta() {
        var message = client.beta()
                .messages()
                .create(com.anthropic.models.beta.messages.MessageCreateParams.builder()
                        .model(TestServer.MODEL)
                        .maxTokens(200)
                        .addUserMessage("hi")
                        .addBeta("context-management-2025-06-27")
                        .build())
                .validate();
        assertThat(message.content().getFirst().asText().text()).isEqualTo("h\u00e9llo, to the end");
    }

    @Test
    void shouldRefuseInErrorsThatTheLibraryKnows() {
        assertThatThrownBy(() -> whole(ask("hi").model("none").build()))
                .isInstanceOfSatisfying(NotFoundException.class, error -> {
                    assertThat(error.requestId()).isPresent();
                    assertThat(error.apiMessage())
                            .hasValueSatisfying(text -> assertThat(text).contains("'none'"));
                });
        assertThatThrownBy(() -> whole(ask("hi")
                        .addTool(WebSearchTool20250305.builder().build())
                        .build()))
                .isInstanceOfSatisfying(
                        BadRequestException.class,
                        error -> assertThat(error.type().orElseThrow().asString())
                                .isEqualTo("invalid_request_error"));
        AnthropicClient other = client().apiKey("wrong").build();
        try {
            assertThatThrownBy(() -> other.messages().create(ask("hi").build()))
                    .isInstanceOf(UnauthorizedException.class);
        } finally {
            other.close();
        }
    }
}
