package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.net.http.HttpRequest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Tool calls over HTTP: of a model that answers what a test says, in the format of Hermes and Qwen. */
class ToolCallsTest {

    private static final String TOOLS = "'tools':[{'type':'function','function':{'name':'f'}},"
            + "{'type':'function','function':{'name':'g','parameters':{'type':'object'}}}]";
    private static final String CALL = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>";
    private static final String OTHER = "<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call>";

    private static final AtomicReference<String> REPLY = new AtomicReference<>("");
    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .toolCallParser("hermes")
                .set("limits.max-tool-calls", "3")
                .set("limits.max-tool-call", "200")
                .replies(prompt -> new ByteTokenizer().encode(REPLY.get(), false))
                .start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static Answer ask(String reply, String fields) {
        REPLY.set(reply);
        Answer answer = server.chat(fields.isEmpty() ? TOOLS : TOOLS + "," + fields);
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return answer;
    }

    /** What a client makes of a stream: content (null for none), calls as name and arguments, why it ended. */
    private record Told(String content, List<String> calls, Object reason) {

        static Told of(Answer answer, int choice) {
            StringBuilder content = new StringBuilder();
            boolean any = false;
            List<String> names = new ArrayList<>();
            List<StringBuilder> arguments = new ArrayList<>();
            Object reason = null;
            for (Object event : answer.events()) {
                if (!Long.valueOf(choice).equals(Answer.at(event, "choices.0.index"))) {
                    continue;
                }
                if (Answer.at(event, "choices.0.delta.content") instanceof String text) {
                    any = true;
                    content.append(text);
                }
                if (Answer.at(event, "choices.0.delta.tool_calls") instanceof List<?> pieces) {
                    for (Object piece : pieces) {
                        int index = ((Long) Answer.at(piece, "index")).intValue();
                        if (index == names.size()) {
                            assertThat(Answer.at(piece, "type")).isEqualTo("function");
                            assertThat(Answer.at(piece, "id")).asString().startsWith("call_");
                            names.add((String) Answer.at(piece, "function.name"));
                            arguments.add(new StringBuilder());
                        } else {
                            assertThat(Answer.at(piece, "id")).isNull();
                            assertThat(Answer.at(piece, "function.name")).isNull();
                        }
                        arguments.get(index).append(Answer.at(piece, "function.arguments"));
                    }
                }
                Object now = Answer.at(event, "choices.0.finish_reason");
                reason = now == null ? reason : now;
            }
            List<String> calls = IntStream.range(0, names.size())
                    .mapToObj(i -> names.get(i) + arguments.get(i))
                    .toList();
            return new Told(any ? content.toString() : null, calls, reason);
        }

        static Told ofWhole(Answer answer, int choice) {
            String path = "choices." + choice + ".";
            List<String> calls = new ArrayList<>();
            if (answer.at(path + "message.tool_calls") instanceof List<?> list) {
                for (Object call : list) {
                    calls.add("" + Answer.at(call, "function.name") + Answer.at(call, "function.arguments"));
                }
            }
            return new Told((String) answer.at(path + "message.content"), calls, answer.at(path + "finish_reason"));
        }
    }

    /** The same of a whole answer and of a stream. */
    private static Told told(String reply, String fields) {
        Told whole = Told.ofWhole(ask(reply, fields), 0);
        Told streamed = Told.of(ask(reply, fields.isEmpty() ? "'stream':true" : fields + ",'stream':true"), 0);
        assertThat(streamed.calls()).isEqualTo(whole.calls());
        assertThat(streamed.reason()).isEqualTo(whole.reason());
        assertThat(streamed.content() == null ? "" : streamed.content())
                .isEqualTo(whole.content() == null ? "" : whole.content());
        return whole;
    }

    @Test
    void shouldAnswerCallsInOpenAisShape() {
        Answer answer = ask(CALL, "");
        assertThat(answer.at("choices.0.message.content")).isNull();
        assertThat(answer.at("choices.0.message.tool_calls.0.id")).asString().matches("call_[A-Za-z0-9]{24}");
        assertThat(answer.at("choices.0.message.tool_calls.0.type")).isEqualTo("function");
        assertThat(answer.at("choices.0.message.tool_calls.0.function"))
                .isEqualTo(Map.of("name", "f", "arguments", "{\"a\": 1}"));
        assertThat(answer.at("choices.0.finish_reason")).isEqualTo("tool_calls");
    }

    @Test
    void shouldGiveTextThatGoesWithCallsAsContent() {
        assertThat(told("I ask.\n" + CALL + "\n" + OTHER, ""))
                .isEqualTo(new Told("I ask.", List.of("f{\"a\": 1}", "g{}"), "tool_calls"));
    }

    @Test
    void shouldGiveEachCallAnIdOfItsOwn() {
        Answer answer = ask(CALL + CALL, "");
        assertThat(answer.at("choices.0.message.tool_calls.0.id"))
                .isNotEqualTo(answer.at("choices.0.message.tool_calls.1.id"));
    }

