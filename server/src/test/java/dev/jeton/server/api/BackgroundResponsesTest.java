package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import dev.jeton.server.testing.TwoTenants;
import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BackgroundResponsesTest {

    private static final String PATH = "/v1/responses";

    private TestServer server;

    @BeforeEach
    void start() {
        server = TestServer.builder().set("responses.max-background", "8").start();
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private static String body(String text, String fields) {
        return "{'model':'test-model','input':'say:%s','background':true%s}".formatted(text, fields);
    }

    private Answer begin(String text, String fields) {
        Answer answer = server.post(PATH, body(text, fields));
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return answer;
    }

    private Answer get(Object id) {
        return server.get(PATH + "/" + id);
    }

    private Answer ended(Object id) {
        Eventually.until(
                "the response has ended",
                () -> !List.of("queued", "in_progress").contains(get(id).at("status")));
        return get(id);
    }

    @Test
    void answersAtOnceAndMakesTheResponseMeanwhile() {
        server.engine().hold();
        Answer queued = begin("later", "");
        assertThat(queued.at("status")).isEqualTo("queued");
        assertThat(queued.at("background")).isEqualTo(true);
        assertThat(get(queued.at("id")).at("status")).isEqualTo("queued");
        assertThat(server.get("/metrics").body()).contains("jeton_responses_background 1.0");
        server.engine().allow(2);
        Eventually.until(
                "it has begun", () -> "in_progress".equals(get(queued.at("id")).at("status")));
        server.engine().release();

        Answer end = ended(queued.at("id"));

        assertThat(end.at("status")).isEqualTo("completed");
        assertThat(end.at("output.0.content.0.text")).isEqualTo("later");
        assertThat(end.at("usage.output_tokens")).isEqualTo(6L);
        Eventually.until(
                "it is none in the background any more",
                () -> server.get("/metrics").body().contains("jeton_responses_background 0.0"));
    }

    @Test
    void goesOnFromAResponseThatWasMadeInTheBackground() {
        Object id = begin("one", "").at("id");
        ended(id);
        Answer next =
                server.post(PATH, "{'model':'test-model','input':'say:two','previous_response_id':'%s'}".formatted(id));
        assertThat(next.at("output.0.content.0.text")).isEqualTo("two");
        assertThat(get(id + "/input_items").at("data.0.content.0.text")).isEqualTo("say:one");
    }

    @Test
    void saysAtOnceWhatIsWrong() {
        assertThat(server.post(PATH, body("x", ",'temperature':-1")).status()).isEqualTo(400);
        assertThat(server.post(PATH, body("x", ",'model':'none'").replace("'model':'test-model',", ""))
                        .status())
                .isEqualTo(404);
        Answer unstored = server.post(PATH, body("x", ",'store':false"));
        assertThat(unstored.status()).isEqualTo(400);
        assertThat(unstored.at("error.param")).isEqualTo("background");
    }

    @Test
    void cancelsOneThatIsMade() {
        server.engine().hold();
        Object id = begin("long", ",'ignore_eos':true,'min_tokens':3000").at("id");
        server.engine().allow(4);
        Eventually.until("it has begun", () -> "in_progress".equals(get(id).at("status")));
        CompletableFuture<Answer> cancelled =
                CompletableFuture.supplyAsync(() -> server.post(PATH + "/" + id + "/cancel", ""));
        Eventually.until("it is cancelled", () -> {
            server.engine().allow(1);
            return cancelled.isDone();
        });
        server.engine().release();
        assertThat(cancelled.join().at("status")).isEqualTo("cancelled");
        assertThat(get(id).at("status")).isEqualTo("cancelled");
        assertThat(server.post(PATH + "/" + id + "/cancel", "").at("status"))
                .as("once more changes nothing")
                .isEqualTo("cancelled");
        Eventually.until(
                "nothing is computed any more",
                () -> server.get("/metrics").body().contains("jeton_sequences_running{model=\"test-model\"} 0.0"));
    }

    @Test
    void cancelsNoneThatSomebodyWaitsFor() {
        Object id = server.post(PATH, "{'model':'test-model','input':'hi'}").at("id");
        assertThat(server.post(PATH + "/" + id + "/cancel", "").status()).isEqualTo(400);
        assertThat(server.post(PATH + "/resp_none/cancel", "").status()).isEqualTo(404);
    }

    @Test
    void deletesOneOnceItHasEnded() {
        server.engine().hold();
        Object id = begin("x", "").at("id");
        Answer early = server.send(server.request(PATH + "/" + id).DELETE());
        assertThat(early.status()).isEqualTo(409);
        server.engine().release();
        ended(id);
        assertThat(server.send(server.request(PATH + "/" + id).DELETE()).status())
                .isEqualTo(200);
        assertThat(get(id).status()).isEqualTo(404);
    }

    /** Who reads later, or from somewhere in between, reads the same events. */
    @Test
    void givesItsStreamToWhoeverReadsIt() {
        server.engine().hold();
        Object id = begin("a stream of some words", "").at("id");
        CompletableFuture<String> first = read(id, "");
        server.engine().allow(6);
        Eventually.until("six steps ran", () -> server.engine().stepsRun() == 6);
        CompletableFuture<String> second = read(id, "");
        CompletableFuture<String> third = read(id, "&starting_after=4");
        Eventually.until("all read", () -> server.get("/metrics").body().contains("jeton_responses_background 1.0"));
        server.engine().allow(8);
        Eventually.until("fourteen steps ran", () -> server.engine().stepsRun() == 14);
        server.engine().release();
        String whole = first.join();
        assertThat(whole)
                .startsWith("event: response.created")
                .contains("event: response.queued")
                .contains("event: response.in_progress")
                .contains("event: response.completed")
                .contains("\"a stream of some words\"");
        assertThat(whole.split("event: response.created", -1)).hasSize(2);
        assertThat(second.join()).isEqualTo(whole);
        assertThat(whole).endsWith(third.join());
        assertThat(third.join()).startsWith("event: ").contains("\"sequence_number\":5,");
        assertThat(third.join()).doesNotContain("\"sequence_number\":4,");
        assertThat(get(id + "?stream=true").status()).as("it has ended").isEqualTo(400);
        assertThat(get(id + "?stream=true&starting_after=x").status()).isEqualTo(400);
    }

    @Test
    void goesOnWhereTheClientOfItsStreamHangsUp() throws IOException {
        server.engine().hold();
        String id;
        try (RawClient client = new RawClient(server.port())) {
            client.post(PATH, body("whole", ",'stream':true"));
            String line = client.line();
            while (!line.contains("\"id\":\"resp_")) {
                line = client.line();
            }
            id = line.replaceFirst(".*\"id\":\"(resp_[^\"]*)\".*", "$1");
        }
        server.engine().release();
        assertThat(ended(id).at("output.0.content.0.text")).isEqualTo("whole");
    }

    /** A client that sent its request again would have, and pay, another response. */
    @Test
    void asksForNoSecondResponseWhereTheStreamOfTheFirstIsNotKept() {
        try (TestServer small =
                TestServer.builder().set("responses.max-size", "1KiB").start()) {
            Answer answer = small.post(PATH, body("x", ",'stream':true"));
            assertThat(answer.status()).isEqualTo(503);
            assertThat(answer.header("x-should-retry")).isEqualTo("false");
            assertThat(answer.body()).contains("'resp_");
        }
    }

    @Test
    void makesNoMoreThanMayBe() {
        server.engine().hold();
        begin("one", "");
        Object second = begin("two", "").at("id");
        Answer third = server.post(PATH, body("three", ""));
        assertThat(third.status()).isEqualTo(429);
        assertThat(third.body()).contains("a quarter of 8");
        server.engine().release();
        ended(second);
    }

    @Test
    void isAnsweredOnceUnderAnIdempotencyKey() {
        Answer first = repeated();
        Answer again = repeated();
        assertThat(again.header("x-jeton-replayed")).isEqualTo("true");
        assertThat(again.at("id")).isEqualTo(first.at("id"));
    }

    private Answer repeated() {
        return server.send(server.request(PATH)
                .header("idempotency-key", "k")
                .POST(BodyPublishers.ofString(body("x", "").replace('\'', '"'))));
    }

    @Test
    void showsAndBooksItForItsTenantAlone(@TempDir Path folder) {
        try (TestServer books = TwoTenants.in(folder).start()) {
            Answer queued = books.send(books.request(PATH)
                    .header("authorization", "Bearer " + TwoTenants.RED)
                    .header("x-jeton-labels", "team=search")
                    .POST(BodyPublishers.ofString(body("red", "").replace('\'', '"'))));
            assertThat(queued.status()).as(queued.body()).isEqualTo(200);
            String path = PATH + "/" + queued.at("id");
            assertThat(TwoTenants.get(books, TwoTenants.BLUE, path).status()).isEqualTo(404);
            Eventually.until(
                    "it has ended",
                    () -> "completed"
                            .equals(TwoTenants.get(books, TwoTenants.RED, path).at("status")));
            TwoTenants.awaitBooked(books, 1);
            assertThat(TwoTenants.get(books, TwoTenants.RED, "/v1/books/report?by=label:team")
                            .body())
                    .contains("search");
        }
    }

    private CompletableFuture<String> read(Object id, String more) {
        return server.client()
                .sendAsync(
                        server.request(PATH + "/" + id + "?stream=true" + more)
                                .GET()
                                .build(),
                        BodyHandlers.ofString())
                .thenApply(HttpResponse::body);
    }
}
