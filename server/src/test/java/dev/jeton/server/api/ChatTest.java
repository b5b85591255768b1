package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class ChatTest {

    private static TestServer server;

    @BeforeAll
    static void start() {
        // Answers with the prompt itself, so that a test sees what the template made of the messages.
        server = TestServer.builder().replies(prompt -> prompt).start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static Answer chat(String messages, String fields) {
        Answer answer =
                server.post("/v1/chat/completions", "{'model':'test-model','messages':" + messages + fields + "}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return answer;
    }

    private static Object content(String messages, String fields) {
        return chat(messages, fields).at("choices.0.message.content");
    }

    @Test
    void shouldAnswerInOpenAisShape() {
        Answer answer = server.chat("");
        assertThat(answer.at("object")).isEqualTo("chat.completion");
        assertThat(answer.at("id")).asString().startsWith("chatcmpl-");
        assertThat(answer.at("model")).isEqualTo("test-model");
        assertThat(answer.at("choices.0.index")).isEqualTo(0L);
        assertThat(answer.at("choices.0.message.role")).isEqualTo("assistant");
        assertThat(answer.at("choices.0.message.content")).isEqualTo("user: hi\nassistant: ");
        assertThat(answer.at("choices.0.finish_reason")).isEqualTo("stop");
        assertThat(answer.at("usage.prompt_tokens")).isEqualTo(20L);
        assertThat(answer.at("usage.completion_tokens")).isEqualTo(21L);
        assertThat(answer.at("usage.total_tokens")).isEqualTo(41L);
    }

    @Test
    void shouldTakeARefusalForWhatTheAssistantSaid() {
        Answer answer = server.post(
                "/v1/chat/completions",
                "{'model':'test-model','messages':[{'role':'user','content':'hi'},"
                        + "{'role':'assistant','content':null,'refusal':'I will not'},{'role':'user','content':'why?'}]}");
        assertThat(answer.at("choices.0.message.content"))
                .isEqualTo("user: hi\nassistant: I will not\nuser: why?\nassistant: ");
    }

    @Test
    void shouldTellWhatTheRequestTook() {
        Answer answer = server.chat("");
        for (String field : List.of(
                "queue_ms",
                "prefill_ms",
                "decode_ms",
                "total_ms",
                "device_ms",
                "tokens_per_second",
                "kv_block_seconds")) {
            assertThat(answer.at("usage.jeton." + field)).as(field).isInstanceOf(Number.class);
        }
        assertThat(answer.at("usage.prompt_tokens_details.cached_tokens")).isEqualTo(16L);
    }

    @Test
    void shouldStreamTheRoleFirstAndTheReasonLast() {
        List<Object> events = server.chat("'stream':true").events();
        assertThat(Answer.at(events.getFirst(), "choices.0.delta.role")).isEqualTo("assistant");
        assertThat(Answer.at(events.getFirst(), "object")).isEqualTo("chat.completion.chunk");
        assertThat(Answer.at(events.getLast(), "choices.0.finish_reason")).isEqualTo("stop");
        assertThat(server.chat("'stream':true").streamed("choices.0.delta.content", 0))
                .isEqualTo("user: hi\nassistant: ");
    }

    @Test
    void shouldJoinTextParts() {
        assertThat(content("[{'role':'user','content':[{'type':'text','text':'a'},{'type':'text','text':'b'}]}]", ""))
                .isEqualTo("user: a\nb\nassistant: ");
    }

    @Test
    void shouldGiveADevelopersMessageAsTheSystemsWhereTheTemplateKnowsNoDeveloper() {
        assertThat(content("[{'role':'developer','content':'be brief'},{'role':'user','content':'x'}]", ""))
                .isEqualTo("system: be brief\nuser: x\nassistant: ");
    }

    @Test
    void shouldShowToolsToTheTemplateUnlessNoneMayBeCalled() {
        String tools = ",'tools':[{'type':'function','function':{'name':'f'}}]";
        assertThat(content("[{'role':'user','content':'x'}]", tools))
                .asString()
                .startsWith("tool: {name=f, parameters={type=object, properties={}}}\n");
        assertThat(content("[{'role':'user','content':'x'}]", tools + ",'tool_choice':'none'"))
                .isEqualTo("user: x\nassistant: ");
    }

    @Test
    void shouldTakeAnAssistantsMessageWithToolCallsAndNoContent() {
        assertThat(content(
                        "[{'role':'assistant','content':null,'tool_calls':[{'id':'1','type':'function',"
                                + "'function':{'name':'f','arguments':'{}'}}]},{'role':'tool','content':'42'}]",
                        ""))
                .isEqualTo("assistant: null\ntool: 42\nassistant: ");
    }

    @Test
    void shouldGiveTheTemplateItsVariables() {
        assertThat(content("[{'role':'user','content':'x'}]", ",'chat_template_kwargs':{'thinking':false}"))
                .isEqualTo("user: x\nthinking=false\nassistant: ");
    }

    @Test
    void shouldLeaveTheAssistantsTurnClosedWhereAsked() {
        assertThat(content("[{'role':'user','content':'x'}]", ",'add_generation_prompt':false"))
                .isEqualTo("user: x\n");
    }

    @Test
    void shouldStopAtMaxCompletionTokens() {
        Answer answer = chat("[{'role':'user','content':'x'}]", ",'max_completion_tokens':4");
        assertThat(answer.at("choices.0.message.content")).isEqualTo("user");
        assertThat(answer.at("choices.0.finish_reason")).isEqualTo("length");
        assertThat(answer.at("usage.completion_tokens")).isEqualTo(4L);
    }

    @Test
    void shouldGiveSeveralContinuations() {
        Answer answer = chat("[{'role':'user','content':'x'}]", ",'n':3");
        for (int i = 0; i < 3; i++) {
            assertThat(answer.at("choices." + i + ".index")).isEqualTo((long) i);
            assertThat(answer.at("choices." + i + ".message.content")).isEqualTo("user: x\nassistant: ");
        }
    }

    @Test
    void shouldGiveLogProbabilitiesOfEveryToken() {
        Answer answer = chat("[{'role':'user','content':'x'}]", ",'max_tokens':2,'logprobs':true,'top_logprobs':2");
        assertThat(answer.at("choices.0.logprobs.content.0.token")).isEqualTo("u");
        assertThat(answer.at("choices.0.logprobs.content.0.logprob")).isEqualTo(-0.25);
        assertThat(answer.at("choices.0.logprobs.content.0.bytes")).isEqualTo(List.of(117L));
        assertThat(answer.at("choices.0.logprobs.content.1.top_logprobs.1.logprob"))
                .isEqualTo(-1.25);
        assertThat((List<?>) answer.at("choices.0.logprobs.content")).hasSize(2);
    }

    @Test
    void shouldStreamLogProbabilitiesOfEveryToken() {
        Answer answer = chat("[{'role':'user','content':'x'}]", ",'max_tokens':5,'logprobs':true,'stream':true");
        long tokens = answer.events().stream()
                .map(event -> Answer.at(event, "choices.0.logprobs.content"))
                .filter(List.class::isInstance)
                .mapToLong(content -> ((List<?>) content).size())
                .sum();
        assertThat(tokens).isEqualTo(5);
    }
}
