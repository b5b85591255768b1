package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import dev.jeton.server.testing.TwoTenants;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Messages of a model that answers what a test says, or its prompt. */
class MessagesTest {

    private static final String HI = "'messages':[{'role':'user','content':'hi'}]";
    private static final String TOOLS = "'tools':[{'name':'f','input_schema':{'type':'object'}}]";
    private static final String CALL = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>";

    private static final AtomicReference<String> REPLY = new AtomicReference<>("");
    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .toolCallParser("hermes")
                .contextLength(1_024)
                .replies(prompt -> REPLY.get().equals("echo") ? prompt : new ByteTokenizer().encode(REPLY.get(), false))
                .start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static Answer post(String reply, String fields) {
        REPLY.set(reply);
        return server.post("/v1/messages", "{'model':'test-model'," + fields + "}");
    }

    private static Answer ask(String reply, String fields) {
        Answer answer = post(reply, "'max_tokens':500," + fields);
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return answer;
    }

    /** What the template made of a request. */
    private static String prompt(String fields) {
        return (String) ask("echo", fields).at("content.0.text");
    }

    @Test
    void shouldAnswerWithAMessage() {
        Answer answer = ask("h\u00e9llo", HI);
        assertThat(answer.at("id")).asString().startsWith("msg_" + answer.header("request-id"));
        assertThat(answer.at("type")).isEqualTo("message");
        assertThat(answer.at("role")).isEqualTo("assistant");
        assertThat(answer.at("model")).isEqualTo("test-model");
        assertThat(answer.at("content")).isEqualTo(List.of(Map.of("type", "text", "text", "h\u00e9llo")));
        assertThat(answer.at("stop_reason")).isEqualTo("end_turn");
        assertThat(answer.body()).contains("\"stop_sequence\":null");
        assertThat(answer.at("usage.output_tokens")).isEqualTo(7L);
        assertThat(answer.at("usage.cache_creation_input_tokens")).isEqualTo(0L);
        assertThat(answer.at("usage.service_tier")).isEqualTo("standard");
        assertThat(answer.at("usage.jeton.total_ms")).isNotNull();
    }

    @Test
    void shouldTellWhatWasCachedApart() {
        String text = "'messages':[{'role':'user','content':'" + "cached ".repeat(40) + "'}]";
        Answer first = ask("a", text);
        Answer second = ask("a", text);
        assertThat(first.at("usage.cache_read_input_tokens")).isEqualTo(0L);
        long cached = (Long) second.at("usage.cache_read_input_tokens");
        assertThat(cached).isPositive();
        assertThat(cached + (Long) second.at("usage.input_tokens")).isEqualTo(first.at("usage.input_tokens"));
    }

    @Test
    void shouldPutTheSystemPromptInFront() {
        assertThat(prompt("'system':'be brief'," + HI)).isEqualTo("system: be brief\nuser: hi\nassistant: ");
        assertThat(prompt("'system':[{'type':'text','text':'x-anthropic-billing-header: cch=1'},"
                        + "{'type':'text','text':'a','cache_control':{'type':'ephemeral'}},"
                        + "{'type':'text','text':'b'}]," + HI))
                .isEqualTo("system: a\nb\nuser: hi\nassistant: ");
    }

    @Test
    void shouldMakeOneTurnOfMessagesOfOneRole() {
        assertThat(prompt("'messages':[{'role':'user','content':'a'},"
                        + "{'role':'user','content':[{'type':'text','text':'b'},{'type':'text','text':'c'}]},"
                        + "{'role':'assistant','content':'d'},{'role':'assistant','content':[{'type':'text','text':'e'}]},"
                        + "{'role':'user','content':'f'}]"))
                .isEqualTo("user: a\nb\nc\nassistant: d\ne\nuser: f\nassistant: ");
    }

    @Test
    void shouldKeepWhatComesFromTheSystemLaterWhereItCame() {
        assertThat(prompt("'system':'a','messages':[{'role':'system','content':'b'},{'role':'user','content':'c'},"
                        + "{'role':'assistant','content':'d'},{'role':'system','content':'e'},"
                        + "{'role':'user','content':'f'}]"))
                .isEqualTo("system: a\nb\nuser: c\nassistant: d\nuser: e\nf\nassistant: ");
    }

