package dev.jeton.server.clients;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.helpers.ResponseAccumulator;
import com.openai.models.responses.EasyInputMessage;
import com.openai.models.responses.FunctionTool;
import com.openai.models.responses.Response;
import com.openai.models.responses.ResponseCreateParams;
import com.openai.models.responses.ResponseFunctionToolCall;
import com.openai.models.responses.ResponseIncludable;
import com.openai.models.responses.ResponseInputItem;
import com.openai.models.responses.ResponseItem;
import com.openai.models.responses.ResponseOutputItem;
import com.openai.models.responses.ResponseOutputText;
import com.openai.models.responses.ResponseStatus;
import com.openai.models.responses.ResponseStreamEvent;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Responses with OpenAI's library for Java, which checks every field that it is given. */
class OpenAiJavaResponsesTest {

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

    /** Calls the tool where there is one, then says what that said; else says how long the conversation is. */
    private static String answer(String prompt) {
        if (prompt.contains("tool: 12 degrees")) {
            return "It has 12 degrees.";
        }
        return prompt.contains("weather")
                ? CALL
                : prompt.lines()
                                .filter(line -> line.matches("(user|assistant): .+"))
                                .count() + " said, h\u00e9llo";
    }

    @AfterAll
    static void stop() {
        client.close();
        server.close();
    }

    private static ResponseCreateParams.Builder ask(String input) {
        return ResponseCreateParams.builder().model(TestServer.MODEL).input(input);
    }

    private static String text(Response response) {
        return response.output().stream()
                .flatMap(item -> item.message().stream())
                .flatMap(message -> message.content().stream())
                .map(part -> part.asOutputText().text())
                .collect(Collectors.joining());
    }

    private static ResponseCreateParams.Builder weather() {
        return ask("How warm is it?")
                .addTool(FunctionTool.builder()
                        .name("weather")
                        .strict(false)
                        .parameters(FunctionTool.Parameters.builder()
                                .putAdditionalProperty("type", JsonValue.from("object"))
                                .putAdditionalProperty(
                                        "properties", JsonValue.from(Map.of("city", Map.of("type", "string"))))
                                .build())
                        .build());
    }

    private static ResponseFunctionToolCall call(Response response) {
        List<ResponseFunctionToolCall> calls = response.output().stream()
                .flatMap(item -> item.functionCall().stream())
                .toList();
        assertThat(calls).hasSize(1);
        assertThat(calls.getFirst().name()).isEqualTo("weather");
        assertThat(calls.getFirst().arguments()).isEqualTo("{\"city\": \"K\u00f6ln\"}");
        return calls.getFirst();
    }

    @Test
    void shouldAnswerWhatTheLibraryFindsWhole() {
        Response response = client.responses()
                .create(ask("hi")
                        .maxOutputTokens(100)
                        .metadata(ResponseCreateParams.Metadata.builder()
                                .putAdditionalProperty("a", JsonValue.from("b"))
                                .build())
                        .build())
                .validate();
        assertThat(text(response)).isEqualTo("1 said, h\u00e9llo");
        assertThat(response.status()).hasValue(ResponseStatus.COMPLETED);
        assertThat(response.usage().orElseThrow().outputTokens()).isEqualTo(15);
        assertThat(response.metadata().orElseThrow()._additionalProperties()).containsEntry("a", JsonValue.from("b"));
    }

    @Test
    void shouldMakeAResponseInTheBackground() {
        Response queued =
                client.responses().create(ask("hi").background(true).build()).validate();
        assertThat(queued.status().orElseThrow())
                .isIn(ResponseStatus.QUEUED, ResponseStatus.IN_PROGRESS, ResponseStatus.COMPLETED);
        Eventually.until(
                "it is made",
                () -> client.responses()
                        .retrieve(queued.id())
                        .status()
                        .orElseThrow()
                        .equals(ResponseStatus.COMPLETED));
        assertThat(text(client.responses().retrieve(queued.id()).validate())).isEqualTo("1 said, h\u00e9llo");
        assertThat(client.responses().cancel(queued.id()).validate().status())
                .as("it has ended")
                .hasValue(ResponseStatus.COMPLETED);
    }

