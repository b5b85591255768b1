package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.config.Tenant;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Responses that are stored, and what goes on from them. The model answers with its prompt, or the text after say:. */
class StoredResponsesTest {

    private TestServer server = TestServer.start();

    @AfterEach
    void stop() {
        server.close();
    }

    private void restart(TestServer.Builder builder) {
        server.close();
        server = builder.start();
    }

    private Answer ask(String fields) {
        return server.post("/v1/responses", "{'model':'test-model'," + fields + "}");
    }

    private static String id(Answer answer) {
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return (String) answer.at("id");
    }

    private Answer delete(String path) {
        return server.send(server.request(path).DELETE());
    }

    @Test
    void shouldGiveAResponseAgainAsItWas() {
        Answer asked = ask("'input':'say:hello'");
        Answer found = server.get("/v1/responses/" + id(asked));
        assertThat(found.status()).isEqualTo(200);
        assertThat(found.body()).isEqualTo(asked.body());
    }

    @Test
    void shouldGiveAStreamedResponseAgainAsItEnded() {
        Object last = ask("'input':'say:hello','stream':true").events().getLast();
        assertThat(server.get("/v1/responses/" + Answer.at(last, "response.id")).at("output"))
                .isEqualTo(Answer.at(last, "response.output"));
    }

    @Test
    void shouldPutEarlierItemsInFrontAndNotEarlierInstructions() {
        restart(TestServer.builder().replies(prompt -> prompt));
        Answer first = ask("'input':'a','instructions':'old'");
        Answer second = ask("'input':[{'role':'user','content':'b'}],'instructions':'new','previous_response_id':'"
                + id(first) + "'");
        assertThat(second.at("output.0.content.0.text"))
                .isEqualTo("system: new\nuser: a\nassistant: system: old\nuser: a\nassistant: \nuser: b\nassistant: ");
        Answer third = ask("'input':'c','stop':'c','previous_response_id':'" + id(second) + "'");
        assertThat(third.at("output.0.content.0.text"))
                .asString()
                .startsWith("user: a\nassistant: ")
                .contains("user: b\nassistant: system: new")
                .endsWith("user: ");
    }

    @Test
    void shouldGoOnFromAResponseWhenThoseBeforeItAreDeleted() {
        String first = id(ask("'input':'one'"));
        String second = id(ask("'input':'two','previous_response_id':'" + first + "'"));
        assertThat(delete("/v1/responses/" + first).status()).isEqualTo(200);
        Answer third = ask("'input':'three','previous_response_id':'" + second + "'");
        assertThat((Long) third.at("usage.input_tokens"))
                .isEqualTo(("user: one\nuser: two\nuser: three\nassistant: ").length()
                        + 2L * ("assistant: \n" + TestServer.REPLY).getBytes(StandardCharsets.UTF_8).length);
    }

    @Test
    void shouldGoOnFromAResponseWithManyLogProbabilities() {
        restart(TestServer.builder().replies(prompt -> "x".repeat(2_000).chars().toArray()));
        Answer first = ask("'input':'hi','include':['message.output_text.logprobs'],'top_logprobs':20");
        assertThat((List<?>) first.at("output.0.content.0.logprobs")).hasSize(2_000);
        assertThat((List<?>) server.get("/v1/responses/" + id(first)).at("output.0.content.0.logprobs"))
                .hasSize(2_000);
        Answer second = ask("'input':'more','max_output_tokens':1,'previous_response_id':'" + id(first) + "'");
        assertThat((Long) second.at("usage.input_tokens")).isGreaterThan(2_000);
    }

    @Test
    void shouldForgetADeletedResponse() {
        String id = id(ask("'input':'hi'"));
        Answer deleted = delete("/v1/responses/" + id);
        assertThat(deleted.at("id")).isEqualTo(id);
        assertThat(deleted.at("object")).isEqualTo("response");
        assertThat(deleted.at("deleted")).isEqualTo(true);
        assertThat(server.get("/v1/responses/" + id).status()).isEqualTo(404);
        assertThat(delete("/v1/responses/" + id).at("error.code")).isEqualTo("response_not_found");
        assertThat(server.get("/metrics").body()).contains("jeton_responses_bytes 0.0");
    }

    @Test
    void shouldStoreNothingWhereARequestSaysSo() {
        String id = id(ask("'input':'hi','store':false"));
        assertThat(server.get("/v1/responses/" + id).status()).isEqualTo(404);
        assertThat(ask("'input':'hi','previous_response_id':'" + id + "'").at("error.code"))
                .isEqualTo("previous_response_not_found");
    }

    @Test
    void shouldStoreNothingWhereTheServerDoesNot() {
        restart(TestServer.builder().set("responses.store", "false"));
        Answer asked = ask("'input':'hi'");
        assertThat(asked.at("store")).isEqualTo(false);
        Answer found = server.get("/v1/responses/" + id(asked));
        assertThat(found.status()).isEqualTo(404);
        assertThat(found.at("error.message")).asString().contains("responses.store");
        Answer explicit = ask("'input':'hi','store':true");
        assertThat(explicit.status()).isEqualTo(400);
        assertThat(explicit.at("error.param")).isEqualTo("store");
        Answer previous = ask("'input':'hi','previous_response_id':'" + asked.at("id") + "'");
        assertThat(previous.at("error.param")).isEqualTo("previous_response_id");
        assertThat(previous.at("error.message")).asString().contains("in 'input'");
    }

