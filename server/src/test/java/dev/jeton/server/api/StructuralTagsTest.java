package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Structural tags over HTTP, of a model that would write something else between them. */
class StructuralTagsTest {

    private static final AtomicReference<String> REPLY = new AtomicReference<>("");
    private static final String SCHEMA =
            "{'type':'object','properties':{'n':{'type':'integer','minimum':7}},'required':['n'],"
                    + "'additionalProperties':false}";
    private static final String OLD = "{'type':'structural_tag','structures':[{'begin':'<f=a>','schema':" + SCHEMA
            + ",'end':'</f>'},{'begin':'<f=b>','schema':{'const':1},'end':'</f>'}],'triggers':['<f=']}";

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

    private static String content(String reply, String fields) {
        REPLY.set(reply);
        Answer answer = server.chat(fields);
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        Answer streamed = server.chat(fields + ",'stream':true");
        String content = (String) answer.at("choices.0.message.content");
        assertThat(streamed.streamed("choices.0.delta.content", 0)).isEqualTo(content);
        return content;
    }

    private static String format(String format) {
        return "'response_format':{'type':'structural_tag','format':" + format + "}";
    }

    private static String triggered(String more) {
        return "{'type':'triggered_tags','triggers':['<f='],'tags':[{'type':'tag','begin':'<f=a>','content':"
                + "{'type':'json_schema','json_schema':" + SCHEMA + "},'end':'</f>'},"
                + "{'begin':'<f=b>','content':{'type':'const_string','value':'1'},'end':['</f>','!']}]" + more + "}";
    }

    @Test
    void shouldFollowATagAndLeaveTheRestFree() {
        for (String fields : new String[] {
            "'response_format':" + OLD,
            format(triggered("")),
            "'structured_outputs':{'structural_tag':" + OLD + "}",
            "'structured_outputs':{'structural_tag':'" + OLD.replace("'", "\\\"") + "'}"
        }) {
            assertThat(content("So <f <f=a>{'a'}</f>", fields)).matches("So <f <f=a>\\{\"n\":\\s*[0-9]+\\s*}</f>");
            assertThat(content("no tag", fields)).isEqualTo("no tag");
            assertThat(content("x<f=a>{\"n\": 70}</f> y <f=b>1</f>z", fields))
                    .isEqualTo("x<f=a>{\"n\": 70}</f> y <f=b>1</f>z");
            assertThat(content("<f=zzz>", fields)).startsWith("<f=").doesNotContain("zzz");
        }
    }

    @Test
    void shouldBeginWithATagWhereThereMustBeOne() {
        assertThat(content("no tag at all, whatever", format(triggered(",'at_least_one':true"))))
                .startsWith("<f=");
    }

    @Test
    void shouldEndWithTheFirstTagWhereThatIsAsked() {
        assertThat(content("a<f=b>1!more", format(triggered(",'stop_after_first':true"))))
                .isEqualTo("a<f=b>1!");
    }

    @Test
    void shouldTakeFormatsThatAreMadeOfOthers() {
        String format = "{'type':'sequence','elements':[{'type':'const_string','value':'A: '},{'type':'or','elements':"
                + "[{'type':'regex','pattern':'[0-9]{2}'},{'type':'tag','begin':'<','content':"
                + "{'type':'grammar','grammar':'root ::= [xy]+'},'end':'>'}]}]}";
        assertThat(content("A: <x>", format(format))).isEqualTo("A: <x>");
        assertThat(content("A: <xyx>", format(format))).isEqualTo("A: <xyx>");
        assertThat(content("A: 123", format(format))).isEqualTo("A: 12");
    }

    @Test
    void shouldFollowTagsInCompletionsAndResponses() {
        REPLY.set("x<f=b>2</f>");
        Answer completion = server.post(
                "/v1/completions", "{'model':'test-model','prompt':'a','max_tokens':60,'response_format':" + OLD + "}");
        assertThat(completion.at("choices.0.text")).asString().matches("x<f=b>\\s*1</f>");
        Answer response = server.post(
                "/v1/responses",
                "{'model':'test-model','input':'a','structured_outputs':{'structural_tag':" + OLD + "}}");
        assertThat(response.at("output.0.content.0.text")).asString().matches("x<f=b>\\s*1</f>");
    }

