package dev.jeton.server.cli;

import static dev.jeton.server.testing.TwoTenants.OPERATOR;
import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.json.Json;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import dev.jeton.server.testing.TwoTenants;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Two ways to the same books: a command on the server's folder, and its API. */
class SameOverHttpTest {

    @TempDir
    private static Path folder;

    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TwoTenants.in(folder).start();
        TwoTenants.complete(server, TwoTenants.RED, "one", "id", "team=web");
        TwoTenants.complete(server, TwoTenants.RED, "two", "id", "team=ops");
        TwoTenants.complete(server, TwoTenants.BLUE, "three", "id", "team=web");
        TwoTenants.awaitBooked(server, 3);
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static String command(String... arguments) {
        StringWriter out = new StringWriter();
        CommandLine line = Jeton.commandLine();
        line.setOut(new PrintWriter(out));
        List<String> all = new ArrayList<>(List.of(arguments));
        all.addAll(List.of("--books", folder.resolve("books").toString()));
        assertThat(line.execute(all.toArray(String[]::new))).isZero();
        return out.toString();
    }

    private static String http(String path) {
        Answer answer = TwoTenants.get(server, OPERATOR, path);
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return answer.body();
    }

    @Test
    void reportsAreTheSame() {
        for (String by : List.of("tenant", "project", "key", "model", "hour", "price_book", "label:team")) {
            // Device time is booked every few seconds, maybe between the two.
            Eventually.until(
                    "both report the same by " + by,
                    () -> command("report", "--by", by, "--format", "csv")
                            .equals(http("/v1/books/report?format=csv&by=" + by)));
        }
        Eventually.until(
                "both report the same of red",
                () -> command("report", "--tenant", "red", "--label", "team=web", "--format", "csv")
                        .equals(http("/v1/books/report?format=csv&tenant=red&label=team:web")));
        Eventually.until("both tell the same waste", () -> {
            Object told = Json.parse(command("report", "--format", "json"));
            Object asked = Json.parse(http("/v1/books/report"));
            return Stream.of("by", "rows", "waste")
                    .allMatch(field -> Objects.equals(Answer.at(told, field), Answer.at(asked, field)));
        });
    }

    @Test
    void exportsAreTheSame() {
        for (String basis : List.of("list", "metered")) {
            Eventually.until(
                    "both export the same by " + basis,
                    () -> command("export", "focus", "--basis", basis)
                            .equals(http("/v1/books/export/focus?basis=" + basis)));
        }
        Eventually.until(
                "both export the same of red",
                () -> command("export", "focus", "--tenant", "red").equals(http("/v1/books/export/focus?tenant=red")));
    }
}
