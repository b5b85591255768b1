package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.template.JinjaTemplate;
import dev.jeton.models.tools.CallId;
import dev.jeton.models.tools.PastCallStyle;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Frames of special tokens, which no client may see, and what a template is shown of earlier calls. */
class ToolFramesTest {

    private static final String TOOLS = "'tools':[{'type':'function','function':{'name':'f'}}]";

    private static int[] tokens(Object... parts) {
        ByteTokenizer tokenizer = new ByteTokenizer();
        return List.of(parts).stream()
                .flatMapToInt(part -> {
                    int special = tokenizer.id((String) part);
                    return special >= 0 ? IntStream.of(special) : IntStream.of(tokenizer.encode((String) part, false));
                })
                .toArray();
    }

    private static TestServer server(int[] reply) {
        return TestServer.builder()
                .toolCallParser("mistral")
                .replies(prompt -> reply)
                .start();
    }

    @Test
    void shouldFindCallsWhoseFramesAreSpecialTokens() {
        try (TestServer server = server(tokens(
                "Hi \u00e9 ", "[TOOL_CALLS]", "f", "[ARGS]", "{\"a\": 1}", "[TOOL_CALLS]", "f", "[ARGS]", "{}"))) {
            Answer answer = server.chat(TOOLS);
            assertThat(answer.at("choices.0.message.content")).isEqualTo("Hi \u00e9");
            assertThat(answer.at("choices.0.message.tool_calls.0.function"))
                    .isEqualTo(Map.of("name", "f", "arguments", "{\"a\": 1}"));
            assertThat(answer.at("choices.0.message.tool_calls.1.function.arguments"))
                    .isEqualTo("{}");
            assertThat(answer.at("choices.0.message.tool_calls.0.id"))
                    .asString()
                    .matches("[A-Za-z0-9]{9}");
        }
    }

    @Test
    void shouldNeverShowSpecialTokensOfFrames() {
        try (TestServer server = server(tokens("a", "[ARGS]", "b", "[TOOL_CALLS]", " no call", "[ARGS]", "c"))) {
            assertThat(server.chat(TOOLS).at("choices.0.message.content")).isEqualTo("ab no callc");
            assertThat(server.chat(TOOLS + ",'stream':true").streamed("choices.0.delta.content", 0))
                    .isEqualTo("ab no callc");
            assertThat(server.chat(TOOLS + ",'stop':'zz'").at("choices.0.message.content"))
                    .isEqualTo("ab no callc");
            assertThat(server.chat("").at("choices.0.message.content")).isEqualTo("ab no callc");
        }
    }

    @Test
    void shouldFindCallsWhereSpecialTokensAreShown() {
        try (TestServer server = server(tokens("[TOOL_CALLS]", "f", "[ARGS]", "{}", "[ARGS]"))) {
            Answer answer = server.chat(TOOLS + ",'skip_special_tokens':false");
            assertThat(answer.at("choices.0.message.tool_calls.0.function.name"))
                    .isEqualTo("f");
            assertThat(answer.at("choices.0.message.content")).isEqualTo("[ARGS]");
        }
    }

    private static final String SHOWN = "{'role':'user','content':'x'},{'role':'assistant','content':null,'tool_calls':"
            + "[{'id':'call_0123456789','type':'function','function':{'name':'f','arguments':'ARGUMENTS'}}]},"
            + "{'role':'tool','tool_call_id':'call_0123456789','content':'42'}";

    private static Object shown(String template, String arguments) {
        return shown(template, arguments, "hermes");
    }

    private static Object shown(String template, String arguments, String parser) {
        try (TestServer server = TestServer.builder()
                .template(new JinjaTemplate(template, Map.of(), Clock.systemUTC()))
                .toolCallParser(parser)
                .replies(prompt -> prompt)
                .start()) {
            String messages = SHOWN.replace('\'', '"').replace("ARGUMENTS", arguments.replace("\"", "\\\""));
            byte[] body =
                    ("{\"model\":\"test-model\",\"messages\":[" + messages + "]}").getBytes(StandardCharsets.UTF_8);
            return server.post("/v1/chat/completions", body).at("choices.0.message.content");
        }
    }

    @Test
    void shouldGiveATemplateArgumentsAsAnObject() {
        String template = "{% for m in messages %}{% for c in m.tool_calls or [] %}{{ c.id }} {{ c.function.name }}"
                + "{% for k, v in c.function.arguments|items %} {{ k }}={{ v }}{% endfor %}{% endfor %}{% endfor %}";
        assertThat(shown(template, "{\"a\": 1}")).isEqualTo("call_0123456789 f a=1");
        assertThat(shown(template, "")).isEqualTo("call_0123456789 f");
    }

    @Test
    void shouldGiveATemplateArgumentsAsTextWhereItWantsThat() {
        String template = "{% for m in messages %}{% for c in m.tool_calls or [] %}"
                + "{{ '<' + c.function.arguments + '>' }}{% endfor %}{% endfor %}";
        assertThat(PastCallStyle.of(new JinjaTemplate(template, Map.of(), Clock.systemUTC()))
                        .textArguments())
                .isTrue();
        assertThat(shown(template, "{\"a\":  1}")).isEqualTo("<{\"a\":  1}>");
    }

    @Test
    void shouldShowAModelTheMalformedArgumentsThatItWrote() {
        String template = "{% for m in messages %}{% for c in m.tool_calls or [] %}{{ c.function.arguments | tojson }}"
                + "{% endfor %}{% endfor %}";
        assertThat(shown(template, "{bad")).isEqualTo("\"{bad\"");
    }