    @Test
    void shouldStreamWhatTheLibraryPutsTogether() {
        ResponseAccumulator accumulator = ResponseAccumulator.createWithSnapshots();
        StringBuilder deltas = new StringBuilder();
        List<Long> numbers = new ArrayList<>();
        try (StreamResponse<ResponseStreamEvent> stream =
                client.responses().createStreaming(ask("hi").build())) {
            stream.stream().map(ResponseStreamEvent::validate).forEach(event -> {
                accumulator.accumulate(event);
                event.outputTextDelta().ifPresent(delta -> {
                    deltas.append(delta.delta());
                    numbers.add(delta.sequenceNumber());
                });
            });
        }
        assertThat(text(accumulator.response())).isEqualTo("1 said, h\u00e9llo").isEqualTo(deltas.toString());
        assertThat(accumulator.reconstructedResponse().output())
                .isEqualTo(accumulator.response().output());
        assertThat(numbers).isSorted().doesNotHaveDuplicates();
    }

    @Test
    void shouldCallAToolAndTakeItsResult() {
        Response first = client.responses().create(weather().build()).validate();
        ResponseFunctionToolCall call = call(first);
        assertThat(text(first)).isEqualTo("I look.");
        ResponseInputItem output = ResponseInputItem.ofFunctionCallOutput(ResponseInputItem.FunctionCallOutput.builder()
                .callId(call.callId())
                .output("12 degrees")
                .build());
        Response second = client.responses()
                .create(ResponseCreateParams.builder()
                        .model(TestServer.MODEL)
                        .previousResponseId(first.id())
                        .inputOfResponse(List.of(output))
                        .build())
                .validate();
        assertThat(text(second)).isEqualTo("It has 12 degrees.");
        Response third = client.responses()
                .create(ResponseCreateParams.builder()
                        .model(TestServer.MODEL)
                        .store(false)
                        .inputOfResponse(List.of(
                                ResponseInputItem.ofEasyInputMessage(EasyInputMessage.builder()
                                        .role(EasyInputMessage.Role.USER)
                                        .content("How warm is it?")
                                        .build()),
                                ResponseInputItem.ofFunctionCall(call),
                                output))
                        .build());
        assertThat(text(third)).isEqualTo("It has 12 degrees.");
    }

    @Test
    void shouldStreamACallThatTheLibraryPutsTogether() {
        ResponseAccumulator accumulator = ResponseAccumulator.createWithSnapshots();
        StringBuilder deltas = new StringBuilder();
        try (StreamResponse<ResponseStreamEvent> stream =
                client.responses().createStreaming(weather().build())) {
            stream.stream().map(ResponseStreamEvent::validate).forEach(event -> {
                accumulator.accumulate(event);
                event.functionCallArgumentsDelta().ifPresent(delta -> deltas.append(delta.delta()));
            });
        }
        assertThat(call(accumulator.response()).arguments()).isEqualTo(deltas.toString());
        assertThat(accumulator.reconstructedResponse().output())
                .isEqualTo(accumulator.response().output());
    }

    @Test
    void shouldGiveLogProbabilitiesOfItsText() {
        Response response = client.responses()
                .create(ask("hi")
                        .addInclude(ResponseIncludable.MESSAGE_OUTPUT_TEXT_LOGPROBS)
                        .topLogprobs(2)
                        .build())
                .validate();
        ResponseOutputText text =
                response.output().getFirst().asMessage().content().getFirst().asOutputText();
        assertThat(text.logprobs().orElseThrow())
                .hasSize("1 said, h\u00e9llo".length() + 1)
                .allSatisfy(token -> assertThat(token.topLogprobs()).hasSize(2));
    }

    @Test
    void shouldGiveAndForgetWhatItStored() {
        Response asked = client.responses().create(ask("hi").build());
        Response found = client.responses().retrieve(asked.id()).validate();
        assertThat(found.output()).isEqualTo(asked.output());
        List<ResponseItem> items =
                client.responses().inputItems().list(asked.id()).data();
        assertThat(items)
                .singleElement()
                .satisfies(item -> assertThat(item.validate()
                                .asResponseInputMessageItem()
                                .content()
                                .getFirst()
                                .asInputText()
                                .text())
                        .isEqualTo("hi"));
        client.responses().delete(asked.id());
        assertThatThrownBy(() -> client.responses().retrieve(asked.id())).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> client.responses()
                        .create(ask("hi").previousResponseId(asked.id()).build()))
                .isInstanceOf(BadRequestException.class)
                .hasMessageContaining("There is no response");
    }

    @Test
    void shouldGoOnFromAResponse() {
        Response first = client.responses().create(ask("one").build());
        Response second = client.responses()
                .create(ask("two").previousResponseId(first.id()).build());
        assertThat(text(second)).startsWith("3 said");
        assertThat(second.previousResponseId()).hasValue(first.id());
        assertThat(second.output()).hasSize(1).allMatch(ResponseOutputItem::isMessage);
    }
}