    @Test
    void shouldStreamTheNameFirstAndTheArgumentsInPieces() {
        List<Object> events = ask(CALL, "'stream':true").events();
        Object first = events.getFirst();
        assertThat(Answer.at(first, "choices.0.delta.role")).isEqualTo("assistant");
        assertThat(Answer.at(first, "choices.0.delta")).asString().contains("content=null");
        List<Object> pieces = events.stream()
                .map(event -> Answer.at(event, "choices.0.delta.tool_calls.0"))
                .filter(Map.class::isInstance)
                .toList();
        assertThat(Answer.at(pieces.getFirst(), "function.name")).isEqualTo("f");
        assertThat(Answer.at(pieces.getFirst(), "index")).isEqualTo(0L);
        Object last = events.getLast();
        assertThat(Answer.at(last, "choices.0.delta")).isEqualTo(Map.of());
        assertThat(Answer.at(last, "choices.0.finish_reason")).isEqualTo("tool_calls");
    }

    @Test
    void shouldAnswerTextWithoutCallsAsEver() {
        assertThat(told(" Hi <tool> \n", "")).isEqualTo(new Told(" Hi <tool> \n", List.of(), "stop"));
    }

    @Test
    void shouldGiveBackWhatIsNoCallToTheLetter() {
        String reply = "x <tool_call>\n{\"name\": 5}\n</tool_call>\n";
        assertThat(told(reply, "")).isEqualTo(new Told(reply, List.of(), "stop"));
    }

    @Test
    void shouldCallWhereACallIsRequired() {
        Told told = told("I would rather not.", "'tool_choice':'required','max_tokens':200");
        assertThat(told.reason()).isEqualTo("tool_calls");
        assertThat(told.content()).isNull();
        assertThat(told.calls()).isNotEmpty();
    }

    @Test
    void shouldCallTheFunctionThatIsNamed() {
        String schema =
                "'tools':[{'type':'function','function':{'name':'f'}},{'type':'function','function':{'name':'g',"
                        + "'strict':true,'parameters':{'type':'object','properties':{'n':{'type':'integer','minimum':7}},"
                        + "'required':['n'],'additionalProperties':false}}}]";
        REPLY.set(CALL);
        Answer answer =
                server.chat(schema + ",'tool_choice':{'type':'function','function':{'name':'g'}},'max_tokens':300");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        Told told = Told.ofWhole(answer, 0);
        assertThat(told.reason()).isEqualTo("tool_calls");
        assertThat(told.calls()).singleElement().asString().matches("g *\\{\\s*\"n\" ?: ?[0-9]+\\s*}");
    }

    @Test
    void shouldCallToolsOrAnswerAsTheFormatSays() {
        String format = "'guided_choice':['yes','no']";
        assertThat(told(CALL, format).calls()).containsExactly("f{\"a\": 1}");
        assertThat(told("no", format)).isEqualTo(new Told("no", List.of(), "stop"));
    }

