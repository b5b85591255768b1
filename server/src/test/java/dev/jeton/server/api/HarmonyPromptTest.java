package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.template.JinjaTemplate;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.time.Clock;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * What conversations become to a template that wants what that of the gpt-oss models wants: thinking in its own field,
 * which excludes a content, one call in a message, and three efforts.
 */
class HarmonyPromptTest {

    private static final String TEMPLATE =
            "{% for t in tools or [] %}{{ '//' + t.function.description + '.' }}{% endfor %}"
                    + "{{ reasoning_effort | default('medium') }}:"
                    + "{% for m in messages %}{% if m.role not in ['system', 'developer'] or loop.first %}<|start|>{{ m.role }}"
                    + "{% if 'tool_calls' in m %}{% if '<|channel|>' in m.content %}{{ raise_exception('marks') }}{% endif %}"
                    + "{% if m.content and m.thinking %}{{ raise_exception('both') }}{% endif %}"
                    + "({{ m.content or m.thinking }}){{ m.tool_calls[0].function.name }}"
                    + "{{ m.tool_calls[0].function.arguments | tojson }}"
                    + "{% else %}{% if m.thinking %}({{ m.thinking }}){% endif %}<|message|>{{ m.content }}{% endif %}<|end|>"
                    + "{% endif %}{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}";

    private static final AtomicReference<String> PROMPT = new AtomicReference<>("");
    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .template(new JinjaTemplate(TEMPLATE, Map.of(), Clock.systemUTC()))
                .tokenizer(ByteTokenizer.marking())
                .reasoningParser("auto")
                .toolCallParser("auto")
                .replies(prompt -> {
                    PROMPT.set(ByteTokenizer.marking().decode(prompt, false));
                    return ByteTokenizer.marking().encode("<|channel|>final<|message|>so<|return|>", false);
                })
                .start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static String prompt(String path, String body) {
        Answer answer = server.post(path, body);
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return PROMPT.get();
    }

    private static String chat(String messages, String more) {
        return prompt(
                "/v1/chat/completions",
                "{'model':'test-model','messages':[{'role':'user','content':'a'}" + messages + "]" + more + "}");
    }

    private static String call(String id, String name) {
        return "{'id':'" + id + "','type':'function','function':{'name':'" + name + "','arguments':'{\\\"n\\\": 1}'}}";
    }

    @Test
    void shouldGiveEffortsThatTheModelKnows() {
        assertThat(chat("", "")).startsWith("medium:");
        assertThat(chat("", ",'reasoning_effort':'high'")).startsWith("high:");
        assertThat(chat("", ",'reasoning_effort':'xhigh'")).startsWith("high:");
        assertThat(chat("", ",'reasoning_effort':'none'")).startsWith("low:");
        assertThat(chat("", ",'reasoning_effort':'minimal'")).startsWith("low:");
        assertThat(chat("", ",'reasoning_effort':'none','chat_template_kwargs':{'reasoning_effort':'x'}"))
                .startsWith("x:");
        String response = "{'model':'test-model','input':'a','reasoning':{'effort':'max'}}";
        assertThat(prompt("/v1/responses", response)).startsWith("high:");
        String message = "{'model':'test-model','max_tokens':9,'messages':[{'role':'user','content':'a'}]";
        assertThat(prompt("/v1/messages", message + ",'output_config':{'effort':'low'}}"))
                .startsWith("low:");
        assertThat(prompt("/v1/messages", message + ",'thinking':{'type':'disabled'}}"))
                .startsWith("low:");
        assertThat(prompt("/v1/messages", message + ",'thinking':{'type':'adaptive'}}"))
                .startsWith("medium:");
    }

    @Test
    void shouldGiveEarlierThinkingAndCallsInAllApis() {
        String wanted = "<|start|>user<|message|>a<|end|><|start|>assistant(hm)f{\"n\": 1}<|end|>"
                + "<|start|>tool<|message|>1<|end|><|start|>assistant";
        assertThat(chat(
                        ",{'role':'assistant','reasoning_content':'hm','tool_calls':[" + call("c1", "f")
                                + "]},{'role':'tool','tool_call_id':'c1','content':'1'}",
                        ""))
                .endsWith(wanted);
        assertThat(prompt(
                        "/v1/responses",
                        "{'model':'test-model','input':[{'role':'user','content':'a'},{'type':'reasoning','summary':[],"
                                + "'content':[{'type':'reasoning_text','text':'hm'}]},{'type':'function_call','call_id':'c1',"
                                + "'name':'f','arguments':'{\\\"n\\\": 1}'},{'type':'function_call_output','call_id':'c1',"
                                + "'output':'1'}]}"))
                .endsWith(wanted);
        assertThat(prompt(
                        "/v1/messages",
                        "{'model':'test-model','max_tokens':9,'messages':[{'role':'user','content':'a'},{'role':'assistant',"
                                + "'content':[{'type':'thinking','thinking':'hm','signature':''},{'type':'tool_use','id':'c1',"
                                + "'name':'f','input':{'n':1}}]},{'role':'user','content':[{'type':'tool_result',"
                                + "'tool_use_id':'c1','content':'1'}]}]}"))
                .endsWith(wanted);
    }

