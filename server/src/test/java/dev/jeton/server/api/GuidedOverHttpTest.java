package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.json.Json;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Answers that must be something, of an engine that would say something else. */
class GuidedOverHttpTest {

    private static final String SCHEMA =
            "{'type':'object','properties':{'name':{'type':'string'},'age':{'type':'integer','minimum':10}},"
                    + "'required':['name','age'],'additionalProperties':false}";
    private static final String FORMAT =
            "'response_format':{'type':'json_schema','json_schema':{'name':'person','strict':true,'schema':" + SCHEMA
                    + "}}";

    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static double metric(TestServer of, String name) {
        return PrometheusText.parse(of.get("/metrics").body()).value(name);
    }

    private static String content(String fields) {
        Answer answer = server.chat(fields);
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        assertThat(answer.at("choices.0.finish_reason")).isEqualTo("stop");
        return (String) answer.at("choices.0.message.content");
    }

    @Test
    void shouldAnswerWithAnObject() {
        assertThat(Json.parse(content("'response_format':{'type':'json_object'}")))
                .isInstanceOf(Map.class);
    }

    @Test
    void shouldAnswerWithWhatASchemaAllows() {
        Map<?, ?> person = (Map<?, ?>) Json.parse(content(FORMAT));
        assertThat(person.get("name")).isInstanceOf(String.class);
        assertThat((Long) person.get("age")).isGreaterThanOrEqualTo(10);
    }

    @Test
    void shouldAnswerAnythingWhereTextIsAskedFor() {
        assertThat(content("'response_format':{'type':'text'}")).isEqualTo(TestServer.REPLY);
    }

    @Test
    void shouldEndWithoutATokenForTheEnd() {
        Answer answer = server.chat("'guided_choice':['yes']");
        assertThat(answer.at("choices.0.message.content")).isEqualTo("yes");
        assertThat(answer.at("usage.completion_tokens")).isEqualTo(3L);
        assertThat(answer.at("choices.0.finish_reason")).isEqualTo("stop");
    }

    @Test
    void shouldTakeTheNamesOfOtherServers() {
        assertThat(content("'structured_outputs':{'choice':['no']}")).isEqualTo("no");
        assertThat(content("'structured_outputs':{'regex':'[0-9]{3}'}")).isEqualTo("000");
        assertThat(content("'structured_outputs':{'json_object':true}").strip()).startsWith("{");
        assertThat(content("'guided_regex':'a{2}b'")).isEqualTo("aab");
        assertThat(content("'guided_json':{'const':5}")).endsWith("5");
        assertThat(content("'guided_json':'{\\\"const\\\":5}'")).endsWith("5");
    }

    @Test
    void shouldAnswerWithATextOfAGrammar() {
        String grammar = "'root ::= list\\nlist ::= \\\"(\\\" list \\\")\\\" | [x-z]{2} \\\".\\\"'";
        for (String name : new String[] {"guided_grammar", "ebnf", "grammar"}) {
            assertThat(content("'" + name + "':" + grammar)).as(name).matches("\\(*[x-z]{2}\\.\\)*");
        }
        String fields = "'structured_outputs':{'grammar':" + grammar + "}";
        String whole = content(fields);
        assertThat(whole).matches("\\(*[x-z]{2}\\.\\)*");
        Answer streamed = server.chat("'stream':true," + fields);
        assertThat(streamed.streamed("choices.0.delta.content", 0)).isEqualTo(whole);
    }

    @Test
    void shouldTakeAGrammarOfLark() {
        assertThat(content("'guided_grammar':'?start: pair\\npair: WORD \\\"=\\\" WORD\\nWORD: /[xy]{2}/'"))
                .matches("[xy]{2}=[xy]{2}");
    }

    @Test
    void shouldFollowAGrammarInAllApis() {
        String grammar = "'guided_grammar':'root ::= \\\"yes\\\" | \\\"no\\\"'";
        Answer completion =
                server.post("/v1/completions", "{'model':'test-model','prompt':'a','max_tokens':9," + grammar + "}");
        assertThat(completion.at("choices.0.text")).isIn("yes", "no");
        Answer response = server.post("/v1/responses", "{'model':'test-model','input':'a'," + grammar + "}");
        assertThat(response.at("output.0.content.0.text")).isIn("yes", "no");
        Answer message = server.post(
                "/v1/messages",
                "{'model':'test-model','max_tokens':9,'messages':[{'role':'user','content':'hi'}]," + grammar + "}");
        assertThat(message.at("content.0.text")).isIn("yes", "no");
    }

    @Test
    void shouldGuideEachChoiceAndEachPrompt() {
        Answer answer = server.post(
                "/v1/completions",
                "{'model':'test-model','prompt':['a','b'],'n':2,'max_tokens':9,'guided_choice':['x','yz']}");
        for (int i = 0; i < 4; i++) {
            assertThat(answer.at("choices." + i + ".text")).isEqualTo("x");
        }
    }

