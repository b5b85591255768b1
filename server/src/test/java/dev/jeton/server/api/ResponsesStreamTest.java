package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.json.Json;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Streams of responses, of a model that answers what a test says. */
class ResponsesStreamTest {

    private static final String TOOLS =
            "'tools':[{'type':'function','name':'f'},{'type':'function','name':'g','parameters':{'type':'object'}}]";
    private static final String CALL = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>";
    private static final String OTHER = "<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call>";

    private static final AtomicReference<String> REPLY = new AtomicReference<>("");
    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .toolCallParser("hermes")
                .replies(prompt -> new ByteTokenizer().encode(REPLY.get(), false))
                .start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static Answer ask(String reply, String fields) {
        REPLY.set(reply);
        Answer answer = server.post("/v1/responses", "{'model':'test-model','input':'hi'" + fields + "}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return answer;
    }

    private static List<String> types(Answer answer) {
        return answer.events().stream()
                .map(event -> (String) Answer.at(event, "type"))
                .toList();
    }

    @Test
    void shouldSendTheEventsOfAText() {
        Answer answer = ask("hello", ",'stream':true");
        List<String> types = types(answer);
        assertThat(types.subList(0, 4))
                .containsExactly(
                        "response.created",
                        "response.in_progress",
                        "response.output_item.added",
                        "response.content_part.added");
        assertThat(types.subList(4, types.size() - 4)).isNotEmpty().containsOnly("response.output_text.delta");
        assertThat(types.subList(types.size() - 4, types.size()))
                .containsExactly(
                        "response.output_text.done",
                        "response.content_part.done",
                        "response.output_item.done",
                        "response.completed");
        assertThat(answer.body()).doesNotContain("[DONE]");
    }

    @Test
    void shouldNameAndNumberEachEvent() {
        Answer answer = ask("I look.\n" + CALL, ",'stream':true," + TOOLS);
        List<Object> events = answer.events();
        assertThat(events.stream().map(event -> Answer.at(event, "sequence_number")))
                .containsExactlyElementsOf(IntStream.range(0, events.size())
                        .mapToObj(i -> (Object) (long) i)
                        .toList());
        assertThat(answer.body()
                        .lines()
                        .filter(line -> line.startsWith("event: "))
                        .map(line -> line.substring(7)))
                .containsExactlyElementsOf(types(answer));
    }

    @Test
    void shouldSendTheEventsOfACall() {
        List<Object> events = ask(CALL, ",'stream':true," + TOOLS).events();
        Map<Object, Object> byType = new HashMap<>();
        events.forEach(event -> byType.put(Answer.at(event, "type"), event));
        Object added = byType.get("response.output_item.added");
        assertThat(Answer.at(added, "item.type")).isEqualTo("function_call");
        assertThat(Answer.at(added, "item.name")).isEqualTo("f");
        assertThat(Answer.at(added, "item.arguments")).isEqualTo("");
        assertThat(Answer.at(added, "item.status")).isEqualTo("in_progress");
        Object done = byType.get("response.function_call_arguments.done");
        assertThat(Answer.at(done, "arguments")).isEqualTo("{\"a\": 1}");
        assertThat(Answer.at(done, "name")).isEqualTo("f");
        assertThat(Answer.at(byType.get("response.output_item.done"), "item.status"))
                .isEqualTo("completed");
        assertThat(byType).doesNotContainKey("response.content_part.added");
    }

    @Test
    void shouldStreamAnEmptyAnswer() {
        Answer answer = ask("", ",'stream':true");
        assertThat(types(answer)).doesNotContain("response.output_text.delta").endsWith("response.completed");
        assertThat(Answer.at(answer.events().getLast(), "response.output.0.content.0.text"))
                .isEqualTo("");
    }

    @Test
    void shouldEndIncompletelyWhereItsTokensAreSpent() {
        Object last =
                ask("hello", ",'stream':true,'max_output_tokens':3").events().getLast();
        assertThat(Answer.at(last, "type")).isEqualTo("response.incomplete");
        assertThat(Answer.at(last, "response.status")).isEqualTo("incomplete");
        assertThat(Answer.at(last, "response.incomplete_details.reason")).isEqualTo("max_output_tokens");
        assertThat(Answer.at(last, "response.output.0.status")).isEqualTo("incomplete");
        assertThat(Answer.at(last, "response.usage.output_tokens")).isEqualTo(3L);
    }

    @Test
    void shouldCallACutCallIncomplete() {
        int tokens = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a".length();
        Answer whole = ask(CALL, ",'max_output_tokens':" + tokens + "," + TOOLS);
        assertThat(whole.at("status")).isEqualTo("incomplete");
        assertThat(whole.at("output.0.arguments")).isEqualTo("{\"a");
        assertThat(whole.at("output.0.status")).isEqualTo("incomplete");
        assertSame(CALL, ",'max_output_tokens':" + tokens + "," + TOOLS);
    }

    @Test
    void shouldKeepTextAndCallsInTheirOrder() {
        Answer answer = ask("one " + CALL + " two " + OTHER + CALL, "," + TOOLS);
        List<?> output = (List<?>) answer.at("output");
        assertThat(output.stream().map(item -> Answer.at(item, "type")))
                .containsExactly("message", "function_call", "message", "function_call", "function_call");
        assertThat(answer.at("output.0.content.0.text")).asString().startsWith("one");
        assertThat(answer.at("output.2.content.0.text")).asString().contains("two");
        assertThat(answer.at("status")).isEqualTo("completed");
    }

    @Test
    void shouldGiveLogProbabilitiesOfTheTextBeforeACall() {
        Answer answer = ask("see " + CALL, ",'include':['message.output_text.logprobs']," + TOOLS);
        String text = (String) answer.at("output.0.content.0.text");
        assertThat((List<?>) answer.at("output.0.content.0.logprobs")).hasSize(text.length());
        assertSame("see " + CALL, ",'include':['message.output_text.logprobs']," + TOOLS);
    }

    private static void assertSame(String reply, String fields) {
        StreamedResponse.assertSame(reply, ask(reply, fields), ask(reply, fields + ",'stream':true"));
    }

    @Test
    void shouldStreamWhatAWholeAnswerHas() {
        List<String> pieces = List.of(
                "<tool_call>",
                "</tool_call>",
                CALL,
                OTHER,
                "{\"name\": \"f\", ",
                "]}",
                "text",
                " ",
                "\n",
                "\u00e9",
                "\ud83d\ude00",
                "<");
        List<String> fields = List.of(
                "",
                "," + TOOLS,
                "," + TOOLS + ",'stop':['tex','}}']",
                "," + TOOLS + ",'max_output_tokens':30",
                "," + TOOLS + ",'parallel_tool_calls':false",
                ",'include':['message.output_text.logprobs']," + TOOLS,
                ",'include':['message.output_text.logprobs'],'stop':'tex'");
        for (int seed = 0; seed < 80; seed++) {
            Random random = new Random(seed);
            String reply = String.join(
                    "",
                    Stream.generate(() -> pieces.get(random.nextInt(pieces.size())))
                            .limit(random.nextInt(8))
                            .toList());
            assertSame(reply, fields.get(random.nextInt(fields.size())));
        }
    }

    @Test
    void shouldEndAStreamThatFailsWithAFailedResponse() throws Exception {
        try (TestServer late = TestServer.builder()
                .set("limits.request-timeout", "3s")
                .replies(prompt -> new ByteTokenizer().encode("x".repeat(500), false))
                .start()) {
            late.engine().hold();
            late.engine().allow(20);
            CompletableFuture<Answer> future = CompletableFuture.supplyAsync(
                    () -> late.post("/v1/responses", "{'model':'test-model','input':'hi','stream':true}"));
            Eventually.until("some of it was computed", () -> late.engine().stepsRun() == 20);
            long since = System.nanoTime();
            Eventually.until("its time is over", () -> System.nanoTime() - since > 3_000_000_000L);
            late.engine().release();
            Object last = future.get().events().getLast();
            assertThat(Answer.at(last, "type")).isEqualTo("response.failed");
            assertThat(Answer.at(last, "response.status")).isEqualTo("failed");
            assertThat(Answer.at(last, "response.error.code")).isEqualTo("server_error");
            assertThat(Answer.at(last, "response.error.message")).asString().contains("limits.request-timeout");
            assertThat(Answer.at(last, "response.output.0.content.0.text"))
                    .asString()
                    .startsWith("xx");
            assertThat(late.get("/v1/responses/" + Answer.at(last, "response.id"))
                            .status())
                    .isEqualTo(404);
        }
    }

    @Test
    void shouldWriteJsonThatNothingIsMissingFrom() {
        Answer answer = ask("a\"\\\n\u0001\ud83d\ude00", ",'stream':true");
        assertThat(answer.body().lines().filter(line -> line.startsWith("data: ")))
                .allSatisfy(line -> assertThat(Json.parse(line.substring(6))).isInstanceOf(Map.class));
    }
}
