package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import dev.jeton.server.testing.TwoTenants;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RepeatsTest {

    @TempDir
    private Path folder;

    private TestServer server;

    @AfterEach
    void stop() {
        server.close();
    }

    private TestServer.Builder usual() {
        return TwoTenants.in(folder);
    }

    private Answer complete(String key, String more) {
        return post("/v1/completions", key, "{\"model\": \"test-model\", \"prompt\": \"say:abc\"" + more + "}");
    }

    private Answer post(String path, String key, String body) {
        return server.send(server.request(path)
                .header("authorization", "Bearer " + TwoTenants.RED)
                .header("idempotency-key", key)
                .POST(BodyPublishers.ofString(body)));
    }

    private int booked() {
        return TwoTenants.get(server, TwoTenants.OPERATOR, "/v1/books/requests?limit=1000")
                        .body()
                        .split("\"books.request\"", -1)
                        .length
                - 1;
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ", \"stream\": true, \"stream_options\": {\"include_usage\": true}"})
    void aRepetitionIsGivenTheSameAnswerAndIsNotBilled(String more) {
        server = usual().start();
        Answer first = complete("k", more);
        long steps = server.engine().stepsRun();

        Answer again = complete("k", more);

        assertThat(first.status()).isEqualTo(200);
        assertThat(first.header("x-jeton-replayed")).isEmpty();
        assertThat(again.status()).isEqualTo(200);
        assertThat(again.header("x-jeton-replayed")).isEqualTo("true");
        assertThat(again.body()).isEqualTo(first.body());
        assertThat(again.header("content-type")).isEqualTo(first.header("content-type"));
        assertThat(again.header("x-jeton-request-id")).isEqualTo(first.header("x-jeton-request-id"));
        assertThat(server.engine().stepsRun()).isEqualTo(steps);
        complete("other", more);
        TwoTenants.awaitBooked(server, 2);
        assertThat(booked()).isEqualTo(2);
    }

    @Test
    void anotherRequestUnderTheSameKeyIsAnError() {
        server = usual().start();
        complete("k", "");

        Answer other = complete("k", ", \"max_tokens\": 1");

        assertThat(other.status()).isEqualTo(422);
        assertThat(other.at("error.code")).isEqualTo("idempotency_key_reused");
    }

    @Test
    void whileTheFirstIsAnsweredOthersAreToldToWait() {
        server = usual().start();
        server.engine().hold();
        CompletableFuture<HttpResponse<String>> first = server.client()
                .sendAsync(
                        server.request("/v1/completions")
                                .header("authorization", "Bearer " + TwoTenants.RED)
                                .header("idempotency-key", "k")
                                .POST(BodyPublishers.ofString("{\"model\": \"test-model\", \"prompt\": \"say:abc\"}"))
                                .build(),
                        HttpResponse.BodyHandlers.ofString());
        Eventually.until(
                "the first runs", () -> server.get("/metrics").body().contains("jeton_idempotency_entries 1.0"));

        Answer second = complete("k", "");
        server.engine().release();

        assertThat(second.status()).isEqualTo(409);
        assertThat(second.at("error.code")).isEqualTo("idempotency_in_progress");
        assertThat(second.header("x-should-retry")).isEqualTo("true");
        assertThat(first.join().statusCode()).isEqualTo(200);
        assertThat(complete("k", "").header("x-jeton-replayed")).isEqualTo("true");
    }

    @Test
    void whatFailedMayBeTriedAgain() {
        server = usual().start();

        assertThat(complete("k", ", \"max_tokens\": -1").status()).isEqualTo(400);
        assertThat(complete("k", "").status()).isEqualTo(200);
    }

    @Test
    void anAnswerThatIsTooLongIsNotKeptAndNotDoneAgain() {
        server = usual().set("idempotency.max-answer", "10").start();
        assertThat(complete("k", "").status()).isEqualTo(200);

        Answer again = complete("k", "");

        assertThat(again.status()).isEqualTo(409);
        assertThat(again.at("error.code")).isEqualTo("idempotency_not_stored");
        assertThat(again.header("x-should-retry")).isEqualTo("false");
    }

    @Test
    void theOneThatWasNotUsedForLongestMakesRoom() {
        server = usual().set("idempotency.max-entries", "8").start();
        complete("a", "");
        complete("b", "");
        complete("a", "");
        complete("c", ""); // a quarter of 8 is 2: b goes

        assertThat(complete("a", "").header("x-jeton-replayed")).isEqualTo("true");
        assertThat(complete("b", "").header("x-jeton-replayed")).isEmpty();
        assertThat(server.get("/metrics").body()).contains("jeton_idempotency_dropped_total 2.0");
    }

    @Test
    void aKeyIsPrintableAndBounded() {
        server = usual().start();

        assertThat(complete("a b", "").at("error.param")).isEqualTo("Idempotency-Key");
        assertThat(complete("k".repeat(256), "").status()).isEqualTo(400);
        assertThat(complete("k".repeat(255), "").status()).isEqualTo(200);
    }

    @Test
    void aStepIsRecordedOnceUnderItsKey() {
        server = usual().start();
        post("/v1/tasks", "t", "{\"id\": \"t\"}");
        String step = "{\"kind\": \"tool\", \"cost\": \"0.3\"}";

        Answer first = post("/v1/tasks/t/steps", "s", step);
        Answer again = post("/v1/tasks/t/steps", "s", step);

        assertThat(again.body()).isEqualTo(first.body());
        assertThat(again.status()).isEqualTo(201);
        Eventually.until(
                "the ledger is open",
                () -> TwoTenants.get(server, TwoTenants.RED, "/v1/tasks/t").status() == 200);
        assertThat(TwoTenants.get(server, TwoTenants.RED, "/v1/tasks/t").at("totals.list.steps"))
                .isEqualTo("0.3");
    }
}
