package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.template.JinjaTemplate;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** OpenAI's harmony format over HTTP: of a model that answers what a test says. */
class HarmonyTest {

    /** Ends where a request says, mostly behind the role. */
    private static final String TEMPLATE =
            "{% for m in messages %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>"
                    + "{% endfor %}<|start|>assistant{% if begun is defined %}<|channel|>{{ begun }}<|message|>{% endif %}";

    private static final String TOOLS =
            "'tools':[{'type':'function','function':{'name':'f','parameters':{'type':'object',"
                    + "'properties':{'n':{'type':'integer'}},'required':['n'],'additionalProperties':false}}},"
                    + "{'type':'function','function':{'name':'g'}}]";

    private static final String THOUGHT = "<|channel|>analysis<|message|>why<|end|>";
    private static final String FINAL = "<|start|>assistant<|channel|>final<|message|>so<|return|>";
    private static final String CALL =
            "<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"n\": 1}<|call|>";

    private static final AtomicReference<String> REPLY = new AtomicReference<>("");
    private static TestServer server;

    @BeforeAll
    static void start() {
        server = server("auto", "auto");
    }

    private static TestServer server(String tools, String reasoning) {
        return TestServer.builder()
                .template(new JinjaTemplate(TEMPLATE, Map.of(), Clock.systemUTC()))
                .tokenizer(ByteTokenizer.marking())
                .reasoningParser(reasoning)
                .toolCallParser(tools)
                .replies(prompt -> ByteTokenizer.marking().encode(REPLY.get(), false))
                .start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    /** What a client makes of an answer; null where it has none. */
    private record Told(Object reasoning, Object content, Object reason, String calls) {

        Told(Object reasoning, Object content, Object reason) {
            this(reasoning, content, reason, "");
        }

        static Told ofWhole(Answer answer) {
            StringBuilder calls = new StringBuilder();
            if (answer.at("choices.0.message.tool_calls") instanceof List<?> list) {
                list.forEach(call ->
                        calls.append(Answer.at(call, "function.name")).append(Answer.at(call, "function.arguments")));
            }
            return new Told(
                    answer.at("choices.0.message.reasoning_content"),
                    answer.at("choices.0.message.content"),
                    answer.at("choices.0.finish_reason"),
                    calls.toString());
        }

        static Told ofStream(Answer answer) {
            StringBuilder calls = new StringBuilder();
            for (Object event : answer.events()) {
                if (Answer.at(event, "choices.0.delta.tool_calls") instanceof List<?> list) {
                    for (Object call : list) {
                        Object name = Answer.at(call, "function.name");
                        calls.append(name == null ? "" : name).append(Answer.at(call, "function.arguments"));
                    }
                }
            }
            return new Told(
                    answer.streamed("choices.0.delta.reasoning_content", 0),
                    answer.streamed("choices.0.delta.content", 0),
                    Answer.at(answer.events().getLast(), "choices.0.finish_reason"),
                    calls.toString());
        }

        Told withoutNulls() {
            return new Told(reasoning == null ? "" : reasoning, content == null ? "" : content, reason, calls);
        }
    }

    private static Answer ask(TestServer of, String reply, String fields) {
        REPLY.set(reply);
        Answer answer = of.chat(fields);
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        assertThat(answer.body()).doesNotContain("<|start|>", "<|channel|>", "<|message|>", "<|end|>");
        return answer;
    }

    private static String and(String fields, String more) {
        return fields.isEmpty() ? more : fields + "," + more;
    }

    /** The same of a whole answer and of a stream. */
    private static Told told(TestServer of, String reply, String fields) {
        Told whole = Told.ofWhole(ask(of, reply, fields));
        assertThat(Told.ofStream(ask(of, reply, and(fields, "'stream':true")))).isEqualTo(whole.withoutNulls());
        return whole;
    }

    private static Told told(String reply, String fields) {
        return told(server, reply, fields);
    }

    @Test
    void shouldTellThinkingApartFromTheAnswer() {
        assertThat(told(THOUGHT + FINAL, "")).isEqualTo(new Told("why", "so", "stop"));
        assertThat(told("<|channel|>final<|message|>so<|return|>", "")).isEqualTo(new Told(null, "so", "stop"));
    }

    @Test
    void shouldTellCalls() {
        assertThat(told(THOUGHT + CALL, TOOLS)).isEqualTo(new Told("why", null, "tool_calls", "f{\"n\": 1}"));
        String early = "<|start|>assistant to=functions.g<|channel|>commentary json<|message|>{}<|call|>";
        assertThat(told(THOUGHT + early, TOOLS)).isEqualTo(new Told("why", null, "tool_calls", "g{}"));
        assertThat(told(THOUGHT + early.replace("functions.", ""), TOOLS))
                .isEqualTo(new Told("why", null, "tool_calls", "g{}"));
    }

    @Test
    void shouldShowAPreambleBeforeItsCall() {
        String preamble = "<|start|>assistant<|channel|>commentary<|message|>Let me see.<|end|>";
        assertThat(told(THOUGHT + preamble + CALL, TOOLS))
                .isEqualTo(new Told("why", "Let me see.", "tool_calls", "f{\"n\": 1}"));
        assertThat(told(THOUGHT + preamble + FINAL, TOOLS)).isEqualTo(new Told("why", "Let me see.\n\nso", "stop"));
    }

    @Test
    void shouldShowCallsAsTextWhereThereAreNoTools() {
        assertThat(told(THOUGHT + CALL, "")).isEqualTo(new Told("why", "to=functions.f {\"n\": 1}", "stop"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"<|return|>", "<|call|>"})
    void shouldEndAnAnswerWithEitherMarkWhateverTheModelsFilesSay(String end) {
        assertThat(told("<|channel|>final<|message|>so" + end + "more", "")).isEqualTo(new Told(null, "so", "stop"));
    }

    @Test
    void shouldTellWhatThereIsWhereverTheAnswerEnds() {
        assertThat(told(THOUGHT + FINAL, "'max_tokens':2")).isEqualTo(new Told(null, "", "length"));
        assertThat(told(THOUGHT + FINAL, "'max_tokens':12")).isEqualTo(new Told("wh", null, "length"));
        int cut = ByteTokenizer.marking().encode(THOUGHT + CALL, false).length - "\": 1}".length() - 1;
        assertThat(told(THOUGHT + CALL, TOOLS + ",'max_tokens':" + cut))
                .isEqualTo(new Told("why", null, "length", "f{\"n"));
        assertThat(told("plain text", "")).isEqualTo(new Told(null, "plain text", "stop"));
    }

    @Test
    void shouldLookForStopStringsInTextsAndNotInHeaders() {
        assertThat(told(THOUGHT + FINAL, "'stop':'y'")).isEqualTo(new Told("wh", null, "stop"));
        assertThat(told(THOUGHT + FINAL, "'stop':['analysis','final','assistant']"))
                .isEqualTo(new Told("why", "so", "stop"));
        assertThat(told(THOUGHT + FINAL, "'stop':['o']")).isEqualTo(new Told("why", "s", "stop"));
    }

    @Test
    void shouldGoOnWhereThePromptHasEnded() {
        assertThat(told("why<|end|>" + FINAL, "'chat_template_kwargs':{'begun':'analysis'}"))
                .isEqualTo(new Told("why", "so", "stop"));
        assertThat(told("so", "'chat_template_kwargs':{'begun':'final'}")).isEqualTo(new Told(null, "so", "stop"));
    }

    @Test
    void shouldCountTokensOfThinkingWithTheirMarks() {
        int thought = "analysis".length() + "why".length() + 3;
        Answer answer = ask(server, THOUGHT + FINAL, "'n':2");
        assertThat(answer.at("usage.completion_tokens_details.reasoning_tokens"))
                .isEqualTo(2L * thought);
        assertThat(answer.at("usage.completion_tokens"))
                .isEqualTo(2L * ByteTokenizer.marking().encode(THOUGHT + FINAL, false).length);
        String later = "<|channel|>commentary<|message|>a<|end|><|start|>assistant" + THOUGHT + FINAL;
        assertThat(ask(server, later, "").at("usage.completion_tokens_details.reasoning_tokens"))
                .isEqualTo((long) thought + 1 + "<|start|>assistant".length() - "<|start|>".length() + 1);
        assertThat(PrometheusText.parse(server.get("/metrics").body())
                        .value("jeton_tokens_reasoning_total{model=\"test-model\"}"))
                .isPositive();
    }

    @Test
    void shouldLeaveThinkingOutOrInTheContentWhereThatIsAskedFor() {
        assertThat(told(THOUGHT + FINAL, "'include_reasoning':false")).isEqualTo(new Told(null, "so", "stop"));
        assertThat(told(THOUGHT + FINAL, "'separate_reasoning':false")).isEqualTo(new Told(null, "why\n\nso", "stop"));
        assertThat(told(THOUGHT + CALL, TOOLS + ",'separate_reasoning':false"))
                .isEqualTo(new Told(null, "why", "tool_calls", "f{\"n\": 1}"));
        assertThat(told(THOUGHT + FINAL, "'stream_reasoning':false")).isEqualTo(new Told("why", "so", "stop"));
    }

    @Test
    void shouldGiveLogProbabilitiesOfEveryTokenButOfHiddenThinking() {
        int all = ByteTokenizer.marking().encode(THOUGHT + FINAL, false).length - 1;
        REPLY.set(THOUGHT + FINAL);
        assertThat((List<?>) server.chat("'logprobs':true").at("choices.0.logprobs.content"))
                .hasSize(all);
        String told = ((List<?>)
                        server.chat("'logprobs':true,'include_reasoning':false").at("choices.0.logprobs.content"))
                .stream().map(score -> (String) Answer.at(score, "token")).collect(Collectors.joining());
        assertThat(told).doesNotContain("why").endsWith("so");
    }

    @Test
    void shouldGiveLogProbabilitiesOfAnAnswerWhoseHeaderNeverEnded() {
        REPLY.set(THOUGHT + "<|start|>assistant<|channel|>final so");
        Answer answer = server.chat("'logprobs':true,'include_reasoning':false");
        assertThat(answer.at("choices.0.message.content")).isEqualTo("so");
        assertThat(((List<?>) answer.at("choices.0.logprobs.content"))
                        .stream().map(score -> (String) Answer.at(score, "token")))
                .endsWith("s", "o")
                .doesNotContain("w");
    }

    @Test
    void shouldReadAnswersAsOneFormatWhereOnlyOneSettingSaysSo() {
        try (TestServer calls = server("openai", "none")) {
            assertThat(told(calls, THOUGHT + CALL, TOOLS))
                    .isEqualTo(new Told(null, "why", "tool_calls", "f{\"n\": 1}"));
            assertThat(told(calls, THOUGHT + FINAL, "")).isEqualTo(new Told(null, "why\n\nso", "stop"));
        }
        try (TestServer thinks = server("none", "openai_gptoss")) {
            assertThat(told(thinks, THOUGHT + CALL, TOOLS))
                    .isEqualTo(new Told("why", "to=functions.f {\"n\": 1}", "stop"));
        }
        try (TestServer neither = server("none", "none")) {
            REPLY.set(THOUGHT + "<|start|>assistant<|channel|>final<|message|>so");
            assertThat(neither.chat("").at("choices.0.message.content")).isEqualTo("analysiswhyassistantfinalso");
        }
    }

    @Test
    void shouldFindMarksThatAreShownAsText() {
        assertThat(told(THOUGHT + CALL, TOOLS + ",'skip_special_tokens':false"))
                .isEqualTo(new Told("why", null, "tool_calls", "f{\"n\": 1}"));
    }

    @Test
    void shouldHoldOnlyTheAnswerToWhatItMustBe() {
        String choice = "'guided_choice':['yes','no'],'max_tokens':200";
        String no = "<|start|>assistant<|channel|>final<|message|>no<|return|>";
        assertThat(told(THOUGHT + no, choice)).isEqualTo(new Told("why", "no", "stop"));
        assertThat(told(THOUGHT + FINAL, choice).content()).isIn("yes", "no");
        assertThat(told("<|channel|>final<|message|>maybe<|return|>", choice).content())
                .isIn("yes", "no");
        assertThat(told("maybe<|return|>", choice + ",'chat_template_kwargs':{'begun':'final'}"))
                .isEqualTo(new Told(null, "no", "stop"));
        String json = "'response_format':{'type':'json_schema','json_schema':{'name':'a','schema':{'type':'object',"
                + "'properties':{'n':{'type':'integer'}},'required':['n'],'additionalProperties':false}}}";
        String good = "<|start|>assistant<|channel|>final <|constrain|>json<|message|>{\"n\": 1}<|return|>";
        assertThat(told(THOUGHT + THOUGHT.replace("<|channel|>", "<|start|>assistant<|channel|>") + good, json))
                .isEqualTo(new Told("why\n\nwhy", "{\"n\": 1}", "stop"));
        assertThat(told(THOUGHT + CALL, and(json, TOOLS)))
                .isEqualTo(new Told("why", null, "tool_calls", "f{\"n\": 1}"));
    }

    @Test
    void shouldCallWhatMustBeCalledAfterItsThinking() {
        assertThat(told(THOUGHT + CALL, TOOLS + ",'tool_choice':'required'"))
                .isEqualTo(new Told("why", null, "tool_calls", "f{\"n\": 1}"));
        String wrong = CALL.replace("{\"n\": 1}", "{\"x\": 1}");
        Told held = told(THOUGHT + wrong, TOOLS + ",'tool_choice':'required','max_tokens':300");
        assertThat(held.calls()).matches("f\\{\\s*\"n\": ?-?[0-9]+}");
        String named = TOOLS + ",'tool_choice':{'type':'function','function':{'name':'g'}},'max_tokens':300";
        assertThat(told(THOUGHT + CALL, named).calls()).startsWith("g{");
    }

    @Test
    void shouldHoldCallsOfStrictFunctionsFromTheirHeadersOn() {
        String strict = TOOLS.replace("'name':'f',", "'name':'f','strict':true,") + ",'max_tokens':300";
        for (String header : List.of(
                "<|channel|>commentary to=functions.f <|constrain|>json<|message|>",
                "<|channel|>commentary to=f <|constrain|>json<|message|>",
                " to=functions.f<|channel|>commentary json<|message|>")) {
            Told held = told(THOUGHT + "<|start|>assistant" + header + "{\"x\": 1}<|call|>", strict);
            assertThat(held.calls()).matches("f\\{\\s*\"n\": ?-?[0-9]+}");
            assertThat(held.reason()).isEqualTo("tool_calls");
        }
        String talk = "<|channel|>analysis<|message|>to=functions.f x {}<|end|>";
        assertThat(told(talk + FINAL, strict)).isEqualTo(new Told("to=functions.f x {}", "so", "stop"));
        String other = "<|start|>assistant<|channel|>commentary to=functions.g<|message|>{\"x\": 1}<|call|>";
        assertThat(told(THOUGHT + other, strict)).isEqualTo(new Told("why", null, "tool_calls", "g{\"x\": 1}"));
    }

    @Test
    void shouldEndThinkingWhereItsBudgetIsSpent() {
        String deep = "<|channel|>analysis<|message|>abcdefghijklmno<|end|>";
        String budget = "'thinking_token_budget':4,'max_tokens':200";
        assertThat(told(deep + FINAL, budget).reasoning()).isEqualTo("abcd");
        Told held = told(deep + FINAL, budget + ",'guided_choice':['yes']");
        assertThat(held).isEqualTo(new Told("abcd", "yes", "stop"));
        assertThat(told(deep, "'thinking_token_budget':0,'guided_choice':['yes'],'max_tokens':99"))
                .isEqualTo(new Told(null, "yes", "stop"));
    }

    @Test
    void shouldFollowTagsInTheAnswer() {
        String tags = "'max_tokens':200,'structured_outputs':{'structural_tag':{'format':{'type':'triggered_tags',"
                + "'triggers':['<x'],'tags':[{'begin':'<x>','content':{'type':'regex','pattern':'a'},'end':'</x>'}]}}}";
        String talk = THOUGHT.replace("why", "<x>b</x>");
        String answer = FINAL.replace("so<", "one <x>b</x> two<");
        assertThat(told(talk + answer, tags).reasoning()).isEqualTo("<x>b</x>");
        assertThat((String) told(talk + answer, tags).content()).startsWith("one <x>a</x>");
        assertThat((String) told(talk + answer, and(tags, TOOLS)).content()).startsWith("one <x>a</x>");
        assertThat(told(talk + CALL, and(tags, TOOLS)).calls()).isEqualTo("f{\"n\": 1}");
        assertThat((String) told(
                                answer.replaceFirst(".*<.message.>", ""),
                                and(tags, "'chat_template_kwargs':{'begun':'final'}"))
                        .content())
                .startsWith("one <x>a</x>");
    }

    @Test
    void shouldKnowNothingOfChannelsInCompletions() {
        REPLY.set(THOUGHT + FINAL);
        assertThat(server.complete("").at("choices.0.text")).isEqualTo("analysiswhyassistantfinalso");
    }

    @Test
    void shouldStreamWhatAWholeAnswerHas() {
        List<String> pieces = List.of(
                "<|start|>",
                "<|channel|>",
                "<|message|>",
                "<|end|>",
                "<|constrain|>",
                "analysis",
                "final",
                "commentary",
                "assistant",
                " to=functions.f",
                "{\"n\": 2}",
                "\n",
                " ",
                "h\u00e9",
                "<|start|>assistant<|channel|>");
        for (int seed = 0; seed < 60; seed++) {
            Random random = new Random(seed);
            List<String> reply = new ArrayList<>();
            int count = random.nextInt(14);
            for (int i = 0; i < count; i++) {
                reply.add(pieces.get(random.nextInt(pieces.size())));
            }
            String fields = List.of("'stop':'x'", "'stop':'al'", "'max_tokens':30", "'include_reasoning':false", TOOLS)
                    .get(random.nextInt(5));
            String text = String.join("", reply);
            REPLY.set(text);
            Told whole = Told.ofWhole(server.chat(fields));
            Told streamed = Told.ofStream(server.chat(fields + ",'stream':true"));
            assertThat(streamed).as("seed %d: '%s' %s", seed, text, fields).isEqualTo(whole.withoutNulls());
        }
    }
}