    @Test
    void shouldNameTheFunctionOfATool() {
        String template = "{% for m in messages %}{% if m.role == 'tool' %}{{ m.name }}: {{ m.content }}{% endif %}"
                + "{{ m.tool_calls[0].function.arguments | tojson if m.tool_calls }};{% endfor %}";
        assertThat(shown(template, "{}")).isEqualTo(";{};f: 42;");
    }

    @Test
    void shouldShortenIdsOfOtherModelsForMistrals() {
        String template =
                "{% for m in messages %}{{ m.tool_calls[0].id if m.tool_calls }}{{ m.tool_call_id }};{% endfor %}";
        assertThat(shown(template, "{}")).isEqualTo(";call_0123456789;call_0123456789;");
        assertThat(shown(template, "{}", "mistral")).isEqualTo(";123456789;123456789;");
        assertThat(CallId.NINE.fitted("call_ABCDEFGHIJKLM", "f", 0)).isEqualTo("EFGHIJKLM");
        assertThat(CallId.NINE.fitted("123456789", "f", 0)).isEqualTo("123456789");
    }

    @Test
    void shouldFillUpShortIdsOfOtherModelsForMistrals() {
        assertThat(CallId.NINE.fitted("call_1", "f", 0)).isEqualTo("0000call1");
        assertThat(CallId.NINE.fitted("", "f", 0)).isEqualTo("000000000");
        assertThat(CallId.LONG.fitted("call_1", "f", 0)).isEqualTo("call_1");
    }

    @Test
    void shouldNameTheFunctionInIdsOfOtherModelsForKimis() {
        String template =
                "{% for m in messages %}{{ m.tool_calls[0].id if m.tool_calls }}{{ m.tool_call_id }};{% endfor %}";
        assertThat(shown(template, "{}", "kimi_k2")).isEqualTo(";functions.f:0;functions.f:0;");
        assertThat(CallId.NUMBERED.fitted("call_1", "f", 3)).isEqualTo("functions.f:3");
        assertThat(CallId.NUMBERED.fitted("functions.f:7", "f", 3)).isEqualTo("functions.f:7");
        assertThat(CallId.NUMBERED.fitted("functions.g:7", "f", 3)).isEqualTo("functions.f:3");
        assertThat(CallId.NUMBERED.fitted("call_1", "", 3)).isEqualTo("call_1");
    }

    @Test
    void shouldKeepTheIdsThatAModelGivesItsCallsAndTellCallsApart() {
        String call = "<|tool_call_begin|>functions.f:5<|tool_call_argument_begin|>{}<|tool_call_end|>";
        String bare = "<|tool_call_begin|>f<|tool_call_argument_begin|>{}<|tool_call_end|>";
        try (TestServer server = TestServer.builder()
                .toolCallParser("kimi_k2")
                .replies(prompt ->
                        tokens("<|tool_calls_section_begin|>" + call + call + bare + "<|tool_calls_section_end|>"))
                .start()) {
            Answer answer = server.chat(TOOLS);
            String path = "choices.0.message.tool_calls.";
            assertThat(answer.at(path + "0.id")).isEqualTo("functions.f:5");
            assertThat(answer.at(path + "1.id")).isEqualTo("functions.f:1");
            assertThat(answer.at(path + "2.id")).isEqualTo("functions.f:2");
            assertThat(answer.at(path + "3")).isNull();
        }
    }

    @Test
    void shouldGiveATemplateTheSchemaOfAFunctionWithoutParameters() {
        String template = "{% for t in tools %}{{ t.function.name }}:{% for name, schema in "
                + "t.function.parameters.properties|items %} {{ name }}{% endfor %};{% endfor %}";
        try (TestServer server = TestServer.builder()
                .template(new JinjaTemplate(template, Map.of(), Clock.systemUTC()))
                .replies(prompt -> prompt)
                .start()) {
            Answer answer = server.chat("'tools':[{'type':'function','function':{'name':'f'}},"
                    + "{'type':'function','function':{'name':'g','parameters':{}}},"
                    + "{'type':'function','function':{'name':'h','parameters':{'type':'object',"
                    + "'properties':{'a':{},'b':{}}}}}]");
            assertThat(answer.at("choices.0.message.content")).isEqualTo("f:;g:;h: a b;");
        }
    }

    @Test
    void shouldNotShowATemplateThatThereAreNoCalls() {
        String template = "{% for m in messages %}{{ 'calls' if 'tool_calls' in m else m.content }};{% endfor %}";
        try (TestServer server = TestServer.builder()
                .template(new JinjaTemplate(template, Map.of(), Clock.systemUTC()))
                .replies(prompt -> prompt)
                .start()) {
            assertThat(server.post(
                                    "/v1/chat/completions",
                                    "{'model':'test-model','messages':[{'role':'assistant','content':'a','tool_calls':null},"
                                            + "{'role':'assistant','content':'b','tool_calls':[]}]}")
                            .at("choices.0.message.content"))
                    .isEqualTo("a;b;");
        }
    }

    @Test
    void shouldRefuseCallsThatAreNone() {
        try (TestServer server = TestServer.start()) {
            for (Map.Entry<String, String> bad : Map.of(
                            "{'type':'function'}", "messages[0].tool_calls[0].function",
                            "{'type':'custom','function':{'name':'f'}}", "messages[0].tool_calls[0].type",
                            "{'function':{}}", "messages[0].tool_calls[0].function.name",
                            "{'function':{'name':'f','arguments':5}}", "messages[0].tool_calls[0].function.arguments")
                    .entrySet()) {
                Answer answer = server.post(
                        "/v1/chat/completions",
                        "{'model':'test-model','messages':[{'role':'assistant','tool_calls':[" + bad.getKey() + "]}]}");
                assertThat(answer.status()).as(answer.body()).isEqualTo(400);
                assertThat(answer.at("error.param")).isEqualTo(bad.getValue());
            }
        }
    }
}
