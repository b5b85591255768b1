package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.accounting.Filter;
import dev.jeton.accounting.Ledger;
import dev.jeton.accounting.Scope;
import dev.jeton.accounting.testing.PostgresServer;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What callers see while the journal's disk or the ledger's database is in trouble. */
class BooksTroubleTest {

    /** The most that a caller may say, so that few requests fill a journal. */
    private static final String LABELS = IntStream.range(0, 16)
            .mapToObj(i -> "label%d=%s".formatted(i, "x".repeat(240)))
            .collect(Collectors.joining(","));

    /** Of a request that has only begun. */
    private static final int STEPS = 4;

    /** Of the long answer: many grants. */
    private static final int LETTERS = 3_000;

    @TempDir
    private Path folder;

    private TestServer.Builder books() {
        return TestServer.builder().contextLength(2 * LETTERS + 100).set("books.folder", folder.toString());
    }

    private String sqlite() {
        return "jdbc:sqlite:" + folder.resolve("ledger.db");
    }

    private static CompletableFuture<Answer> ask(TestServer server, String prompt, String fields) {
        HttpRequest request = server.request("/v1/completions")
                .header("x-jeton-labels", LABELS)
                .POST(BodyPublishers.ofString(
                        "{\"model\": \"test-model\", \"prompt\": \"%s\", %s}".formatted(prompt, fields)))
                .build();
        CompletableFuture<HttpResponse<String>> response = server.client().sendAsync(request, BodyHandlers.ofString());
        return response.thenApply(Answer::new);
    }

    private static CompletableFuture<Answer> askForOne(TestServer server) {
        return ask(server, "hi", "\"max_tokens\": 1");
    }

    /** Lets the engine run, a step at a look, until this is answered or the disk fails. */
    private static boolean stepped(TestServer server, CompletableFuture<Answer> answer) {
        server.engine().allow(1);
        return answer.isDone() || metric(server, "jeton_journal_failing") == 1;
    }

    private static double metric(TestServer server, String name) {
        return PrometheusText.parse(server.get("/metrics").body()).value(name);
    }

    private static void assertRefused(Answer answer) {
        assertThat(answer.status()).isEqualTo(503);
        assertThat(answer.at("error.code")).isEqualTo("books_unavailable");
        assertThat(answer.header("retry-after")).isEqualTo("1");
    }

    /** A stream under way: it has begun, and wants many more grants. */
    private static CompletableFuture<Answer> longStream(TestServer server) {
        server.engine().hold();
        CompletableFuture<Answer> stream =
                ask(server, "say:" + "a".repeat(LETTERS), "\"max_tokens\": %d, \"stream\": true".formatted(LETTERS));
        server.engine().allow(STEPS);
        Eventually.until("it has begun", () -> server.engine().stepsRun() >= STEPS);
        return stream;
    }

    /** Whole: as many letters as were asked for, and the end of the stream. */
    private static void assertWhole(Answer stream) {
        assertThat(stream.streamed("choices.0.text", 0)).hasSize(LETTERS);
        assertThat(stream.body()).endsWith("data: [DONE]\n\n");
    }

    @Test
    void aFullJournalRefusesRequestsAndLetsThoseUnderWayFinish() throws SQLException {
        try (TestServer server = books().set("books.journal-size", "1MiB").start();
                Connection other = DriverManager.getConnection(sqlite());
                var statement = other.createStatement()) {
            // Nothing goes while the ledger cannot take it.
            statement.execute("BEGIN IMMEDIATE");
            CompletableFuture<Answer> stream = longStream(server);
            Answer last;
            do {
                CompletableFuture<Answer> answer = askForOne(server);
                Eventually.until("it is answered", () -> stepped(server, answer));
                last = answer.join();
            } while (last.status() == 200);
            assertRefused(last);

            server.engine().release();
            assertWhole(stream.join());

            statement.execute("ROLLBACK");
            Eventually.until(
                    "requests are admitted again",
                    () -> askForOne(server).join().status() == 200);
        }
        assertSound(sqlite(), "");
    }

    @Test
    void aDiskThatFailsRefusesRequestsAndLosesNoneOfThoseUnderWay() throws IOException {
        Path journal = folder.resolve("journal");
        Path away = folder.resolve("away");
        try (TestServer server = books().set("books.journal-size", "1MiB").start()) {
            CompletableFuture<Answer> stream = longStream(server);
            // The segment at hand can still be written, the next cannot be made.
            Files.move(journal, away);
            List<CompletableFuture<Answer>> waiting = new ArrayList<>();
            while (metric(server, "jeton_journal_failing") == 0) {
                CompletableFuture<Answer> answer = askForOne(server);
                waiting.add(answer);
                Eventually.until("it is answered, or has to wait", () -> stepped(server, answer));
            }
            assertRefused(askForOne(server).join());
            assertThat(stream).isNotDone();

            Files.move(away, journal);
            server.engine().release();
            assertWhole(stream.join());
            assertThat(waiting)
                    .allSatisfy(answer -> assertThat(answer.join().status()).isIn(200, 503));
            assertThat(askForOne(server).join().status()).isEqualTo(200);
            assertThat(metric(server, "jeton_journal_failures_total")).isPositive();
        }
        assertSound(sqlite(), "");
    }

    @Test
    void whileAnotherProcessHoldsTheDatabaseRequestsGoOnAndTheLedgerCatchesUp() throws SQLException {
        try (TestServer server = books().start();
                Connection other = DriverManager.getConnection(sqlite());
                var statement = other.createStatement()) {
            statement.execute("BEGIN IMMEDIATE");
            assertAnswersWhileAway(server);
            statement.execute("ROLLBACK");
            assertCatchesUp(server);
        }
        assertThat(assertSound(sqlite(), "")).isEqualTo(20);
    }

    @Test
    void whileTheDatabaseServerIsAwayRequestsGoOnAndTheLedgerCatchesUp() throws SQLException {
        Optional<PostgresServer> postgres = PostgresServer.shared();
        Assumptions.assumeTrue(postgres.isPresent(), PostgresServer::missing);
        String url = postgres.get().create();
        try (TestServer server = books().set("books.ledger", url)
                .set("books.user", PostgresServer.USER)
                .start()) {
            postgres.get().stop();
            try {
                assertAnswersWhileAway(server);
            } finally {
                postgres.get().start();
            }
            assertCatchesUp(server);
        }
        assertThat(assertSound(url, PostgresServer.USER)).isEqualTo(20);
    }

    private static void assertAnswersWhileAway(TestServer server) {
        for (int i = 0; i < 20; i++) {
            assertThat(ask(server, "say:" + "a".repeat(100), "\"max_tokens\": 100")
                            .join()
                            .status())
                    .isEqualTo(200);
        }
        // At least the opening and the end of each.
        assertThat(metric(server, "jeton_ledger_lag_facts")).isGreaterThanOrEqualTo(40);
        assertThat(metric(server, "jeton_ledger_stopped")).isZero();
    }

    private static void assertCatchesUp(TestServer server) {
        Eventually.until("the ledger has caught up", () -> metric(server, "jeton_ledger_lag_facts") == 0);
    }

    /** The books balance; how many requests they have. */
    private static long assertSound(String url, String user) {
        try (Ledger ledger = Ledger.open(url, user, "")) {
            assertThat(ledger.verify()).isEmpty();
            return ledger.reports()
                    .requests(Scope.OPERATOR, 0, Long.MAX_VALUE, Filter.ALL, 10_000)
                    .size();
        }
    }
}
