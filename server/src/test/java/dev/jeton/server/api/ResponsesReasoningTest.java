package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.template.JinjaTemplate;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Thinking in responses, of a model that answers what a test says, and marks its thinking as Qwen3 does. */
class ResponsesReasoningTest {

    private static final String TOOLS = "'tools':[{'type':'function','name':'f'}]";
    private static final String CALL = "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>";
    private static final String THOUGHT = "<think>\nwhy\n</think>\n\nso";
    private static final String SCORES = "'include':['message.output_text.logprobs']";

    private static final String TEMPLATE = "{% for m in messages %}{{ m.role }}:{% if m.reasoning %}({{ m.reasoning }}|"
            + "{{ m.reasoning_content }}){% endif %}{{ m.content }} {% if m.tool_calls %}calls{% endif %}{% endfor %}"
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
        Answer answer = server.post("/v1/responses", "{'model':'test-model'," + fields + "}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return answer;
    }

    @Test
    void shouldGiveThinkingAnItemOfItsOwn() {
        Answer answer = ask(THOUGHT, "'input':'hi'");
        assertThat(answer.at("output.0.type")).isEqualTo("reasoning");
        assertThat(answer.at("output.0.id")).asString().startsWith("rs_");
        assertThat(answer.at("output.0.summary")).isEqualTo(List.of());
        assertThat(answer.at("output.0.content")).isEqualTo(List.of(Map.of("type", "reasoning_text", "text", "why")));
        assertThat(answer.at("output.1.content.0.text")).isEqualTo("so");
        assertThat((Long) answer.at("usage.output_tokens_details.reasoning_tokens"))
                .isEqualTo("<think>\nwhy\n</think>".length());
    }

    @Test
    void shouldStreamThinkingInEventsOfItsOwn() {
        List<Object> types = ask(THOUGHT, "'input':'hi','stream':true").events().stream()
                .map(event -> Answer.at(event, "type"))
                .distinct()
                .toList();
        assertThat(types)
                .containsExactly(
                        "response.created",
                        "response.in_progress",
                        "response.output_item.added",
                        "response.content_part.added",
                        "response.reasoning_text.delta",
                        "response.reasoning_text.done",
                        "response.content_part.done",
                        "response.output_item.done",
                        "response.output_text.delta",
                        "response.output_text.done",
                        "response.completed");
    }

    @Test
    void shouldTurnThinkingOffWhereNoEffortIsToBeMade() {
        Answer answer = ask("<think>", "'input':'hi','reasoning':{'effort':'none'}");
        assertThat(answer.at("output.0.content.0.text")).isEqualTo("<think>");
        assertThat(answer.at("reasoning.effort")).isEqualTo("none");
    }

    @Test
    void shouldRefuseAnEffortThatThereIsNot() {
        Answer answer =
                server.post("/v1/responses", "{'model':'test-model','input':'hi','reasoning':{'effort':'maximal'}}");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.at("error.param")).isEqualTo("reasoning.effort");
    }

    @Test
    void shouldLeaveThinkingOutWhereItIsNotWanted() {
        Answer answer = ask(THOUGHT, "'input':'hi','include_reasoning':false");
        assertThat(answer.at("output.0.content.0.text")).isEqualTo("so");
        assertThat(answer.at("output.1")).isNull();
    }

    @Test
    void shouldHaveNoMessageWhereThinkingIsCut() {
        Answer answer = ask(THOUGHT, "'input':'hi','max_output_tokens':10");
        assertThat(answer.at("status")).isEqualTo("incomplete");
        assertThat(answer.at("output.0.type")).isEqualTo("reasoning");
        assertThat(answer.at("output.0.status")).isEqualTo("incomplete");
        assertThat(answer.at("output.1")).isNull();
    }

    @Test
    void shouldGiveLogProbabilitiesOfTheAnswerOnly() {
        Answer answer = ask(THOUGHT, "'input':'hi'," + SCORES);
        assertThat((List<?>) answer.at("output.1.content.0.logprobs")).hasSize(2);
        assertThat(answer.at("output.1.content.0.logprobs.0.token")).isEqualTo("s");
        assertThat(answer.at("output.1.content.0.logprobs.1.token")).isEqualTo("o");
    }

    @Test
    void shouldShowTheTemplateWhatItThoughtBefore() {
        Answer first = ask(THOUGHT + CALL, "'input':'hi'," + TOOLS);
        assertThat(first.at("output.2.type")).isEqualTo("function_call");
        Answer second = ask(
                "echo",
                "'previous_response_id':'" + first.at("id") + "','input':[{'type':'function_call_output','call_id':'"
                        + first.at("output.2.call_id") + "','output':'5'}]");
        assertThat(second.at("output.0.content.0.text")).isEqualTo("user:hi assistant:(why|why)so callstool:5 ");
    }

    @Test
    void shouldTakeThinkingThatWasCutOrSummarised() {
        Answer answer = ask(
                "echo",
                "'input':[{'type':'reasoning','id':'rs_1','summary':[],'content':[{'type':'reasoning_text','text':'a'}]},"
                        + "{'role':'user','content':'b'},"
                        + "{'type':'reasoning','summary':[{'type':'summary_text','text':'c'}]},"
                        + "{'role':'assistant','content':'d'},"
                        + "{'type':'reasoning','summary':[],'encrypted_content':'xyz'},{'role':'user','content':'e'}]");
        assertThat(answer.at("output.0.content.0.text")).isEqualTo("assistant:(a|a) user:b assistant:(c|c)d user:e ");
    }

    @Test
    void shouldStreamWhatAWholeAnswerHas() {
        List<String> pieces =
                List.of("<think>", "\n", "why ", "\u00e9", "</think>", "\n\n", "so", " ", CALL, "<tool", "</th");
        List<String> fields = List.of(
                "",
                "," + TOOLS,
                "," + TOOLS + "," + SCORES,
                "," + SCORES,
                ",'include_reasoning':false," + SCORES,
                ",'separate_reasoning':false",
                ",'stream_reasoning':false," + TOOLS,
                ",'max_output_tokens':20," + TOOLS);
        for (int seed = 0; seed < 120; seed++) {
            Random random = new Random(seed);
            String reply = (random.nextBoolean() ? "<think>" : "")
                    + String.join(
                            "",
                            Stream.generate(() -> pieces.get(random.nextInt(pieces.size())))
                                    .limit(random.nextInt(9))
                                    .toList());
            String more = "'input':'hi'" + fields.get(random.nextInt(fields.size()));
            StreamedResponse.assertSame(
                    "seed %d: %s %s".formatted(seed, reply, more),
                    ask(reply, more),
                    ask(reply, more + ",'stream':true"));
        }
    }
}