    @Test
    void shouldHoldStrictFunctionsBesideTags() {
        String tools =
                ",'tools':[{'type':'function','function':{'name':'f','strict':true,'parameters':" + SCHEMA + "}}]";
        REPLY.set("<f=b>1</f><tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>");
        Answer answer = server.chat("'response_format':" + OLD + tools);
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        assertThat(answer.at("choices.0.message.content")).isEqualTo("<f=b>1</f>");
        assertThat(answer.at("choices.0.message.tool_calls.0.function.arguments"))
                .asString()
                .matches("\\{\"n\":\\s*[0-9]+\\s*}");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '~',
            value = {
                "{'type':'any_text'}; response_format.format.type; 'any_text', which is not supported",
                "{'type':'any_text'}; response_format.format.type; 'triggered_tags', 'tag'",
                "{'type':'grammar','grammar':'x'}; response_format; a rule is expected",
                "{'type':'grammar'}; response_format.format.grammar; missing",
                "{'type':'json_schema','json_schema':{},'style':'qwen_xml'}; response_format.format.style; 'json'",
                "{'type':'json_schema','json_schema':{},'any_order':true}; response_format.format.any_order; supported",
                "{'type':'json_schema','json_schema':{'not':{}}}; response_format; cannot be enforced",
                "{'type':'json_schema'}; response_format.format.json_schema; missing",
                "{'type':'sequence','elements':[]}; response_format.format.elements; empty",
                "{'type':'const_string','value':'a','x':1}; response_format.format.x; not supported",
                "{'type':'const_string'}; response_format.format.value; missing",
                "{'type':'or','elements':[{'type':'triggered_tags'}]}; response_format.format.elements[0].type; whole",
                "{'type':'triggered_tags','triggers':['<'],'tags':[]}; response_format.format.tags; empty",
                "{'type':'triggered_tags','triggers':['<'],'tags':[{'begin':'x'}]}; response_format.format.tags[0].content; missing",
                "{'type':'triggered_tags','triggers':[''],'tags':[]}; response_format.format.triggers; not empty",
                "{'type':'triggered_tags','triggers':['<'],'tags':[{'begin':'x','content':{'type':'regex','pattern':'a'},'end':''}]}; response_format.format.tags[0].begin; triggers",
                "{'type':'triggered_tags','triggers':['<','<a'],'tags':[{'begin':'<a','content':{'type':'regex','pattern':'a'},'end':''}]}; response_format.format.tags[0].begin; one alone",
                "{'type':'triggered_tags','triggers':['<'],'tags':[],'excludes':['x']}; response_format.format.excludes; not supported",
            })
    void shouldRefuseWhatIsWrongOrNotSupportedByName(String format, String param, String message) {
        Answer answer = server.chat(format(format));
        assertThat(answer.status()).as(answer.body()).isEqualTo(400);
        assertThat(answer.at("error.param")).as(answer.body()).isEqualTo(param);
        assertThat((String) answer.at("error.message")).contains(message);
    }

    @Test
    void shouldRefuseTagsThatSayNothingOrBothForms() {
        for (String fields : new String[] {
            "{'type':'structural_tag'}", OLD.replace("'triggers'", "'format':{'type':'regex','pattern':'a'},'triggers'")
        }) {
            Answer answer = server.chat("'response_format':" + fields);
            assertThat(answer.status()).isEqualTo(400);
            assertThat(answer.at("error.param")).isEqualTo("response_format.format");
        }
        assertThat(server.chat("'structured_outputs':{'structural_tag':'{'}").at("error.param"))
                .isEqualTo("structured_outputs.structural_tag");
        assertThat(server.chat("'structured_outputs':{'structural_tag':5}").status())
                .isEqualTo(400);
    }
}
