package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.json.Json;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import dev.jeton.server.testing.TwoTenants;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Responses of a model that answers with its prompt, so that a test sees what became of the items. */
class ResponsesTest {

    private static final String TOOLS = "'tools':[{'type':'function','name':'f','description':'F'},"
            + "{'type':'function','name':'g','parameters':{'type':'object'},'strict':true}]";

    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .contextLength(600)
                .toolCallParser("hermes")
                .replies(prompt -> prompt)
                .start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static Answer ask(String fields) {
        Answer answer = server.post("/v1/responses", "{'model':'test-model'," + fields + "}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return answer;
    }

    private static Object text(String fields) {
        return ask(fields).at("output.0.content.0.text");
    }

    @Test
    void shouldAnswerInOpenAisShape() {
        Answer answer = ask("'input':'hi'");
        assertThat(answer.at("id")).asString().startsWith("resp_");
        assertThat(answer.at("object")).isEqualTo("response");
        assertThat(answer.at("created_at")).isInstanceOf(Long.class);
        assertThat(answer.at("completed_at")).isInstanceOf(Long.class);
        assertThat(answer.at("status")).isEqualTo("completed");
        assertThat(answer.at("model")).isEqualTo("test-model");
        assertThat(answer.at("output.0"))
                .isEqualTo(Map.of(
                        "id",
                        "msg_" + answer.at("id").toString().substring(5) + "_0",
                        "type",
                        "message",
                        "role",
                        "assistant",
                        "status",
                        "completed",
                        "content",
                        List.of(Map.of(
                                "type",
                                "output_text",
                                "text",
                                "user: hi\nassistant: ",
                                "annotations",
                                List.of(),
                                "logprobs",
                                List.of()))));
        assertThat(answer.at("usage.input_tokens")).isEqualTo(20L);
        assertThat(answer.at("usage.output_tokens")).isEqualTo(21L);
        assertThat(answer.at("usage.total_tokens")).isEqualTo(41L);
        assertThat(answer.at("usage.input_tokens_details.cached_tokens")).isInstanceOf(Long.class);
        assertThat(answer.at("usage.output_tokens_details.reasoning_tokens")).isEqualTo(0L);
        assertThat(answer.at("usage.jeton.decode_ms")).isNotNull();
        assertThat(answer.body()).contains("\"error\":null", "\"incomplete_details\":null");
    }

    @Test
    void shouldRepeatWhatItWasAskedWithAndSayWhatItTook() {
        Answer usual = ask("'input':'hi'");
        assertThat(usual.at("parallel_tool_calls")).isEqualTo(true);
        assertThat(usual.at("tool_choice")).isEqualTo("auto");
        assertThat(usual.at("tools")).isEqualTo(List.of());
        assertThat(usual.at("temperature")).isEqualTo(1.0);
        assertThat(usual.at("top_p")).isEqualTo(1.0);
        assertThat(usual.at("text.format.type")).isEqualTo("text");
        assertThat(usual.at("truncation")).isEqualTo("disabled");
        assertThat(usual.at("metadata")).isEqualTo(Map.of());
        assertThat(usual.at("store")).isEqualTo(true);
        assertThat(usual.at("service_tier")).isEqualTo("default");
        Answer special = ask("'input':'hi','temperature':0.5,'top_p':0.25,'max_output_tokens':30,'store':false,"
                + "'service_tier':'flex','user':'u','safety_identifier':'s','prompt_cache_key':'k','max_tool_calls':3,"
                + "'metadata':{'a':'b'},'truncation':'auto','text':{'verbosity':'low'},'parallel_tool_calls':false,"
                + "'reasoning':{'summary':'auto'},'instructions':'be'," + TOOLS);
        assertThat(special.at("temperature")).isEqualTo(0.5);
        assertThat(special.at("top_p")).isEqualTo(0.25);
        assertThat(special.at("max_output_tokens")).isEqualTo(30L);
        assertThat(special.at("store")).isEqualTo(false);
        assertThat(special.at("service_tier")).isEqualTo("flex");
        assertThat(special.at("user")).isEqualTo("u");
        assertThat(special.at("safety_identifier")).isEqualTo("s");
        assertThat(special.at("prompt_cache_key")).isEqualTo("k");
        assertThat(special.at("max_tool_calls")).isEqualTo(3L);
        assertThat(special.at("metadata")).isEqualTo(Map.of("a", "b"));
        assertThat(special.at("truncation")).isEqualTo("auto");
        assertThat(special.at("text.verbosity")).isEqualTo("low");
        assertThat(special.at("parallel_tool_calls")).isEqualTo(false);
        assertThat(special.at("reasoning.summary")).isEqualTo("auto");
        assertThat(special.at("instructions")).isEqualTo("be");
        assertThat(special.at("tools.0.name")).isEqualTo("f");
        assertThat(special.at("tools.0.strict")).isEqualTo(true);
        assertThat(special.at("tools.1.strict")).isEqualTo(true);
    }

    @Test
    void shouldPutInstructionsInFront() {
        assertThat(text("'input':'hi','instructions':'be kind'")).isEqualTo("system: be kind\nuser: hi\nassistant: ");
    }

    @Test
    void shouldTakeMessagesOfEveryRoleAndPartsOfText() {
        assertThat(text("'input':[{'role':'developer','content':'d'},{'type':'message','role':'user','content':["
                        + "{'type':'input_text','text':'a'},{'type':'input_text','text':'b'}]},"
                        + "{'type':'message','id':'msg_1','status':'completed','role':'assistant','content':["
                        + "{'type':'output_text','text':'c','annotations':[]},{'type':'refusal','refusal':'no'}]},"
                        + "{'role':'user','content':'e'}]"))
                .isEqualTo("system: d\nuser: a\nb\nassistant: c\nno\nuser: e\nassistant: ");
    }

    @Test
    void shouldAnswerIncompletelyWhereItsTokensAreSpent() {
        Answer answer = ask("'input':'hi','max_output_tokens':4");
        assertThat(answer.at("status")).isEqualTo("incomplete");
        assertThat(answer.at("incomplete_details.reason")).isEqualTo("max_output_tokens");
        assertThat(answer.at("output.0.status")).isEqualTo("incomplete");
        assertThat(answer.at("output.0.content.0.text")).isEqualTo("user");
        assertThat(answer.at("completed_at")).isNull();
        assertThat(answer.at("jeton")).isNull();
    }

    @Test
    void shouldShowToolsAsChatsDo() {
        Answer chat = server.chat("'tools':[{'type':'function','function':{'name':'f','description':'F'}},"
                + "{'type':'function','function':{'name':'g','parameters':{'type':'object'},'strict':true}}]");
        assertThat(text("'input':'hi'," + TOOLS)).isEqualTo(chat.at("choices.0.message.content"));
    }

    @Test
    void shouldShowAllowedToolsOnly() {
        assertThat(
                        text(
                                "'input':'hi'," + TOOLS
                                        + ",'tool_choice':{'type':'allowed_tools','mode':'auto','tools':[{'type':'function','name':'g'}]}"))
                .asString()
                .contains("name=g")
                .doesNotContain("name=f");
    }

    @Test
    void shouldHoldTheModelToTheFunctionThatIsNamed() {
        Answer answer =
                ask("'input':'hi'," + TOOLS + ",'tool_choice':{'type':'function','name':'g'},'max_output_tokens':200");
        assertThat(answer.at("output.0.type")).isEqualTo("function_call");
        assertThat(answer.at("output.0.name")).isEqualTo("g");
        assertThat(answer.at("output.0.call_id")).asString().startsWith("call_");
        assertThat(answer.at("output.0.id")).asString().startsWith("fc_");
        assertThat(answer.at("tool_choice.name")).isEqualTo("g");
    }

    @Test
    void shouldHoldTheTextToASchema() {
        Object text = text("'input':'hi','text':{'format':{'type':'json_schema','name':'n','strict':true,'schema':"
                + "{'type':'object','properties':{'a':{'const':1}},'required':['a'],"
                + "'additionalProperties':false}}}");
        assertThat(Json.parse((String) text)).isEqualTo(Map.of("a", 1L));
        assertThat(text("'input':'hi','text':{'format':{'type':'json_object'}},'max_output_tokens':50"))
                .asString()
                .matches("\\s*\\{[\\s\\S]*");
        assertThat(text("'input':'hi','guided_choice':['yes','no']")).isIn("yes", "no");
    }

    @Test
    void shouldTakeWhatVllmAndChatsTakeBeside() {
        assertThat(text("'input':'hi','stop':['assistant'],'top_k':5,'seed':3,'min_p':0.1,'ignore_eos':false"))
                .isEqualTo("user: hi\n");
        assertThat(text("'input':'hi','chat_template_kwargs':{'x':1}")).isEqualTo("user: hi\nx=1\nassistant: ");
    }

    @Test
    void shouldBePartOfATaskAndBookedUnderTheRequestsId(@TempDir Path books) {
        try (TestServer booked = TwoTenants.in(books).start()) {
            Answer answer = booked.send(booked.request("/v1/responses")
                    .header("authorization", "Bearer " + TwoTenants.RED)
                    .header("x-request-id", "mine")
                    .POST(BodyPublishers.ofString("""
                            {"model": "test-model", "input": "hi", "max_output_tokens": 5, "service_tier": "flex",
                             "metadata": {"task": "t-1", "route": "web"}}""")));
            assertThat(answer.at("usage.jeton.task")).isEqualTo("t-1");
            assertThat(answer.at("usage.jeton.cost.list")).isNotNull();
            assertThat(answer.header("x-jeton-cost")).isNotEmpty();
            TwoTenants.awaitBooked(booked, 1);
            Answer row = TwoTenants.get(booked, TwoTenants.RED, "/v1/books/requests/mine");
            assertThat(row.at("tokens.output")).isEqualTo(5L);
            assertThat(row.at("work")).isEqualTo("batch");
            assertThat(row.at("task")).isEqualTo("t-1");
            assertThat(row.at("outcome")).isEqualTo("completed");
        }
    }

    @Test
    void shouldGiveLogProbabilitiesOfItsText() {
        Answer answer = ask("'input':'hi','include':['message.output_text.logprobs'],'top_logprobs':1,'stop':'hi'");
        assertThat((List<?>) answer.at("output.0.content.0.logprobs")).hasSize("user: ".length());
        assertThat(answer.at("output.0.content.0.logprobs.0.token")).isEqualTo("u");
        assertThat(answer.at("output.0.content.0.logprobs.0.top_logprobs.0.token"))
                .isEqualTo("u");
    }

    @Test
    void shouldLeaveTheOldestTurnsOutOfWhatIsTooLong() {
        String turns = "'input':[{'role':'system','content':'s'},{'role':'user','content':'" + "a".repeat(300)
                + "'},{'role':'assistant','content':'x'},{'role':'user','content':'" + "b".repeat(300)
                + "'},{'role':'assistant','content':'y'},{'role':'user','content':'c'}],'max_output_tokens':";
        assertThat(text(turns + "50,'truncation':'auto'")).isEqualTo("system: s\nuser: " + "b".repeat(34));
    }

    @Test
    void shouldKeepAllThatFits() {
        assertThat(text("'input':[{'role':'user','content':'a'},{'role':'assistant','content':'b'},"
                        + "{'role':'user','content':'c'}],'truncation':'auto'"))
                .isEqualTo("user: a\nassistant: b\nuser: c\nassistant: ");
    }

    @Test
    void shouldRefuseALastTurnThatIsTooLong() {
        for (String truncation : List.of("auto", "disabled")) {
            Answer answer = server.post(
                    "/v1/responses",
                    "{'model':'test-model','input':'" + "a".repeat(700) + "','truncation':'" + truncation + "'}");
            assertThat(answer.status()).isEqualTo(400);
            assertThat(answer.at("error.code")).isEqualTo("context_length_exceeded");
            assertThat(answer.at("error.param")).isEqualTo("input");
        }
    }

    @Test
    void shouldAnswerARepetitionWithTheSameResponse() {
        String body = "{\"model\":\"test-model\",\"input\":\"hi\",\"stream\":true}";
        List<String> bodies = List.of(0, 1).stream()
                .map(i -> server.send(server.request("/v1/responses")
                        .header("idempotency-key", "response")
                        .POST(BodyPublishers.ofString(body))))
                .map(Answer::body)
                .toList();
        assertThat(bodies.get(0)).contains("response.completed");
        assertThat(bodies.get(1)).isEqualTo(bodies.get(0));
    }

    @Test
    void shouldCountTheTokensOfAnInputHoweverLong() {
        Answer counted = server.post("/v1/responses/input_tokens", "{'input':'hi','instructions':'be'}");
        assertThat(counted.at("object")).isEqualTo("response.input_tokens");
        assertThat(counted.at("input_tokens")).isEqualTo(31L);
        assertThat(server.post("/v1/responses/input_tokens", "{'input':'" + "a".repeat(700) + "'}")
                        .at("input_tokens"))
                .isEqualTo(718L);
        assertThat(server.post("/v1/responses/input_tokens", "{'input':5}").status())
                .isEqualTo(400);
    }

    @Test
    void shouldEstimateAResponse(@TempDir Path books) {
        Answer estimate;
        try (TestServer booked =
                TestServer.builder().set("books.folder", books.toString()).start()) {
            estimate = booked.post("/v1/estimate", "{'model':'test-model','input':'hi','max_output_tokens':5}");
        }
        assertThat(estimate.at("tokens.prompt")).isEqualTo(20L);
        assertThat(estimate.at("tokens.max_completion")).isEqualTo(5L);
    }

    @Test
    void shouldBeCountedUnderItsName() {
        ask("'input':'hi'");
        // counted once an answer is sent, which its client may have by then
        Eventually.until(
                "it is counted",
                () -> server.get("/metrics")
                        .body()
                        .contains("jeton_requests_total{endpoint=\"responses\",model=\"test-model\",outcome=\"ok\"}"));
    }
}
