package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.template.JinjaTemplate;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls of strict functions by a model that may call and would call them wrongly. */
class StrictCallsTest {

    private static final String SCHEMA = "{'type':'object','properties':{'n':{'type':'integer','minimum':7}},"
            + "'required':['n'],'additionalProperties':false}";
    private static final String HELD = "\\{\\s*\"n\"\\s*:\\s*[0-9]+\\s*}";
    private static final String WRONG = call("f", "{\"a\": 1}");

    private static final AtomicReference<String> REPLY = new AtomicReference<>("");
    private static TestServer server;

    @BeforeAll
    static void start() {
        server = server("hermes", "none");
    }

    private static TestServer server(String tools, String reasoning) {
        return TestServer.builder()
                .template(new JinjaTemplate(
                        "{% for m in messages %}{{ m.content }}{% endfor %}{# <think> </think> #}",
                        Map.of(), Clock.systemUTC()))
                .toolCallParser(tools)
                .reasoningParser(reasoning)
                .replies(prompt -> tokens(REPLY.get()))
                .start();
    }

    /** Mistral's marks are special tokens. */
    private static int[] tokens(String reply) {
        ByteTokenizer tokenizer = new ByteTokenizer();
        String[] parts = reply.split("(?<=TOOL_CALLS]|ARGS])|(?=\\[TOOL_CALLS|\\[ARGS)");
        return List.of(parts).stream()
                .flatMapToInt(part -> tokenizer.id(part) >= 0 && part.length() > 1
                        ? IntStream.of(tokenizer.id(part))
                        : IntStream.of(tokenizer.encode(part, false)))
                .toArray();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static String call(String name, String arguments) {
        return "<tool_call>\n{\"name\": \"" + name + "\", \"arguments\": " + arguments + "}\n</tool_call>";
    }

    private static String tool(String name, String strict, String schema) {
        return "{'type':'function','function':{'name':'" + name + "'," + strict + "'parameters':" + schema + "}}";
    }

    private static final String STRICT =
            "'tools':[" + tool("f", "'strict':true,", SCHEMA) + "," + tool("g", "", SCHEMA) + "]";

    private static final String ONE = ",'parallel_tool_calls':false";

    /** A whole answer, and that a stream has the same. */
    private static Answer ask(TestServer of, String reply, String fields) {
        REPLY.set(reply);
        Answer whole = of.chat(fields);
        assertThat(whole.status()).as(whole.body()).isEqualTo(200);
        Answer streamed = of.chat(fields + ",'stream':true,'stream_options':{'include_usage':true}");
        Object content = whole.at("choices.0.message.content");
        assertThat(streamed.streamed("choices.0.delta.content", 0)).isEqualTo(content == null ? "" : content);
        StringBuilder arguments = new StringBuilder();
        for (Object event : streamed.events()) {
            if (Answer.at(event, "choices.0.delta.tool_calls.0.function.arguments") instanceof String piece) {
                arguments.append(piece);
            }
        }
        StringBuilder expected = new StringBuilder();
        if (whole.at("choices.0.message.tool_calls") instanceof List<?> calls) {
            calls.forEach(each -> expected.append(Answer.at(each, "function.arguments")));
        }
        assertThat(arguments.toString()).isEqualTo(expected.toString());
        assertThat(Answer.at(streamed.events().getLast(), "usage.completion_tokens"))
                .isEqualTo(whole.at("usage.completion_tokens"));
        return whole;
    }

    private static Answer ask(String reply, String fields) {
        return ask(server, reply, fields);
    }

    private static void assertCall(Answer answer, int index, String name, String arguments) {
        String path = "choices.0.message.tool_calls." + index + ".function.";
        assertThat(answer.at(path + "name")).as(answer.body()).isEqualTo(name);
        assertThat(answer.at(path + "arguments")).asString().matches(arguments);
    }

    @Test
    void shouldHoldACallToTheSchemaOfAStrictFunction() {
        Answer answer = ask("Let me see. " + WRONG, STRICT);
        assertThat(answer.at("choices.0.message.content")).isEqualTo("Let me see.");
        assertThat(answer.at("choices.0.finish_reason")).isEqualTo("tool_calls");
        assertCall(answer, 0, "f", HELD);
    }

    @Test
    void shouldCountEveryTokenOfAHeldCall() {
        Answer answer = ask("a" + call("f", "{\"n\": 70}"), STRICT);
        assertCall(answer, 0, "f", "\\{\"n\": 70}");
        String free = "'tools':[" + tool("f", "", SCHEMA) + "]";
        assertThat(answer.at("usage.completion_tokens"))
                .isEqualTo(ask("a" + call("f", "{\"n\": 70}"), free).at("usage.completion_tokens"));
    }

    @Test
    void shouldLeaveTheArgumentsOfOtherFunctionsFreeButForBeingAnObject() {
        assertCall(ask(call("g", "{\"a\": 1}"), STRICT), 0, "g", "\\{\"a\": 1}");
        assertCall(ask(call("g", "[]"), STRICT), 0, "g", "\\{.*}");
    }

    @Test
    void shouldLeaveCallsAsTheyAreWhereNoFunctionIsStrict() {
        String free = "'tools':[" + tool("f", "", SCHEMA) + "," + tool("g", "'strict':false,", SCHEMA) + "]";
        assertCall(ask(WRONG, free), 0, "f", "\\{\"a\": 1}");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "No call at all.",
                "<tool_cal",
                "a <tool_ call> <tool_<tool_ <>",
                "{\"name\": \"f\", \"arguments\": {}} </tool_call>",
                "h\u00e9llo \ud83d\ude00"
            })
    void shouldAnswerTextWithoutCallsToTheLetter(String text) {
        Answer answer = ask(text, STRICT);
        assertThat(answer.at("choices.0.message.content")).isEqualTo(text);
        assertThat(answer.at("choices.0.finish_reason")).isEqualTo("stop");
    }