    @Test
    void shouldCallATool() {
        Answer answer = ask("I look.\n" + CALL, HI + "," + TOOLS);
        assertThat(answer.at("content.0.text")).asString().startsWith("I look.");
        assertThat(answer.at("content.1.type")).isEqualTo("tool_use");
        assertThat(answer.at("content.1.name")).isEqualTo("f");
        assertThat(answer.at("content.1.id")).asString().isNotEmpty();
        assertThat(answer.at("content.1.input")).isEqualTo(Map.of("a", 1L));
        assertThat(answer.at("stop_reason")).isEqualTo("tool_use");
    }

    @Test
    void shouldShowTheTemplateAToolAsChatsDo() {
        String tool = "'tools':[{'name':'f','description':'d','type':'custom','cache_control':{'type':'ephemeral'},"
                + "'input_schema':{'type':'object','properties':{'a':{'type':'integer'}}}}]";
        String ofMessages = prompt(HI + "," + tool);
        REPLY.set("echo");
        Answer chat =
                server.chat("'max_tokens':500,'tools':[{'type':'function','function':{'name':'f','description':'d',"
                        + "'parameters':{'type':'object','properties':{'a':{'type':'integer'}}}}}]");
        assertThat(ofMessages).isEqualTo(chat.at("choices.0.message.content"));
    }

    @Test
    void shouldGoOnAfterATool() {
        Answer call = ask(CALL, HI + "," + TOOLS);
        String asked = "{'role':'user','content':'hi'},{'role':'assistant','content':" + "[{'type':'tool_use','id':'"
                + call.at("content.0.id") + "','name':'f','input':{'a':1}}]}";
        assertThat(prompt("'messages':[" + asked + ",{'role':'user','content':[{'type':'text','text':'and?'},"
                        + "{'type':'tool_result','tool_use_id':'" + call.at("content.0.id") + "','content':"
                        + "[{'type':'text','text':'5'},{'type':'text','text':'6'}]}]}]"))
                .endsWith("tool: 5\n6\nuser: and?\nassistant: ");
        assertThat(prompt("'messages':[" + asked + ",{'role':'user','content':[{'type':'tool_result','is_error':true,"
                        + "'tool_use_id':'" + call.at("content.0.id") + "','content':'no'}]}]"))
                .endsWith("tool: Error: no\nassistant: ");
        assertThat(prompt("'messages':[" + asked + ",{'role':'user','content':[{'type':'tool_result',"
                        + "'tool_use_id':'" + call.at("content.0.id") + "'}]}]"))
                .endsWith("tool: \nassistant: ");
    }

    @Test
    void shouldWrapArgumentsThatAreNoObject() {
        Answer cut = post(CALL, "'max_tokens':45," + HI + "," + TOOLS);
        assertThat(cut.at("stop_reason")).isEqualTo("max_tokens");
        assertThat(cut.at("content.0.input.INVALID_JSON")).asString().startsWith("{");
    }

    @Test
    void shouldEndWithItsFirstCallWhereOneIsWanted() {
        String choice = ",'tool_choice':{'type':'auto','disable_parallel_tool_use':true}";
        assertThat((List<?>) ask(CALL + CALL, HI + "," + TOOLS + choice).at("content"))
                .hasSize(1);
        assertThat((List<?>) ask(CALL + CALL, HI + "," + TOOLS).at("content")).hasSize(2);
    }

    @Test
    void shouldShowNoToolsWhereNoneMayBeCalled() {
        assertThat(prompt(HI + "," + TOOLS + ",'tool_choice':{'type':'none'}")).isEqualTo("user: hi\nassistant: ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{'type':'any'}", "{'type':'tool','name':'f'}"})
    void shouldHoldTheModelToCalls(String choice) {
        Answer answer = ask("no call", HI + "," + TOOLS + ",'tool_choice':" + choice);
        assertThat(answer.at("content.0.type")).isEqualTo("tool_use");
        assertThat(answer.at("content.0.name")).isEqualTo("f");
        assertThat(answer.at("stop_reason")).isIn("tool_use", "max_tokens");
    }

    @Test
    void shouldTellWhichStopSequenceEndedIt() {
        Answer answer = ask("one two three", HI + ",'stop_sequences':['thr','two']");
        assertThat(answer.at("content.0.text")).isEqualTo("one ");
        assertThat(answer.at("stop_reason")).isEqualTo("stop_sequence");
        assertThat(answer.at("stop_sequence")).isEqualTo("two");
        assertThat(ask("one", HI + ",'stop_sequences':['two']").at("stop_reason"))
                .isEqualTo("end_turn");
    }