    @Test
    void shouldTakeReferencesToStoredItems() {
        restart(TestServer.builder().replies(prompt -> prompt));
        Answer first = ask("'input':'a','stop':'user'");
        String item = (String) first.at("output.0.id");
        Answer second = ask("'input':[{'role':'user','content':'q'},{'type':'item_reference','id':'" + item
                + "'},{'role':'user','content':'b'}]");
        assertThat(second.at("output.0.content.0.text")).isEqualTo("user: q\nassistant: \nuser: b\nassistant: ");
    }

    @Test
    void shouldListTheItemsThatAResponseWasAskedWith() {
        String id = id(ask("'input':[{'role':'user','content':'a'},{'role':'assistant','content':'b'},"
                + "{'id':'mine','role':'user','content':[{'type':'input_text','text':'c'}]}]"));
        Answer newest = server.get("/v1/responses/" + id + "/input_items?limit=2");
        assertThat(newest.at("object")).isEqualTo("list");
        assertThat(newest.at("data.0.id")).isEqualTo("mine");
        assertThat(newest.at("data.1.content.0"))
                .isEqualTo(Map.of("type", "output_text", "text", "b", "annotations", List.of()));
        assertThat(newest.at("has_more")).isEqualTo(true);
        Answer rest = server.get("/v1/responses/" + id + "/input_items?after=" + newest.at("last_id"));
        assertThat(rest.at("data.0.content.0.text")).isEqualTo("a");
        assertThat(rest.at("data.0.type")).isEqualTo("message");
        assertThat(rest.at("has_more")).isEqualTo(false);
        Answer oldest = server.get("/v1/responses/" + id + "/input_items?order=asc&limit=1");
        assertThat(oldest.at("data.0.content.0.text")).isEqualTo("a");
        assertThat(server.get("/v1/responses/" + id + "/input_items?limit=0").status())
                .isEqualTo(400);
        assertThat(server.get("/v1/responses/" + id + "/input_items?after=x").at("error.param"))
                .isEqualTo("after");
    }

    @Test
    void shouldCancelNothingThatHasEnded() {
        String id = id(ask("'input':'hi'"));
        assertThat(server.post("/v1/responses/" + id + "/cancel", "").status()).isEqualTo(400);
        assertThat(server.post("/v1/responses/resp_x/cancel", "").status()).isEqualTo(404);
    }

    @Test
    void shouldStreamNothingASecondTime() {
        String id = id(ask("'input':'hi'"));
        assertThat(server.get("/v1/responses/" + id + "?stream=true").at("error.param"))
                .isEqualTo("stream");
        assertThat(server.get("/v1/responses/" + id + "?stream=false").status()).isEqualTo(200);
    }

    @Test
    void shouldGiveEachResponseAnIdOfItsOwnWhereRequestsShareOne() {
        HttpRequest.Builder request = server.request("/v1/responses")
                .header("x-request-id", "mine")
                .POST(BodyPublishers.ofString("{\"model\":\"test-model\",\"input\":\"hi\"}"));
        String first = id(server.send(request));
        assertThat(first).startsWith("resp_mine_");
        assertThat(id(server.send(request))).isNotEqualTo(first);
    }

    @Test
    void shouldGoOnFromACallWithItsResult() {
        String call = "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>";
        restart(TestServer.builder().toolCallParser("hermes"));
        Answer first =
                ask("'input':'say:look " + call.replace("\"", "\\\"") + "','tools':[{'type':'function','name':'f'}]");
        assertThat(first.at("output.1.type")).as(first.body()).isEqualTo("function_call");
        Answer second = ask(
                "'previous_response_id':'" + id(first) + "','input':[{'type':'function_call_output'," + "'call_id':'"
                        + first.at("output.1.call_id") + "','output':[{'type':'input_text','text':'say:ok'}]}]");
        assertThat(second.at("output.0.content.0.text")).isEqualTo("ok");
    }

    private static final String PROJECTS = """
            tenants:
              - id: red
                projects: [one, two]
                keys: [{id: a, sha256: "%s", project: one}, {id: b, sha256: "%s", project: two}]
            """.formatted(Tenant.Key.digest("key-a"), Tenant.Key.digest("key-b"));

    @Test
    void shouldShowAResponseToItsProjectOnly() {
        restart(TestServer.builder().yaml(PROJECTS));
        Answer asked = server.send(server.request("/v1/responses")
                .header("authorization", "Bearer key-a")
                .POST(BodyPublishers.ofString("{\"model\":\"test-model\",\"input\":\"hi\"}")));
        String path = "/v1/responses/" + id(asked);
        assertThat(server.send(server.request(path)
                                .header("authorization", "Bearer key-a")
                                .GET())
                        .status())
                .isEqualTo(200);
        assertThat(server.send(server.request(path)
                                .header("authorization", "Bearer key-b")
                                .GET())
                        .status())
                .isEqualTo(404);
    }
}