    @Test
    void shouldHoldEveryCallOfAnAnswerAndFreeTheTextBetween() {
        String right = call("f", "{\"n\": 7}");
        Answer answer = ask(right + "\nand\n" + right + "\n" + WRONG, STRICT);
        assertThat(answer.at("choices.0.message.content")).isEqualTo("and");
        assertCall(answer, 0, "f", "\\{\"n\": 7}");
        assertCall(answer, 1, "f", "\\{\"n\": 7}");
        assertCall(answer, 2, "f", HELD);
    }

    @Test
    void shouldEndNoAnswerWithinACall() {
        Answer answer = ask("<tool_call>\n{\"name\": \"f\", \"arguments\": {", STRICT);
        assertCall(answer, 0, "f", HELD);
        assertThat(answer.at("choices.0.finish_reason")).isEqualTo("tool_calls");
    }

    @Test
    void shouldEndWithTheFirstCallWhereCallsAreNotToBeParallel() {
        Answer answer = ask(WRONG + WRONG.repeat(9), STRICT + ONE);
        assertCall(answer, 0, "f", HELD);
        assertThat(answer.at("choices.0.message.tool_calls.1")).isNull();
        assertThat(answer.at("choices.0.finish_reason")).isEqualTo("tool_calls");
        assertThat((Long) answer.at("usage.completion_tokens")).isLessThan(WRONG.length() + 9L);
    }

    @Test
    void shouldCutACallAtTheMostTokens() {
        Answer answer = ask(WRONG, STRICT + ",'max_tokens':46");
        assertThat(answer.at("choices.0.finish_reason")).isEqualTo("length");
        assertThat(answer.at("usage.completion_tokens")).isEqualTo(46L);
    }

    @Test
    void shouldHoldEveryContinuation() {
        REPLY.set(WRONG);
        Answer answer = server.chat(STRICT + ",'n':3");
        for (int i = 0; i < 3; i++) {
            assertThat(answer.at("choices." + i + ".message.tool_calls.0.function.arguments"))
                    .asString()
                    .matches(HELD);
        }
    }