    @Test
    void shouldEndWhereItsTokensAreSpent() {
        Answer answer = post("hello", "'max_tokens':3," + HI);
        assertThat(answer.at("content.0.text")).isEqualTo("hel");
        assertThat(answer.at("stop_reason")).isEqualTo("max_tokens");
        assertThat(answer.at("usage.output_tokens")).isEqualTo(3L);
    }

    @Test
    void shouldEndWhereTheContextDoes() {
        Answer answer = post("x".repeat(2_000), "'max_tokens':32000," + HI);
        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.at("stop_reason")).isEqualTo("model_context_window_exceeded");
        assertThat((Long) answer.at("usage.input_tokens")
                        + (Long) answer.at("usage.cache_read_input_tokens")
                        + (Long) answer.at("usage.output_tokens"))
                .isEqualTo(1_024L);
        assertThat(post("short", "'max_tokens':32000," + HI).at("stop_reason")).isEqualTo("end_turn");
    }

    @Test
    void shouldOnlyFillTheCacheWhereNoTokensAreWanted() {
        String text = "'messages':[{'role':'user','content':'" + "warm ".repeat(50) + "'}]";
        Answer answer = post("hello", "'max_tokens':0," + text);
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        assertThat(answer.at("stop_reason")).isEqualTo("max_tokens");
        assertThat(answer.at("usage.output_tokens")).isEqualTo(0L);
        assertThat((Long) ask("hello", text).at("usage.cache_read_input_tokens"))
                .isPositive();
    }

    @Test
    void shouldSayInWordsThatAgentsKnowThatAPromptIsTooLong() {
        for (int length : new int[] {1_010, 1_100, 100_000}) {
            Answer answer =
                    post("a", "'max_tokens':5,'messages':[{'role':'user','content':'" + "x".repeat(length) + "'}]");
            assertThat(answer.status()).isEqualTo(400);
            assertThat(answer.at("error.type")).isEqualTo("invalid_request_error");
            assertThat(answer.at("error.message")).asString().startsWith("prompt is too long: ");
        }
    }

    @Test
    void shouldAnswerWhatAFormatSays() {
        String schema = "{'type':'json_schema','schema':{'enum':['yes','no']}}";
        assertThat(ask("x", HI + ",'output_config':{'format':" + schema + "}").at("content.0.text"))
                .isIn("\"yes\"", "\"no\"");
        assertThat(ask("x", HI + ",'output_format':" + schema).at("content.0.text"))
                .isIn("\"yes\"", "\"no\"");
    }

    @ParameterizedTest
    @ValueSource(strings = {"auto", "standard_only", "flex"})
    void shouldTellItsTierInAnthropicsWords(String tier) {
        assertThat(ask("a", HI + ",'service_tier':'" + tier + "'").at("usage.service_tier"))
                .isEqualTo(tier.equals("flex") ? "batch" : "standard");
    }

    @Test
    void shouldPassOverWhatBetasHave() {
        REPLY.set("hello");
        Answer answer = server.send(server.request("/v1/messages?beta=true")
                .header("anthropic-version", "2023-06-01")
                .header("anthropic-beta", "context-management-2025-06-27,interleaved-thinking-2025-05-14")
                .POST(BodyPublishers.ofString(("{'model':'test-model','max_tokens':50," + HI
                                + ",'context_management':{'edits':[{'type':'clear_thinking_20251015','keep':'all'}]},"
                                + "'metadata':{'user_id':'u'},'cache_control':{'type':'ephemeral'},'speed':'standard',"
                                + "'diagnostics':{'previous_message_id':null},'mcp_servers':[],'fallbacks':[]}")
                        .replace('\'', '"'))));
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
    }

    @Test
    void shouldGoOnWithAnAnswerThatIsBegun() {
        String begun = "'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'user: b  '}]";
        assertThat(prompt(begun)).isEqualTo("user: a\nassistant: user: b");
        assertThat(ask(" and more", begun).at("content.0.text")).isEqualTo(" and more");
        Answer count = server.post("/v1/messages/count_tokens", "{'model':'test-model'," + begun + "}");
        assertThat(count.at("input_tokens")).isEqualTo((long) "user: a\nassistant: user: b".length());
    }

    @Test
    void shouldNotHoldAnAnswerThatIsBegunToAFormat() {
        Answer answer = post(
                "x",
                "'max_tokens':5,'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b'}],"
                        + "'output_config':{'format':{'type':'json_schema','schema':{}}}");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.at("jeton.param")).isEqualTo("output_config.format.schema");
    }

    @Test
    void shouldCountTheTokensThatAMessageHas() {
        for (String fields : List.of(
                HI,
                HI + "," + TOOLS,
                HI + "," + TOOLS + ",'tool_choice':{'type':'none'}",
                HI + ",'thinking':{'type':'enabled','budget_tokens':1024}",
                "'system':'be brief','messages':[{'role':'user','content':[{'type':'text','text':'h\u00e9'}]}]")) {
            Answer count = server.post("/v1/messages/count_tokens", "{'model':'test-model'," + fields + "}");
            assertThat(count.status()).as(count.body()).isEqualTo(200);
            Answer whole = ask("a", fields);
            assertThat((Long) whole.at("usage.input_tokens") + (Long) whole.at("usage.cache_read_input_tokens"))
                    .isEqualTo(count.at("input_tokens"));
        }
    }

    @Test
    void shouldCountTokensThatTheContextHasNoRoomFor() {
        Answer count = server.post(
                "/v1/messages/count_tokens",
                "{'model':'test-model','messages':[{'role':'user','content':'" + "x".repeat(1_024) + "'}]}");
        assertThat((Long) count.at("input_tokens")).isGreaterThan(1_024L);
    }

    @Test
    void shouldGiveTheSameAnswerAgainUnderOneIdempotencyKey() {
        REPLY.set("once");
        String body = ("{'model':'test-model','max_tokens':50,'stream':true," + HI + "}").replace('\'', '"');
        Answer first = server.send(
                server.request("/v1/messages").header("idempotency-key", "k1").POST(BodyPublishers.ofString(body)));
        Answer second = server.send(
                server.request("/v1/messages").header("idempotency-key", "k1").POST(BodyPublishers.ofString(body)));
        assertThat(second.body()).isEqualTo(first.body());
        assertThat(second.header("x-jeton-replayed")).isEqualTo("true");
    }

    @Test
    void shouldTakeWhatCodingAgentsSend() {
        REPLY.set("done");
        Answer answer = server.send(server.request("/v1/messages?beta=true")
                .header("anthropic-version", "2023-06-01")
                .header("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14")
                .POST(BodyPublishers.ofString("""
                        {"model": "test-model", "max_tokens": 32000, "stream": true, "temperature": 1,
                         "system": [{"type": "text", "text": "x-anthropic-billing-header: cc_version=2; cch=1;"},
                          {"type": "text", "text": "You code.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
                         "messages": [{"role": "user", "content": [
                          {"type": "text", "text": "<system-reminder>be kind</system-reminder>"},
                          {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]},
                          {"role": "system", "content": "Mind the date."}],
                         "tools": [{"name": "Bash", "description": "runs", "eager_input_streaming": true,
                          "input_schema": {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
                           "properties": {"command": {"type": "string"}}, "required": ["command"],
                           "additionalProperties": false}}],
                         "thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"},
                         "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
                         "metadata": {"user_id": "{\\"device_id\\":\\"d\\",\\"session_id\\":\\"s\\"}"}}""")));
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        assertThat(StreamedMessage.content(answer).getFirst().get("text")).isEqualTo("done");
    }

    @Test
    void shouldBePartOfATaskAndBookedUnderTheRequestsId(@TempDir Path books) {
        try (TestServer booked = TwoTenants.in(books).start()) {
            Answer answer = booked.send(booked.request("/v1/messages")
                    .header("x-api-key", TwoTenants.RED)
                    .header("x-request-id", "mine")
                    .POST(BodyPublishers.ofString("""
                            {"model": "test-model", "max_tokens": 5, "service_tier": "flex",
                             "messages": [{"role": "user", "content": "hi"}],
                             "metadata": {"task": "t-1", "route": "web", "user_id": "u"}}""")));
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
    void shouldBeCountedUnderItsName() {
        ask("a", HI);
        Eventually.until(
                "it is counted",
                () -> server.get("/metrics")
                        .body()
                        .contains("jeton_requests_total{endpoint=\"messages\",model=\"test-model\",outcome=\"ok\"}"));
    }
}