    @Test
    void shouldStreamWhatItAnswersWhole() {
        String whole = content(FORMAT);
        Answer streamed = server.chat("'stream':true," + FORMAT);
        assertThat(streamed.streamed("choices.0.delta.content", 0)).isEqualTo(whole);
    }

    @Test
    void shouldStopAtTheLengthWhereTheTextIsNotWhole() {
        Answer answer = server.chat("'max_tokens':4," + FORMAT);
        assertThat(answer.at("choices.0.finish_reason")).isEqualTo("length");
        assertThat(answer.at("usage.completion_tokens")).isEqualTo(4L);
    }

    @Test
    void shouldCompileASchemaOnce() {
        String schema = "'guided_json':{'const':'shouldCompileASchemaOnce'}";
        content(schema);
        double compiled = metric(server, "jeton_grammar_compiled_total");
        double found = metric(server, "jeton_grammar_found_total");
        content(schema);
        assertThat(metric(server, "jeton_grammar_compiled_total")).isEqualTo(compiled);
        assertThat(metric(server, "jeton_grammar_found_total")).isEqualTo(found + 1);
    }

    @Test
    void shouldFindOutOnceThatASchemaCannotBeFollowed() {
        String schema = "'guided_json':{'not':{'const':'shouldFindOutOnce'}}";
        assertThat(server.chat(schema).status()).isEqualTo(400);
        double refused = metric(server, "jeton_grammar_refused_total");
        Answer again = server.chat(schema);
        assertThat(again.status()).isEqualTo(400);
        assertThat(again.body()).contains("'not' cannot be enforced");
        assertThat(metric(server, "jeton_grammar_refused_total")).isEqualTo(refused);
    }

    @Test
    void shouldLetGoOfAGrammarHoweverItsRequestEnds() {
        content("'guided_choice':['ends']");
        try (TestServer held = TestServer.builder().sequences(1).waiting(1).start()) {
            held.engine().hold();
            CompletableFuture<Answer> first =
                    CompletableFuture.supplyAsync(() -> held.chat("'guided_choice':['first']"));
            CompletableFuture<Answer> second = CompletableFuture.supplyAsync(() -> {
                Eventually.until("the first is there", () -> metric(held, "jeton_grammar_used") == 1);
                return held.chat("'guided_choice':['second'],'stream':true");
            });
            Eventually.until("two are followed", () -> metric(held, "jeton_grammar_used") == 2);
            Eventually.until(
                    "there is no room",
                    () -> held.chat("'guided_choice':['third']").status() == 429);
            assertThat(metric(held, "jeton_grammar_used")).isEqualTo(2);
            held.engine().release();
            assertThat(first.join().status()).isEqualTo(200);
            assertThat(second.join().status()).isEqualTo(200);
            Eventually.until("none is followed", () -> metric(held, "jeton_grammar_used") == 0);
        }
        assertThat(metric(server, "jeton_grammar_used")).isZero();
    }

    @Test
    void shouldLetGoOfAGrammarWhereItsClientHangsUp() throws IOException {
        try (TestServer held = TestServer.start()) {
            held.engine().hold();
            try (RawClient client = new RawClient(held.port())) {
                client.post(
                        "/v1/chat/completions",
                        "{\"model\":\"test-model\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
                                + "\"guided_choice\":[\"x\"]}");
                Eventually.until("it is followed", () -> metric(held, "jeton_grammar_used") == 1);
            }
            held.engine().release();
            Eventually.until("none is followed", () -> metric(held, "jeton_grammar_used") == 0);
        }
    }

    @Test
    void shouldRefuseASchemaPastTheBound() {
        try (TestServer small =
                TestServer.builder().set("limits.max-schema", "64").start()) {
            Answer answer = small.chat("'guided_regex':'" + "a".repeat(80) + "'");
            assertThat(answer.status()).isEqualTo(400);
            assertThat(answer.at("error.param")).isEqualTo("guided_regex");
            assertThat(answer.body()).contains("limits.max-schema");
        }
    }

    @Test
    void shouldRefuseMoreSchemasThanThereIsMemoryFor() {
        try (TestServer small =
                TestServer.builder().set("limits.grammar-memory", "0").start()) {
            small.engine().hold();
            CompletableFuture<Answer> first =
                    CompletableFuture.supplyAsync(() -> small.chat("'guided_choice':['first']"));
            Eventually.until("it is compiled", () -> metric(small, "jeton_grammar_compiled_total") == 1);
            Answer second = small.chat("'guided_choice':['second']");
            assertThat(second.status()).isEqualTo(429);
            assertThat(second.body()).contains("limits.grammar-memory");
            small.engine().release();
            assertThat(first.join().at("choices.0.message.content")).isEqualTo("first");
            assertThat(small.chat("'guided_choice':['third']").at("choices.0.message.content"))
                    .isEqualTo("third");
        }
    }
}