    @Test
    void shouldAnswerAsAFormatSaysOrCallAsEver() {
        assertThat(ask("no", STRICT + ",'guided_choice':['yes','no']").at("choices.0.message.content"))
                .isEqualTo("no");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{'type':'object','properties':{'a':{'not':{}}}}", "{'type':'object','minProperties':1}"})
    void shouldRefuseAStrictFunctionWhoseSchemaCannotBeEnforced(String schema) {
        Answer answer = server.chat("'tools':[" + tool("f", "'strict':true,", schema) + "]");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.at("error.param")).isEqualTo("tools");
        assertThat(answer.body()).contains("the function 'f'", "cannot be enforced");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '~',
            value = {
                "hermes ; <tool_call>\\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\\n</tool_call>",
                "llama3_json ; {\"name\": \"f\", \"parameters\": {\"a\": 1}}",
                "llama3_json ; <|python_tag|>{ \"name\" : \"f\",\\n \"arguments\":{\"a\": 1}}",
                "mistral ; [TOOL_CALLS][{\"name\": \"f\", \"arguments\": {\"a\": 1}}]",
                "deepseek_v3 ; <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\\n```json\\n{\"a\": 1}\\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
                "deepseek_v3 ; <｜tool▁call▁begin｜>function<｜tool▁sep｜>f\\n```json\\n{\"a\": 1}\\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
                "deepseek_v31 ; <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
                "qwen3_coder ; <tool_call>\\n<function=f>\\n<parameter=n>\\n1\\n</parameter>\\n</function>\\n</tool_call>",
                "seed_oss ; <seed:tool_call>\\n<function=f>\\n<parameter=a>1</parameter>\\n</function>\\n</seed:tool_call>",
                "minimax_m2 ; <minimax:tool_call>\\n<invoke name=\"f\">\\n<parameter name=\"a\">1</parameter>\\n</invoke>\\n</minimax:tool_call>",
                "minimax_m2 ; <invoke name=\"f\">\\n<parameter name=\"a\">1</parameter>\\n</invoke>",
                "kimi_k2 ; <|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{\"a\": 1}<|tool_call_end|><|tool_calls_section_end|>",
                "granite ; <|tool_call|>[{\"name\": \"f\", \"arguments\": {\"a\": 1}}]",
                "granite ; <tool_call>[{\"name\": \"f\", \"arguments\": {\"a\": 1}}]",
                "pythonic ; [f(a=1)]",
                "llama4_pythonic ; [ f(n=1), f(n=2)]",
                "glm45 ; <tool_call>f\\n<arg_key>n</arg_key>\\n<arg_value>1</arg_value>\\n</tool_call>",
                "glm47 ; <tool_call>f<arg_key>a</arg_key><arg_value>1</arg_value></tool_call>",
                "qwen3_coder ; <function=f>\\n<parameter=a>\\n1\\n</parameter>\\n</function>\\n</tool_call>",
            })
    void shouldHoldCallsInEveryFormat(String parser, String reply) {
        try (TestServer of = server(parser, "none")) {
            Answer answer = ask(of, "Well.\n" + reply.replace("\\n", "\n"), STRICT + ONE);
            assertThat(answer.at("choices.0.message.content")).isEqualTo("Well.");
            assertCall(answer, 0, "f", HELD);
        }
    }

