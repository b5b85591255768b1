package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.template.JinjaTemplate;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.io.IOException;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What a model thinks, over HTTP: of one that answers what a test says, and marks its thinking as Qwen3 does. */
class ReasoningTest {

    private static final String TOOLS = "'tools':[{'type':'function','function':{'name':'f'}}]";
    private static final String CALL = "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>";
    private static final String THOUGHT = "<think>\nwhy\n</think>\n\nso";

    /** Opens the thinking, closes it or leaves it open, as a request says. */
    private static final String TEMPLATE = "{% for m in messages %}{% if m.reasoning %}({{ m.reasoning }}|"
            + "{{ m.reasoning_content }}){% endif %}{{ m.content }} {% endfor %}"
            + "{% if open is defined %}<think>\n{% endif %}"
            + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}";

    private static final AtomicReference<String> REPLY = new AtomicReference<>("");
    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .template(new JinjaTemplate(TEMPLATE, Map.of(), Clock.systemUTC()))
                .reasoningParser("auto")
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
        Answer answer = server.chat(fields);
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return answer;
    }

    private static String and(String fields, String more) {
        return fields.isEmpty() ? more : fields + "," + more;
    }

    /** What a client makes of an answer; null where it has none. */
    private record Told(Object reasoning, Object content, Object reason) {

        static Told ofWhole(Answer answer) {
            assertThat(answer.at("choices.0.message.reasoning"))
                    .isEqualTo(answer.at("choices.0.message.reasoning_content"));
            return new Told(
                    answer.at("choices.0.message.reasoning_content"),
                    answer.at("choices.0.message.content"),
                    answer.at("choices.0.finish_reason"));
        }

        static Told ofStream(Answer answer) {
            String reasoning = answer.streamed("choices.0.delta.reasoning_content", 0);
            String content = answer.streamed("choices.0.delta.content", 0);
            assertThat(answer.streamed("choices.0.delta.reasoning", 0)).isEqualTo(reasoning);
            return new Told(reasoning, content, Answer.at(answer.events().getLast(), "choices.0.finish_reason"));
        }

        Told withoutNulls() {
            return new Told(reasoning == null ? "" : reasoning, content == null ? "" : content, reason);
        }
    }

    /** The same of a whole answer and of a stream. */
    private static Told told(String reply, String fields) {
        Told whole = Told.ofWhole(ask(reply, fields));
        assertThat(Told.ofStream(ask(reply, and(fields, "'stream':true")))).isEqualTo(whole.withoutNulls());
        return whole;
    }

    @Test
    void shouldTellThinkingApartFromTheAnswer() {
        assertThat(told(THOUGHT, "")).isEqualTo(new Told("why", "so", "stop"));
    }

    @Test
    void shouldTakeWhatThePromptHasBegunForThinking() {
        String open = "'chat_template_kwargs':{'open':true}";
        assertThat(told("why\n</think>\nso", open)).isEqualTo(new Told("why", "so", "stop"));
        assertThat(told("never ends", open)).isEqualTo(new Told("never ends", null, "stop"));
    }

    @Test
    void shouldAnswerAsEverWhereTheModelDoesNotThink() {
        assertThat(told(" so </think>", "")).isEqualTo(new Told(null, " so </think>", "stop"));
        assertThat(told("so <think>", "'chat_template_kwargs':{'enable_thinking':false}"))
                .isEqualTo(new Told(null, "so <think>", "stop"));
    }

    @Test
    void shouldTurnThinkingOffWhereNoEffortIsToBeMade() {
        assertThat(told("<think>", "'reasoning_effort':'none'")).isEqualTo(new Told(null, "<think>", "stop"));
        assertThat(told(THOUGHT, "'reasoning_effort':'low'").reasoning()).isEqualTo("why");
        assertThat(told(THOUGHT, "'reasoning_effort':'none','chat_template_kwargs':{'enable_thinking':true}")
                        .reasoning())
                .isEqualTo("why");
    }

    @Test
    void shouldGiveTheTemplateTheEffort() {
        try (TestServer echo = TestServer.builder().replies(prompt -> prompt).start()) {
            assertThat((String) echo.chat("'reasoning_effort':'high'").at("choices.0.message.content"))
                    .contains("reasoning_effort=high\n", "enable_thinking=true\n", "thinking=true\n");
            assertThat((String) echo.chat("").at("choices.0.message.content")).doesNotContain("thinking");
        }
    }

    @Test
    void shouldAnswerNothingButThinkingThatWasCut() {
        assertThat(told(THOUGHT, "'max_tokens':10")).isEqualTo(new Told("wh", null, "length"));
        assertThat(told(THOUGHT, "'max_tokens':3")).isEqualTo(new Told(null, "<th", "length"));
        assertThat(told(THOUGHT, "'stop':'y'")).isEqualTo(new Told("wh", null, "stop"));
    }

    @Test
    void shouldCountTokensOfThinkingAmongThoseGenerated() {
        int thought = "<think>\nwhy\n</think>".length();
        Answer answer = ask(THOUGHT, "'n':2");
        assertThat(answer.at("usage.completion_tokens_details.reasoning_tokens"))
                .isEqualTo(2L * thought);
        assertThat(answer.at("usage.completion_tokens")).isEqualTo(2L * (THOUGHT.length() + 1));
        List<Object> events = ask(THOUGHT, "'stream':true,'stream_options':{'include_usage':true}")
                .events();
        assertThat(Answer.at(events.getLast(), "usage.completion_tokens_details.reasoning_tokens"))
                .isEqualTo((long) thought);
        assertThat(ask("so", "").at("usage.completion_tokens_details.reasoning_tokens"))
                .isEqualTo(0L);
        assertThat(ask(THOUGHT, "'max_tokens':10").at("usage.completion_tokens_details.reasoning_tokens"))
                .isEqualTo(10L);
        assertThat(PrometheusText.parse(server.get("/metrics").body())
                        .value("jeton_tokens_reasoning_total{model=\"test-model\"}"))
                .isPositive();
    }

    @Test
    void shouldStreamThinkingFirstAndEachChunkWithOneOfBoth() {
        List<Object> deltas = ask(THOUGHT, "'stream':true").events().stream()
                .map(event -> Answer.at(event, "choices.0.delta"))
                .toList();
        assertThat(Answer.at(deltas.getFirst(), "role")).isEqualTo("assistant");
        assertThat(Answer.at(deltas.getFirst(), "reasoning_content")).isNotNull();
        boolean answered = false;
        for (int i = 0; i < deltas.size(); i++) {
            boolean thinks = Answer.at(deltas.get(i), "reasoning_content") != null;
            boolean answers = Answer.at(deltas.get(i), "content") != null;
            assertThat(thinks).as("%s", deltas).isNotEqualTo(answers);
            assertThat(thinks && answered).isFalse();
            answered |= answers;
            assertThat(Answer.at(deltas.get(i), "role") != null).isEqualTo(i == 0);
        }
    }

    @Test
    void shouldStreamThinkingInOnePieceWhereThatIsAskedFor() {
        List<Object> thoughts = ask(THOUGHT, "'stream':true,'stream_reasoning':false").events().stream()
                .map(event -> Answer.at(event, "choices.0.delta.reasoning_content"))
                .filter(String.class::isInstance)
                .toList();
        assertThat(thoughts).isEqualTo(List.of("why"));
        assertThat(told("<think>cut", "'stream_reasoning':false,'max_tokens':9"))
                .isEqualTo(new Told("cu", null, "length"));
    }

    @Test
    void shouldLeaveThinkingOutOrInTheContentWhereThatIsAskedFor() {
        assertThat(told(THOUGHT, "'include_reasoning':false")).isEqualTo(new Told(null, "so", "stop"));
        assertThat(ask(THOUGHT, "'include_reasoning':false").body())
                .doesNotContain("\"reasoning\"", "reasoning_content", "why");
        assertThat(told(THOUGHT, "'separate_reasoning':false")).isEqualTo(new Told(null, THOUGHT, "stop"));
        assertThat(ask(THOUGHT, "'separate_reasoning':false").at("usage.completion_tokens_details.reasoning_tokens"))
                .isNotEqualTo(0L);
    }

    @Test
    void shouldTakeCallsOutOfTheAnswerOnly() {
        String reply = "<think>" + CALL + "</think>\n" + CALL;
        for (String fields : List.of(TOOLS, TOOLS + ",'stream':true")) {
            Answer answer = ask(reply, fields);
            boolean whole = fields.equals(TOOLS);
            assertThat(whole ? Told.ofWhole(answer) : Told.ofStream(answer).withoutNulls())
                    .isEqualTo(new Told(CALL, whole ? null : "", "tool_calls"));
        }
        assertThat((List<?>) ask(reply, TOOLS).at("choices.0.message.tool_calls"))
                .hasSize(1);
        Answer left = ask(reply, TOOLS + ",'separate_reasoning':false");
        assertThat(left.at("choices.0.message.content")).isEqualTo("<think>" + CALL + "</think>");
        assertThat((List<?>) left.at("choices.0.message.tool_calls")).hasSize(1);
    }

    @Test
    void shouldGiveLogProbabilitiesOfEveryToken() {
        Answer whole = ask(THOUGHT, "'logprobs':true");
        assertThat((List<?>) whole.at("choices.0.logprobs.content")).hasSize(THOUGHT.length());
        for (String fields : List.of("'logprobs':true,'stream':true", "'logprobs':true,'stream':true," + TOOLS)) {
            long streamed = ask(THOUGHT, fields).events().stream()
                    .map(event -> Answer.at(event, "choices.0.logprobs.content"))
                    .filter(List.class::isInstance)
                    .mapToLong(content -> ((List<?>) content).size())
                    .sum();
            assertThat(streamed).isEqualTo(THOUGHT.length());
        }
    }

    @Test
    void shouldHoldOnlyTheAnswerToWhatItMustBe() {
        String choice = "'guided_choice':['yes','no'],'max_tokens':100";
        assertThat(told("<think>maybe</think>\n\nno", choice)).isEqualTo(new Told("maybe", "no", "stop"));
        assertThat(told("<think>maybe</think>I cannot say", choice)).isEqualTo(new Told("maybe", "no", "stop"));
        assertThat(told("no", choice)).isEqualTo(new Told(null, "no", "stop"));
        assertThat(told("maybe</think>no", choice + ",'chat_template_kwargs':{'open':true}"))
                .isEqualTo(new Told("maybe", "no", "stop"));
        assertThat(told("<think>", choice + ",'chat_template_kwargs':{'enable_thinking':false}"))
                .isEqualTo(new Told(null, "no", "stop"));
    }

    @Test
    void shouldCallWhatMustBeCalledAfterItsThinking() {
        Answer answer = ask("<think>maybe</think>\n" + CALL, TOOLS + ",'tool_choice':'required'");
        assertThat(Told.ofWhole(answer)).isEqualTo(new Told("maybe", null, "tool_calls"));
        assertThat(answer.at("choices.0.message.tool_calls.0.function.name")).isEqualTo("f");
    }

    @Test
    void shouldEndThinkingWhereItsBudgetIsSpent() {
        String budget = "'thinking_token_budget':4,'max_tokens':60";
        Told told = told("<think>abcdefghijklmno", budget);
        assertThat(told.reasoning()).isEqualTo("abcd");
        assertThat(told.content()).isNotNull();
        assertThat(told("<think>ab</think>so", budget)).isEqualTo(new Told("ab", "so", "stop"));
        assertThat(told("so", budget)).isEqualTo(new Told(null, "so", "stop"));
        assertThat(told("<think>abcdefghijklmnopqrstuvwxyz", budget + ",'guided_choice':['yes']"))
                .isEqualTo(new Told("abcd", "yes", "stop"));
    }

    @Test
    void shouldThinkNothingOrOneTokenWhereTheBudgetIsThat() {
        String open = "'chat_template_kwargs':{'open':true},'guided_choice':['yes'],'max_tokens':40,";
        assertThat(told("abc", open + "'thinking_token_budget':0")).isEqualTo(new Told(null, "yes", "stop"));
        assertThat(told("abc", open + "'thinking_token_budget':1")).isEqualTo(new Told("a", "yes", "stop"));
        String either = "'guided_choice':['yes'],'max_tokens':40,";
        assertThat(told("<think>abc", either + "'thinking_token_budget':0")).isEqualTo(new Told(null, "yes", "stop"));
        assertThat(told("<think>abc", either + "'thinking_token_budget':1")).isEqualTo(new Told("a", "yes", "stop"));
        assertThat(told("yes", either + "'thinking_token_budget':0")).isEqualTo(new Told(null, "yes", "stop"));
    }

    @Test
    void shouldCancelWithinAStepWhileTheModelThinks() throws IOException {
        try (TestServer slow = TestServer.builder()
                .reasoningParser("qwen3")
                .replies(prompt -> new ByteTokenizer().encode("<think>" + "x".repeat(2_000), false))
                .start()) {
            slow.engine().hold();
            try (RawClient client = new RawClient(slow.port())) {
                client.post(
                        "/v1/chat/completions",
                        "{'model':'test-model','stream':true,'stream_reasoning':false,'guided_choice':['a'],"
                                + "'n':2,'messages':[{'role':'user','content':'hi'}]}");
                slow.engine().allow(20);
                Eventually.until("twenty steps ran", () -> slow.engine().stepsRun() == 20);
            }
            Eventually.until(
                    "the connection is gone", () -> slow.get("/metrics").body().contains("jeton_connections 1.0"));
            slow.engine().allow(100);
            Eventually.until(
                    "it was cancelled", () -> slow.get("/metrics").body().contains("outcome=\"cancelled\""));
            assertThat(slow.engine().stepsRun()).isLessThanOrEqualTo(22);
        }
    }

    @Test
    void shouldKeepToItselfWhatTokensOfThinkingWere() {
        String fields = "'logprobs':true,'include_reasoning':false";
        for (String reply : List.of(THOUGHT, " <think>why</think>so", "so")) {
            assertThat(tokensTold(ask(reply, fields).at("choices.0.logprobs.content")))
                    .isEqualTo("so");
            assertThat(ask(reply, fields + ",'stream':true").events().stream()
                            .map(event -> tokensTold(Answer.at(event, "choices.0.logprobs.content")))
                            .collect(Collectors.joining()))
                    .isEqualTo("so");
        }
        assertThat(tokensTold(ask("<thi", fields).at("choices.0.logprobs.content")))
                .isEqualTo("<thi");
        assertThat(tokensTold(ask(THOUGHT, fields + ",'max_tokens':10").at("choices.0.logprobs.content")))
                .isEmpty();
    }

    private static String tokensTold(Object scores) {
        return scores instanceof List<?> all
                ? all.stream().map(score -> (String) Answer.at(score, "token")).collect(Collectors.joining())
                : "";
    }

    private static Told special(TestServer of, String fields) {
        Answer answer = of.chat(fields);
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return Told.ofWhole(answer);
    }

    @Test
    void shouldFindThinkingWhoseMarksAreSpecialTokens() {
        ByteTokenizer tokenizer = new ByteTokenizer();
        int[] reply = List.of("[THINK]", "h\u00e9", "[TOOL_CALLS]", "m", "[/THINK]", "\nno").stream()
                .flatMapToInt(part -> tokenizer.id(part) >= ByteTokenizer.EOS
                        ? IntStream.of(tokenizer.id(part))
                        : IntStream.of(tokenizer.encode(part, false)))
                .toArray();
        try (TestServer mistral = TestServer.builder()
                .reasoningParser("mistral")
                .toolCallParser("mistral")
                .replies(prompt -> reply)
                .start()) {
            Told told = new Told("h\u00e9m", "no", "stop");
            assertThat(special(mistral, "")).isEqualTo(told);
            assertThat(special(mistral, TOOLS)).isEqualTo(told);
            assertThat(special(mistral, "'guided_choice':['no']")).isEqualTo(told);
            assertThat(special(mistral, "'skip_special_tokens':false"))
                    .isEqualTo(new Told("h\u00e9[TOOL_CALLS]m", "no", "stop"));
            assertThat(Told.ofStream(mistral.chat("'stream':true," + TOOLS))).isEqualTo(told);
            assertThat(mistral.chat("'thinking_token_budget':2,'max_tokens':50").at("choices.0.message.reasoning"))
                    .isEqualTo("h\u00e9");
        }
    }

    @Test
    void shouldGiveATemplateWhatTheModelThoughtBefore() {
        try (TestServer echo = TestServer.builder()
                .template(new JinjaTemplate(TEMPLATE, Map.of(), Clock.systemUTC()))
                .replies(prompt -> prompt)
                .start()) {
            for (String name : List.of("reasoning", "reasoning_content")) {
                String messages = "[{'role':'user','content':'a'},{'role':'assistant','content':null,'" + name
                        + "':'hm'},{'role':'user','content':'b'}]";
                Answer answer = echo.post("/v1/chat/completions", "{'model':'test-model','messages':" + messages + "}");
                assertThat(answer.at("choices.0.message.content")).isEqualTo("a (hm|hm) b ");
            }
        }
    }

    private static void refused(String body, String field) {
        Answer answer = server.post("/v1/chat/completions", body);
        assertThat(answer.status()).as(answer.body()).isEqualTo(400);
        assertThat(answer.at("error.param")).isEqualTo(field);
    }

    @Test
    void shouldRefuseWhatMeansNothing() {
        String start = "{'model':'test-model','messages':[{'role':'user','content':'a'}";
        refused(start + "],'reasoning_effort':'huge'}", "reasoning_effort");
        refused(start + "],'include_reasoning':1}", "include_reasoning");
        refused(start + "],'include_reasoning':false,'separate_reasoning':false}", "separate_reasoning");
        refused(start + "],'thinking_token_budget':-1}", "thinking_token_budget");
        refused(start + ",{'role':'assistant','content':'b','reasoning':{'text':'x'}}]}", "messages[1].reasoning");
        refused(
                start + ",{'role':'assistant','content':'b','reasoning':'x','reasoning_content':'y'}]}",
                "messages[1].reasoning");
    }

    @Test
    void shouldRefuseABudgetWhereItIsNotKnownHowTheModelThinks() {
        try (TestServer plain = TestServer.start()) {
            Answer answer = plain.chat("'thinking_token_budget':5");
            assertThat(answer.status()).isEqualTo(400);
            assertThat(answer.at("error.param")).isEqualTo("thinking_token_budget");
            assertThat(plain.chat("'include_reasoning':false").at("choices.0.message.content"))
                    .isEqualTo(TestServer.REPLY);
            assertThat(plain.chat("").body()).doesNotContain("reasoning");
            assertThat(plain.complete("'thinking_token_budget':5").at("error.param"))
                    .isEqualTo("thinking_token_budget");
        }
    }

    @Test
    void shouldStreamWhatAWholeAnswerHas() {
        List<String> pieces =
                List.of("<think>", "</think>", "</", "<", "\n", " ", "\u00e9", "text", CALL, "\ud83d\ude00");
        for (int seed = 0; seed < 60; seed++) {
            Random random = new Random(seed);
            StringBuilder reply = new StringBuilder(random.nextBoolean() ? "<think>" : "");
            int count = random.nextInt(10);
            for (int i = 0; i < count; i++) {
                reply.append(pieces.get(random.nextInt(pieces.size())));
            }
            String fields = List.of("'stop':'x'", "'stop':'k>'", "'max_tokens':20", "'stream_reasoning':false", TOOLS)
                    .get(random.nextInt(5));
            Told whole = Told.ofWhole(ask(reply.toString(), fields));
            Told streamed = Told.ofStream(ask(reply.toString(), fields + ",'stream':true"));
            assertThat(streamed).as("seed %d: '%s' %s", seed, reply, fields).isEqualTo(whole.withoutNulls());
        }
    }
}
