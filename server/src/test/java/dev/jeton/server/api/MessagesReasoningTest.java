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
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Thinking in messages, of a model that answers what a test says, and marks its thinking as Qwen3 does. */
class MessagesReasoningTest {

    private static final String HI = "'messages':[{'role':'user','content':'hi'}]";
    private static final String THOUGHT = "<think>\nwhy\n</think>\n\nso";

    private static final String TEMPLATE = "{% for m in messages %}{{ m.role }}:{% if m.reasoning %}({{ m.reasoning }}|"
            + "{{ m.reasoning_content }}){% endif %}{{ m.content }} {% if m.tool_calls %}calls {% endif %}{% endfor %}"
            + "{{ enable_thinking }},{{ thinking }},{{ reasoning_effort }}"
            + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}";

    private static final AtomicReference<String> REPLY = new AtomicReference<>("");
    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .template(new JinjaTemplate(TEMPLATE, Map.of(), Clock.systemUTC()))
                .reasoningParser("auto")
                .toolCallParser("hermes")
                .replies(prompt -> REPLY.get().equals("echo") ? prompt : new ByteTokenizer().encode(REPLY.get(), false))
                .start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static Answer ask(String reply, String fields) {
        REPLY.set(reply);
        Answer answer = server.post("/v1/messages", "{'model':'test-model','max_tokens':1000," + fields + "}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return answer;
    }

    private static String prompt(String fields) {
        return (String) ask("echo", fields).at("content.0.text");
    }

    @Test
    void shouldGiveThinkingABlockOfItsOwn() {
        Answer answer = ask(THOUGHT, HI);
        assertThat(answer.at("content"))
                .isEqualTo(List.of(
                        Map.of("type", "thinking", "thinking", "why", "signature", ""),
                        Map.of("type", "text", "text", "so")));
        assertThat(answer.at("usage.output_tokens_details.thinking_tokens"))
                .isEqualTo((long) "<think>\nwhy\n</think>".length());
    }

    @Test
    void shouldTurnThinkingOnAndOff() {
        assertThat(prompt(HI)).endsWith("hi ,,");
        assertThat(prompt(HI + ",'thinking':{'type':'enabled','budget_tokens':1024}"))
                .endsWith("hi True,True,");
        assertThat(prompt(HI + ",'thinking':{'type':'adaptive'},'output_config':{'effort':'low'}"))
                .endsWith("hi True,True,low");
        assertThat(prompt(HI + ",'thinking':{'type':'disabled'},'output_config':{'effort':'high'}"))
                .contains("hi False,False,high");
        assertThat(prompt(HI + ",'thinking':{'type':'disabled'},'chat_template_kwargs':{'enable_thinking':true}"))
                .endsWith("hi True,False,");
    }

    @Test
    void shouldEndThinkingAtItsBudget() {
        Answer answer = ask(
                "<think>" + "w".repeat(100) + "</think>so", HI + ",'thinking':{'type':'enabled','budget_tokens':20}");
        assertThat((Long) answer.at("usage.output_tokens_details.thinking_tokens"))
                .isLessThan(40L);
    }

    @Test
    void shouldLeaveThinkingOutWhereItIsToBeOmitted() {
        Answer answer = ask(THOUGHT, HI + ",'thinking':{'type':'adaptive','display':'omitted'}");
        assertThat(answer.at("content")).isEqualTo(List.of(Map.of("type", "text", "text", "so")));
    }

    @Test
    void shouldHaveNoTextWhereThinkingIsCut() {
        REPLY.set(THOUGHT);
        Answer answer = server.post("/v1/messages", "{'model':'test-model','max_tokens':10," + HI + "}");
        assertThat(answer.at("content.0.type")).isEqualTo("thinking");
        assertThat(answer.at("content.1")).isNull();
        assertThat(answer.at("stop_reason")).isEqualTo("max_tokens");
    }

    @Test
    void shouldShowTheTemplateWhatItThoughtBefore() {
        assertThat(prompt("'messages':[{'role':'user','content':'a'},{'role':'assistant','content':["
                        + "{'type':'thinking','thinking':'why','signature':''},"
                        + "{'type':'redacted_thinking','data':'xyz'},{'type':'text','text':'so'},"
                        + "{'type':'tool_use','id':'t1','name':'f','input':{}}]},"
                        + "{'role':'user','content':[{'type':'tool_result','tool_use_id':'t1','content':'5'}]}]"))
                .startsWith("user:a assistant:(why|why)so calls tool:5 ");
    }

    @Test
    void shouldNotTakeForThinkingWhatGoesOnWithAnAnswer() {
        Answer answer = ask(
                "<think>no</think>",
                "'messages':[{'role':'user','content':'hi'},{'role':'assistant','content':'It is '}]");
        assertThat(answer.at("content")).isEqualTo(List.of(Map.of("type", "text", "text", "<think>no</think>")));
    }

    @Test
    void shouldTakeABudgetWhereItIsNotKnownWhatThinkingIs() {
        try (TestServer plain = TestServer.start()) {
            Answer answer = plain.post(
                    "/v1/messages",
                    "{'model':'test-model','max_tokens':100,'thinking':{'type':'enabled','budget_tokens':1024}," + HI
                            + "}");
            assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        }
    }
}