    @Test
    void shouldTakeJsonThatIsNoCallAsItIsWhereCallsHaveNoMark() {
        try (TestServer of = server("llama3_json", "none")) {
            for (String text : List.of("{\"id\": 5}", "{\"name\": \"h\", \"parameters\": {\"a\": 1}}", "{}\n{")) {
                assertThat(ask(of, text, STRICT).at("choices.0.message.content"))
                        .isEqualTo(text);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "hermes",
                "llama3_json",
                "mistral",
                "qwen3_coder",
                "glm45",
                "glm47",
                "seed_oss",
                "minimax_m2",
                "kimi_k2",
                "granite",
                "pythonic",
                "llama4_pythonic",
                "deepseek_v3",
                "deepseek_v31"
            })
    void shouldHoldAModelThatWouldSayOtherwiseToCallsThatAreRequired(String parser) {
        try (TestServer of = server(parser, "none")) {
            for (String choice : List.of("'required'", "{'type':'function','function':{'name':'f'}}")) {
                String fields = STRICT + ONE + ",'tool_choice':" + choice;
                Answer answer = ask(of, "No, I would rather not.", fields);
                assertThat(answer.at("choices.0.message.content")).isNull();
                assertThat(answer.at("choices.0.message.tool_calls.0.function.arguments"))
                        .asString()
                        .matches(HELD);
            }
        }
    }

    @Test
    void shouldNotTakeWhatIsThoughtForACall() {
        try (TestServer of = server("hermes", "qwen3")) {
            Answer thought = ask(of, "<think>a <tool_call>{} b</think>so", STRICT);
            assertThat(thought.at("choices.0.message.reasoning_content")).isEqualTo("a <tool_call>{} b");
            assertThat(thought.at("choices.0.message.content")).isEqualTo("so");
            Answer called = ask(of, "<think>a</think>\n\n" + WRONG, STRICT);
            assertThat(called.at("choices.0.message.reasoning_content")).isEqualTo("a");
            assertCall(called, 0, "f", HELD);
            Answer bounded = ask(of, "<think>a very long thought " + WRONG, STRICT + ",'thinking_token_budget':20");
            assertThat(bounded.at("choices.0.message.reasoning_content"))
                    .asString()
                    .isEqualToIgnoringWhitespace("a very long thought");
            assertThat(ask(of, "<think>never ends", STRICT).at("choices.0.finish_reason"))
                    .isEqualTo("stop");
            assertCall(ask(of, WRONG, STRICT), 0, "f", HELD);
        }
    }

    // ---- the other APIs ----

    private static Answer respond(String reply, String tools) {
        REPLY.set(reply);
        Answer answer = server.post("/v1/responses", "{'model':'test-model','input':'hi','tools':[" + tools + "]}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        Answer streamed = server.post(
                "/v1/responses", "{'model':'test-model','input':'hi','stream':true,'tools':[" + tools + "]}");
        StreamedResponse.assertSame(reply, answer, streamed);
        return answer;
    }

    private static String flat(String strict, String schema) {
        return "{'type':'function','name':'f'," + strict + "'parameters':" + schema + "}";
    }

    @Test
    void shouldHoldCallsOfResponsesUnlessAFunctionSaysThatItIsNotStrict() {
        for (String strict : List.of("", "'strict':null,", "'strict':true,")) {
            Answer answer = respond("So. " + WRONG, flat(strict, SCHEMA));
            assertThat(answer.at("output.0.content.0.text")).isEqualTo("So.");
            assertThat(answer.at("output.1.name")).isEqualTo("f");
            assertThat(answer.at("output.1.arguments")).asString().matches(HELD);
            assertThat(answer.at("tools.0.strict")).isEqualTo(true);
        }
        Answer free = respond(WRONG, flat("'strict':false,", SCHEMA));
        assertThat(free.at("output.0.arguments")).isEqualTo("{\"a\": 1}");
    }

    @Test
    void shouldRefuseASchemaOfAResponseOnlyWhereItWasSaidToBeStrict() {
        String enforced = SCHEMA.replace("'required'", "'minProperties':1,'required'");
        assertThat(respond(WRONG, flat("", enforced)).at("output.0.arguments"))
                .asString()
                .matches(HELD);
        String unknown = SCHEMA.replace("'integer','minimum':7", "'nothing'");
        assertThat(respond(WRONG, flat("", unknown)).at("output.0.arguments")).isEqualTo("{\"a\": 1}");
        for (String schema : List.of(enforced, unknown)) {
            Answer refused = server.post(
                    "/v1/responses",
                    "{'model':'test-model','input':'hi','tools':[" + flat("'strict':true,", schema) + "]}");
            assertThat(refused.status()).isEqualTo(400);
            assertThat(refused.at("error.param")).isEqualTo("tools");
        }
    }

    private static Answer message(String reply, String strict, String messages) {
        REPLY.set(reply);
        String body = "{'model':'test-model','max_tokens':400,'messages':[" + messages + "],'tools':[{'name':'f',"
                + strict + "'input_schema':" + SCHEMA + "}]";
        Answer answer = server.post("/v1/messages", body + "}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        Answer streamed = server.post("/v1/messages", body + ",'stream':true}");
        assertThat(StreamedMessage.content(streamed).toString().replaceAll("toolu_[A-Za-z0-9]*|call_[A-Za-z0-9]*", ""))
                .isEqualTo(answer.at("content").toString().replaceAll("toolu_[A-Za-z0-9]*|call_[A-Za-z0-9]*", ""));
        return answer;
    }

    @Test
    void shouldHoldCallsOfMessagesWhereAToolIsStrict() {
        String asked = "{'role':'user','content':'hi'}";
        Answer strict = message("So. " + WRONG, "'strict':true,", asked);
        assertThat(strict.at("stop_reason")).isEqualTo("tool_use");
        assertThat((Long) strict.at("content.1.input.n")).isGreaterThanOrEqualTo(7);
        Answer begun = message("on. " + WRONG, "'strict':true,", asked + ",{'role':'assistant','content':'Go'}");
        assertThat((Long) begun.at("content.1.input.n")).isGreaterThanOrEqualTo(7);
        Answer free = message(WRONG, "", asked);
        assertThat(free.at("content.0.input")).isEqualTo(Map.of("a", 1L));
    }
}