    @Test
    void shouldGiveWhatWasSaidBeforeACallWithWhatWasThought() {
        String message = ",{'role':'assistant','content':'Let me see.',%s'tool_calls':[" + call("c1", "f") + "]}";
        assertThat(chat(message.formatted("'reasoning':'hm',"), "")).contains("assistant(hm\n\nLet me see.)f");
        assertThat(chat(message.formatted(""), "")).contains("assistant(Let me see.)f");
    }

    /**
     * A message without its call would be an answer, for which the template drops what was thought before earlier
     * calls.
     */
    @Test
    void shouldKeepWhatWasSaidWithItsCallWhereThinkingIsBetween() {
        String input = "{'model':'test-model','input':[{'role':'user','content':'a'},%s,"
                + "{'type':'message','role':'assistant','content':'Let me see.'},%s,"
                + "{'type':'function_call','call_id':'c1','name':'f','arguments':'{}'},"
                + "{'type':'function_call_output','call_id':'c1','output':'1'}]}";
        String thought = "{'type':'reasoning','summary':[],'content':[{'type':'reasoning_text','text':'%s'}]}";
        assertThat(prompt("/v1/responses", input.formatted(thought.formatted("hm"), thought.formatted("so"))))
                .contains("a<|end|><|start|>assistant(hm\n\nLet me see.\n\nso)f");
        assertThat(prompt("/v1/responses", input.formatted("{'role':'user','content':'b'}", thought.formatted("so"))))
                .contains("b<|end|><|start|>assistant(Let me see.\n\nso)f");
    }

    @Test
    void shouldShowEachOfSeveralCallsWithItsResult() {
        String messages =
                ",{'role':'assistant','reasoning':'hm','tool_calls':[" + call("c1", "f") + "," + call("c2", "g")
                        + "]},{'role':'tool','tool_call_id':'c2','content':'2'},{'role':'tool','tool_call_id':'c1','content':'1'},"
                        + "{'role':'user','content':'b'}";
        assertThat(chat(messages, ""))
                .endsWith("<|start|>assistant(hm)f{\"n\": 1}<|end|><|start|>tool<|message|>1<|end|>"
                        + "<|start|>assistant()g{\"n\": 1}<|end|><|start|>tool<|message|>2<|end|>"
                        + "<|start|>user<|message|>b<|end|><|start|>assistant");
    }

    @Test
    void shouldTakeFunctionsWithoutADescription() {
        assertThat(chat(
                        "",
                        ",'tools':[{'type':'function','function':{'name':'f'}},{'type':'function','function':{'name':'g',"
                                + "'description':'Does'}}]"))
                .startsWith("//.//Does.medium:");
    }

    @Test
    void shouldLoseNothingThatSystemsAndDevelopersSay() {
        String start = "{'model':'test-model','messages':[{'role':'system','content':'one'},{'role':'developer',"
                + "'content':'two'},{'role':'user','content':'a'}";
        assertThat(prompt("/v1/chat/completions", start + "]}"))
                .endsWith(
                        ":<|start|>system<|message|>one\n\ntwo<|end|><|start|>user<|message|>a<|end|><|start|>assistant");
        assertThat(prompt(
                        "/v1/chat/completions",
                        start + ",{'role':'system','content':'three'},{'role':'user','content':'b'}]}"))
                .contains(
                        "two<|end|><|start|>user<|message|>a<|end|><|start|>user<|message|>three<|end|><|start|>user");
        assertThat(prompt(
                        "/v1/responses",
                        "{'model':'test-model','instructions':'one','input':[{'role':'developer','content':'two'},"
                                + "{'role':'user','content':'a'}]}"))
                .contains("one\n\ntwo<|end|>");
    }

    @Test
    void shouldGoOnWithAnAnswerThatIsBegun() {
        assertThat(prompt(
                        "/v1/messages",
                        "{'model':'test-model','max_tokens':99,'messages':[{'role':'user','content':'a'},"
                                + "{'role':'assistant','content':'It is'}]}"))
                .endsWith("<|start|>assistant<|message|>It is");
    }
}
