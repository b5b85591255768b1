package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Streams of messages, of a model that answers what a test says. */
class MessagesStreamTest {

    private static final String TOOLS = "'tools':[{'name':'f','input_schema':{'type':'object'}},"
            + "{'name':'g','input_schema':{'type':'object','properties':{}}}]";
    private static final String CALL = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>";
    private static final String OTHER = "<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call>";
    private static final String THOUGHT = "<think>\nwhy\n</think>\n\nso";

    private static final AtomicReference<String> REPLY = new AtomicReference<>("");
    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .toolCallParser("hermes")
                .reasoningParser("qwen3")
                .replies(prompt -> new ByteTokenizer().encode(REPLY.get(), false))
                .start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static Answer ask(String reply, String fields) {
        REPLY.set(reply);
        Answer answer = server.post(
                "/v1/messages",
                "{'model':'test-model','messages':[{'role':'user','content':'hi'}]"
                        + (fields.contains("max_tokens") ? "" : ",'max_tokens':500") + fields + "}");
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
        assertThat(answer.header("content-type")).startsWith("text/event-stream");
        assertThat(answer.header("request-id")).isNotEmpty();
        List<String> types = types(answer);
        assertThat(types.stream().distinct())
                .containsExactly(
                        "message_start",
                        "content_block_start",
                        "content_block_delta",
                        "content_block_stop",
                        "message_delta",
                        "message_stop");
        assertThat(answer.body()).doesNotContain("[DONE]");
        assertThat(answer.body()
                        .lines()
                        .filter(line -> line.startsWith("event: "))
                        .map(line -> line.substring(7)))
                .containsExactlyElementsOf(types);
    }

    @Test
    void shouldTellThePromptAtTheBeginningAndTheRestAtTheEnd() {
        List<Object> events = ask("hello", ",'stream':true").events();
        Object begun = Answer.at(events.getFirst(), "message");
        assertThat(Answer.at(begun, "id")).asString().startsWith("msg_");
        assertThat(Answer.at(begun, "role")).isEqualTo("assistant");
        assertThat(Answer.at(begun, "content")).isEqualTo(List.of());
        assertThat(begun.toString()).contains("stop_reason=null", "stop_sequence=null");
        Object delta = events.get(events.size() - 2);
        assertThat(Answer.at(delta, "delta.stop_reason")).isEqualTo("end_turn");
        assertThat(Answer.at(delta, "usage.output_tokens")).isEqualTo(6L);
        assertThat(Answer.at(delta, "usage.jeton.total_ms")).isNotNull();
        for (String field : List.of("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")) {
            assertThat(Answer.at(begun, "usage." + field)).isEqualTo(Answer.at(delta, "usage." + field));
        }
        assertThat((Long) Answer.at(begun, "usage.input_tokens")
                        + (Long) Answer.at(begun, "usage.cache_read_input_tokens"))
                .isPositive();
    }

    @Test
    void shouldSendTheEventsOfACall() {
        Answer answer = ask(CALL, ",'stream':true," + TOOLS);
        Object started = answer.events().get(1);
        assertThat(Answer.at(started, "content_block.type")).isEqualTo("tool_use");
        assertThat(Answer.at(started, "content_block.name")).isEqualTo("f");
        assertThat(Answer.at(started, "content_block.input")).isEqualTo(Map.of());
        assertThat(Answer.at(answer.events().get(2), "delta.type")).isEqualTo("input_json_delta");
        assertThat(StreamedMessage.content(answer).getFirst().get("input")).isEqualTo(Map.of("a", 1L));
    }

    @Test
    void shouldSignThinkingWithNothing() {
        List<Object> events = ask(THOUGHT, ",'stream':true").events();
        assertThat(Answer.at(events.get(1), "content_block"))
                .isEqualTo(Map.of("type", "thinking", "thinking", "", "signature", ""));
        assertThat(events.stream().map(event -> Answer.at(event, "delta.type")).distinct())
                .containsSubsequence("thinking_delta", "signature_delta", "text_delta");
    }

    @Test
    void shouldStreamAnEmptyAnswer() {
        Answer answer = ask("", ",'stream':true");
        assertThat(StreamedMessage.content(answer)).isEqualTo(List.of(Map.of("type", "text", "text", "")));
        assertThat(types(answer)).doesNotContain("content_block_delta");
    }

    @Test
    void shouldStreamWhatAWholeAnswerHas() {
        List<String> pieces = List.of(
                "<think>",
                "</think>",
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
                "," + TOOLS + ",'stop_sequences':['tex','}}']",
                "," + TOOLS + ",'max_tokens':30",
                ",'max_tokens':0",
                "," + TOOLS + ",'tool_choice':{'type':'auto','disable_parallel_tool_use':true}",
                ",'thinking':{'type':'enabled','budget_tokens':5}," + TOOLS,
                ",'thinking':{'type':'adaptive','display':'omitted'}," + TOOLS);
        for (int seed = 0; seed < 120; seed++) {
            Random random = new Random(seed);
            String reply = (random.nextBoolean() ? "<think>" : "")
                    + String.join(
                            "",
                            Stream.generate(() -> pieces.get(random.nextInt(pieces.size())))
                                    .limit(random.nextInt(8))
                                    .toList());
            String more = fields.get(random.nextInt(fields.size()));
            StreamedMessage.assertSame(
                    "seed " + seed + ": " + reply, ask(reply, more), ask(reply, more + ",'stream':true"));
        }
    }

    @Test
    void shouldEndAStreamThatFailsWithAnError() throws Exception {
        try (TestServer late = TestServer.builder()
                .set("limits.request-timeout", "3s")
                .replies(prompt -> new ByteTokenizer().encode("x".repeat(500), false))
                .start()) {
            late.engine().hold();
            late.engine().allow(20);
            CompletableFuture<Answer> future = CompletableFuture.supplyAsync(
                    () -> late.post(
                            "/v1/messages",
                            "{'model':'test-model','max_tokens':600,'messages':[{'role':'user','content':'hi'}],'stream':true}"));
            Eventually.until("some of it was computed", () -> late.engine().stepsRun() == 20);
            long since = System.nanoTime();
            Eventually.until("its time is over", () -> System.nanoTime() - since > 3_000_000_000L);
            late.engine().release();
            Answer answer = future.get();
            assertThat(answer.body()
                            .lines()
                            .filter(line -> line.startsWith("event: "))
                            .toList()
                            .getLast())
                    .isEqualTo("event: error");
            Object last = answer.events().getLast();
            assertThat(Answer.at(last, "type")).isEqualTo("error");
            assertThat(Answer.at(last, "error.type")).isEqualTo("timeout_error");
            assertThat(Answer.at(last, "error.message")).asString().contains("limits.request-timeout");
            assertThat(Answer.at(last, "request_id")).isEqualTo(answer.header("request-id"));
        }
    }
}
