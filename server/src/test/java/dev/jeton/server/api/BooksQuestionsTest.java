package dev.jeton.server.api;

import static dev.jeton.server.testing.TwoTenants.BLUE;
import static dev.jeton.server.testing.TwoTenants.OPERATOR;
import static dev.jeton.server.testing.TwoTenants.RED;
import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.accounting.testing.PostgresServer;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.ManyRows;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import dev.jeton.server.testing.TwoTenants;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Questions about the books while their database does not answer, or only some can be asked at once. */
class BooksQuestionsTest {

    private static final String REPORT = "/v1/books/report";

    @TempDir
    private Path folder;

    private String url = "";

    @BeforeEach
    void makeADatabase() throws SQLException {
        Assumptions.assumeTrue(PostgresServer.shared().isPresent(), PostgresServer::missing);
        url = postgres().create();
    }

    private static PostgresServer postgres() {
        return PostgresServer.shared().orElseThrow();
    }

    private TestServer.Builder books() {
        return TwoTenants.in(folder).set("books.ledger", url).set("books.user", PostgresServer.USER);
    }

    private static void awaitOpen(TestServer server) {
        Eventually.until(
                "the ledger is open",
                () -> TwoTenants.get(server, OPERATOR, REPORT).status() == 200);
    }

    /** Reports have to wait until it is closed. */
    private Connection lock() throws SQLException {
        Connection connection = DriverManager.getConnection(url, PostgresServer.USER, "");
        connection.setAutoCommit(false);
        try (var statement = connection.createStatement()) {
            statement.execute("LOCK TABLE usage_hour IN ACCESS EXCLUSIVE MODE");
        }
        return connection;
    }

    private static CompletableFuture<Answer> ask(TestServer server, String key) {
        HttpRequest request =
                server.request(REPORT).header("authorization", "Bearer " + key).build();
        return server.client().sendAsync(request, BodyHandlers.ofString()).thenApply(Answer::new);
    }

    private static double metric(TestServer server, String name) {
        return PrometheusText.parse(server.get("/metrics").body()).value(name);
    }

    private static void awaitQuestions(TestServer server, int open) {
        Eventually.until(open + " questions are open", () -> metric(server, "jeton_ledger_questions") == open);
    }

    @Test
    void pastTheBoundQuestionsAreRefusedAndTheServerGoesOn() throws SQLException {
        try (TestServer server = books().set("books.max-questions", "3").start()) {
            awaitOpen(server);
            List<CompletableFuture<Answer>> waiting;
            try (Connection held = lock()) {
                waiting = Stream.generate(() -> ask(server, OPERATOR)).limit(3).toList();
                awaitQuestions(server, 3);
                Eventually.until("one waits for a thread", () -> metric(server, "jeton_ledger_questions_waiting") == 1);

                Answer refused = ask(server, OPERATOR).join();
                assertThat(refused.status()).isEqualTo(503);
                assertThat(refused.at("error.code")).isEqualTo("ledger_busy");
                assertThat(refused.header("retry-after")).isEqualTo("1");
                assertThat(metric(server, "jeton_ledger_questions_refused_total"))
                        .isEqualTo(1);
                assertThat(TwoTenants.complete(server, RED, "hello", "id", "").status())
                        .isEqualTo(200);
                held.rollback();
            }
            assertThat(waiting)
                    .allSatisfy(answer -> assertThat(answer.join().status()).isEqualTo(200));
        }
    }

    @Test
    void oneTenantGetsItsShareAndOthersTheirs() throws SQLException {
        try (TestServer server = books().set("books.max-questions", "4").start()) {
            awaitOpen(server);
            CompletableFuture<Answer> first;
            CompletableFuture<Answer> others;
            try (Connection held = lock()) {
                first = ask(server, RED);
                awaitQuestions(server, 1);
                Answer second = ask(server, RED).join();
                assertThat(second.status()).isEqualTo(429);
                assertThat(second.header("retry-after")).isEqualTo("1");
                others = ask(server, BLUE);
                awaitQuestions(server, 2);
                held.rollback();
            }
            assertThat(first.join().status()).isEqualTo(200);
            assertThat(others.join().status()).isEqualTo(200);
            Eventually.until("red may ask again", () -> ask(server, RED).join().status() == 200);
        }
    }

    @Test
    void aQuestionThatTakesTooLongIsStopped() throws SQLException {
        try (TestServer server = books().set("books.question-timeout", "1s").start()) {
            awaitOpen(server);
            try (Connection held = lock()) {
                Answer answer = ask(server, OPERATOR).join();
                assertThat(answer.status()).isEqualTo(503);
                assertThat(answer.at("error.code")).isEqualTo("ledger_slow");
                assertThat(answer.at("error.message")).asString().contains("shorter time");
                held.rollback();
            }
            assertThat(ask(server, OPERATOR).join().status()).isEqualTo(200);
        }
    }

    @Test
    void whoHangsUpGivesItsPlaceBack() throws SQLException, IOException {
        try (TestServer server = books().set("books.max-questions", "1").start()) {
            awaitOpen(server);
            try (Connection held = lock()) {
                try (RawClient client = new RawClient(server.port())) {
                    client.send("GET " + REPORT + " HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + RED + "\r\n\r\n");
                    awaitQuestions(server, 1);
                }
                awaitQuestions(server, 0);
                held.rollback();
            }
        }
    }

    @Test
    void whileTheDatabaseIsAwayQuestionsAreRefusedAndRequestsServed() {
        postgres().stop();
        TestServer.Builder books = books();
        try (TestServer server = books.start()) {
            Answer notOpen = ask(server, OPERATOR).join();
            assertThat(notOpen.status()).isEqualTo(503);
            assertThat(notOpen.at("error.code")).isEqualTo("ledger_not_open");
            assertThat(notOpen.header("retry-after")).isEqualTo("1");

            postgres().start();
            awaitOpen(server);
            postgres().stop();
            try {
                Answer away = ask(server, RED).join();
                assertThat(away.status()).isEqualTo(503);
                assertThat(away.at("error.code")).isEqualTo("ledger_unavailable");
                assertThat(away.body())
                        .doesNotContain("127.0.0.1")
                        .doesNotContain("localhost")
                        .doesNotContain("jdbc");
                assertThat(TwoTenants.complete(server, RED, "hello", "id", "").status())
                        .isEqualTo(200);
            } finally {
                postgres().start();
            }
            Eventually.until("the ledger answers", () -> ask(server, RED).join().status() == 200);
        }
    }

    @Test
    void anExportIsCutOffWhereTheDatabaseGoesAway() throws IOException {
        try (TestServer server = books().set("http.send-buffer", "4096")
                        .set("http.write-buffer", "1024")
                        .start();
                RawClient client = new RawClient(server.port(), 4_096)) {
            awaitOpen(server);
            TwoTenants.complete(server, RED, "hello", "id", "");
            TwoTenants.awaitBooked(server, 1);
            ManyRows.add(url, PostgresServer.USER, 20_000, 500);
            client.send("GET /v1/books/export/focus HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + RED + "\r\n\r\n");
            assertThat(client.headOfResponse()).contains("200 OK");
            postgres().stop();
            try {
                assertThat(client.rest()).contains("BilledCost").doesNotEndWith("\r\n0\r\n\r\n");
                assertThat(TwoTenants.complete(server, RED, "hello", "id", "").status())
                        .isEqualTo(200);
            } finally {
                postgres().start();
            }
        }
    }
}
