package dev.jeton.server.api;

import static dev.jeton.server.testing.TwoTenants.RED;
import static dev.jeton.server.testing.TwoTenants.get;
import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.ManyRows;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import dev.jeton.server.testing.TwoTenants;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** More rows than an answer may have, and answers larger than what a client reads. */
class BooksBoundsTest {

    @TempDir
    private Path folder;

    private TestServer server(int rows, int hours, UnaryOperator<TestServer.Builder> more) {
        TestServer server = more.apply(TwoTenants.in(folder)).start();
        TwoTenants.complete(server, RED, "hello", "id", "");
        TwoTenants.awaitBooked(server, 1);
        ManyRows.add("jdbc:sqlite:" + folder.resolve("books").resolve("ledger.db"), "", rows, hours);
        return server;
    }

    private static void assertTooMuch(Answer answer, String param, String message) {
        assertThat(answer.status()).as(answer.body()).isEqualTo(400);
        assertThat(answer.at("error.param")).isEqualTo(param);
        assertThat(answer.at("error.message")).asString().contains(message);
    }

    @Test
    void aReportHasTenThousandRowsAtMost() {
        // One more has no such label.
        int most = ReportEndpoint.MAX_ROWS - 1;
        try (TestServer server = server(most, 700, builder -> builder)) {
            String byLabel = "/v1/books/report?format=csv&by=label:n";
            assertThat(get(server, RED, byLabel).body().lines()).hasSize(ReportEndpoint.MAX_ROWS + 1);

            TwoTenants.complete(server, RED, "hello", "id", "n=another");
            TwoTenants.awaitBooked(server, 2);
            assertTooMuch(get(server, RED, byLabel), "by", "more than 10000 rows");
            assertThat(get(server, RED, "/v1/books/report").status()).isEqualTo(200);
        }
    }

    @Test
    void anExportIsRefusedBeforeItBeginsWhereItHasTooManyRows() {
        try (TestServer server = server((int) FocusEndpoint.MAX_ROWS, 700, builder -> builder)) {
            assertTooMuch(get(server, RED, "/v1/books/export/focus"), "from", "shorter time");
            assertThat(get(server, TwoTenants.BLUE, "/v1/books/export/focus").status())
                    .isEqualTo(200);
        }
    }

    @Test
    void anExportIsRefusedBeforeItBeginsWhereAnHourIsTooLarge() {
        try (TestServer server = server(10_000, 1, builder -> builder)) {
            assertTooMuch(get(server, RED, "/v1/books/export/focus"), "from", "shorter time");
        }
    }

    @Test
    void aLongExportIsWhole() {
        try (TestServer server = server(20_000, 500, builder -> builder)) {
            Answer answer = get(server, RED, "/v1/books/export/focus");

            // Input and output tokens, and bytes; the line of heads; and the one request that was asked.
            assertThat(answer.body().lines()).hasSize(3 * 20_001 + 1);
        }
    }

    @Test
    void aClientThatDoesNotReadItsExportGivesItsPlaceBack() throws IOException {
        try (TestServer server = server(
                        20_000,
                        500,
                        builder -> builder.set("stream.stall-timeout", "200ms")
                                .set("http.send-buffer", "4096")
                                .set("http.write-buffer", "1024"));
                RawClient client = new RawClient(server.port(), 4_096)) {
            client.send("GET /v1/books/export/focus HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + RED + "\r\n\r\n");
            assertThat(client.headOfResponse()).contains("200 OK");
            Eventually.until(
                    "it is given up",
                    () -> PrometheusText.parse(server.get("/metrics").body())
                                    .value("jeton_requests_total", "endpoint=\"books_export_focus\"", "stalled")
                            == 1);
            assertThat(PrometheusText.parse(server.get("/metrics").body()).value("jeton_ledger_questions"))
                    .isZero();
            assertThat(client.rest()).doesNotEndWith("\r\n0\r\n\r\n");
        }
    }
}