    @Test
    void shouldRefuseAFormatBesideACallThatIsRequired() {
        Answer answer = server.chat(TOOLS + ",'tool_choice':'required','guided_choice':['yes']");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.at("error.param")).isEqualTo("guided_choice");
    }

    @Test
    void shouldLeaveCallsTextWhereThereAreNoToolsOrNoneMayBeCalled() {
        assertThat(told(CALL, "'tool_choice':'none'")).isEqualTo(new Told(CALL, List.of(), "stop"));
        REPLY.set(CALL);
        assertThat(server.chat("").at("choices.0.message.content")).isEqualTo(CALL);
    }

    @Test
    void shouldCutACallAtTheMostTokens() {
        int tokens = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a".length();
        assertThat(told(CALL, "'max_tokens':" + tokens)).isEqualTo(new Told(null, List.of("f{\"a"), "length"));
    }

    @Test
    void shouldGiveBackACallThatIsCutBeforeItIsOne() {
        assertThat(told(CALL, "'max_tokens':20")).isEqualTo(new Told(CALL.substring(0, 20), List.of(), "length"));
    }

    @Test
    void shouldEndWithStopWhereAStopStringCutsACall() {
        assertThat(told(CALL, "'stop':[': 1']")).isEqualTo(new Told(null, List.of("f{\"a\""), "stop"));
    }

    @Test
    void shouldEndWithCallsWhereAStopStringComesBehindThem() {
        assertThat(told(CALL + "\nEND", "'stop':'END'"))
                .isEqualTo(new Told(null, List.of("f{\"a\": 1}"), "tool_calls"));
    }

    @Test
    void shouldEndWithTheFirstCallWhereCallsAreNotToBeParallel() {
        String more = OTHER.repeat(80);
        Answer answer = ask(CALL + more, "'parallel_tool_calls':false");
        assertThat(Told.ofWhole(answer, 0)).isEqualTo(new Told(null, List.of("f{\"a\": 1}"), "tool_calls"));
        assertThat((Long) answer.at("usage.completion_tokens"))
                .as("no more than fit into the buffer between")
                .isLessThan(more.length());
        assertThat(told(CALL + OTHER, "'parallel_tool_calls':false").calls()).hasSize(1);
    }

    @Test
    void shouldEndWithLengthWhereThereAreMoreCallsThanMayBe() {
        assertThat(told(OTHER.repeat(5), "")).isEqualTo(new Told(null, List.of("g{}", "g{}", "g{}"), "length"));
    }

    @Test
    void shouldEndWithLengthWhereACallIsLongerThanItMayBe() {
        Told told = told("<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"" + "x".repeat(1_000) + "\"}}", "");
        assertThat(told.reason()).isEqualTo("length");
        assertThat(told.calls().getFirst()).startsWith("f{\"a\": \"xxx").hasSizeLessThan(200);
    }

    @Test
    void shouldKeepArgumentsThatAreNoJsonAsTheModelWroteThem() {
        assertThat(told("<tool_call>{\"name\": \"f\", \"arguments\": {'a': 1}}</tool_call>", ""))
                .isEqualTo(new Told(null, List.of("f{'a': 1}}"), "tool_calls"));
    }

    @Test
    void shouldTakeCallsOutOfEveryContinuation() {
        Answer whole = ask("a " + CALL, "'n':3");
        Answer streamed = ask("a " + CALL, "'n':3,'stream':true");
        for (int i = 0; i < 3; i++) {
            Told expected = new Told("a", List.of("f{\"a\": 1}"), "tool_calls");
            assertThat(Told.ofWhole(whole, i)).isEqualTo(expected);
            assertThat(Told.of(streamed, i)).isEqualTo(expected);
        }
    }

    @Test
    void shouldGiveLogProbabilitiesOfEveryTokenOfACall() {
        Answer whole = ask(CALL, "'logprobs':true");
        assertThat((List<?>) whole.at("choices.0.logprobs.content")).hasSize(CALL.length());
        long streamed = ask(CALL, "'logprobs':true,'stream':true").events().stream()
                .map(event -> Answer.at(event, "choices.0.logprobs.content"))
                .filter(List.class::isInstance)
                .mapToLong(content -> ((List<?>) content).size())
                .sum();
        assertThat(streamed).isEqualTo(CALL.length());
    }

    @Test
    void shouldEndAStreamOfCallsWithTheUsage() {
        List<Object> events = ask(CALL, "'stream':true,'stream_options':{'include_usage':true}")
                .events();
        assertThat(Answer.at(events.getLast(), "choices")).isEqualTo(List.of());
        assertThat(Answer.at(events.getLast(), "usage.completion_tokens")).isEqualTo(CALL.length() + 1L);
        assertThat(Answer.at(events.get(events.size() - 2), "choices.0.finish_reason"))
                .isEqualTo("tool_calls");
    }

    @Test
    void shouldRepeatAnAnswerWithTheSameIds() {
        REPLY.set(CALL);
        String body = "{\"model\":\"test-model\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
                + TOOLS.replace('\'', '"') + "}";
        List<String> bodies = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            Answer answer = server.send(server.request("/v1/chat/completions")
                    .header("idempotency-key", "calls")
                    .POST(HttpRequest.BodyPublishers.ofString(body)));
            bodies.add(answer.body());
        }
        assertThat(bodies.get(1)).isEqualTo(bodies.get(0)).contains("call_");
    }

    @Test
    void shouldStreamWhatAWholeAnswerHas() {
        List<String> pieces = List.of(
                "<tool_call>",
                "</tool_call>",
                CALL,
                OTHER,
                "{\"name\": \"f\", ",
                "\"arguments\": {\"a\": [",
                "]}",
                "}",
                "text",
                " ",
                "\n",
                "\u00e9",
                "<");
        for (int seed = 0; seed < 60; seed++) {
            Random random = new Random(seed);
            StringBuilder reply = new StringBuilder();
            for (int i = random.nextInt(8); i >= 0; i--) {
                reply.append(pieces.get(random.nextInt(pieces.size())));
            }
            told(reply.toString(), random.nextBoolean() ? "" : "'stop':['tex','}}']");
        }
    }

    @Test
    void shouldCountCallsByHowTheyEnded() {
        Map<String, Double> before = counts();
        ask(CALL + OTHER, "");
        ask("<tool_call>{\"name\": \"f\", \"arguments\": {bad}}</tool_call>", "");
        ask(CALL, "'max_tokens':40");
        // counted once an answer is sent, which its client may have by then
        Eventually.until("all calls are counted", () -> sum(counts()) - sum(before) >= 4);
        Map<String, Double> after = counts();
        assertThat(after.get("whole") - before.get("whole")).isEqualTo(2);
        assertThat(after.get("malformed") - before.get("malformed")).isEqualTo(1);
        assertThat(after.get("cut") - before.get("cut")).isEqualTo(1);
    }

    private static double sum(Map<String, Double> counts) {
        return counts.values().stream().mapToDouble(Double::doubleValue).sum();
    }

    private static Map<String, Double> counts() {
        PrometheusText metrics = PrometheusText.parse(server.get("/metrics").body());
        Map<String, Double> counts = new HashMap<>();
        for (String end : List.of("whole", "malformed", "cut")) {
            counts.put(end, metrics.value("jeton_tool_calls_total", "end=\"" + end + "\""));
        }
        return counts;
    }
}
