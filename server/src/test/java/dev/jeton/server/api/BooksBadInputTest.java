package dev.jeton.server.api;

import static dev.jeton.server.testing.TwoTenants.OPERATOR;
import static dev.jeton.server.testing.TwoTenants.RED;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import dev.jeton.server.testing.TwoTenants;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What may be asked of the books and what may not; whatever was asked, they are the same afterwards. */
class BooksBadInputTest {

    @TempDir
    private static Path folder;

    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TwoTenants.in(folder).start();
        TwoTenants.complete(server, RED, "hello", "id", "team=web");
        TwoTenants.awaitBooked(server, 1);
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    @AfterEach
    void theBooksAreAsTheyWere() {
        assertThat(get(OPERATOR, "/v1/books/report").at("rows.0.requests")).isEqualTo(1L);
    }

    private static Answer get(String key, String path) {
        return TwoTenants.get(server, key, path);
    }

    private static String cursor(String plain) {
        return Base64.getUrlEncoder().encodeToString(plain.getBytes(StandardCharsets.UTF_8));
    }

    /** A query, percent escapes left out; the parameter named; a part of the message. */
    static Stream<Arguments> queries() {
        return Stream.of(
                arguments("report?period=2026-13", "period", "is no period"),
                arguments("report?period=2026-11-31", "period", "is no period"),
                arguments("report?period=november", "period", "is no period"),
                arguments("report?period=", "period", "is empty"),
                arguments("report?period=2026-11&from=2026-11-20", "period", "not both"),
                arguments("report?from=yesterday", "from", "is no time"),
                arguments("report?from=-999999999-01-01T00:00:00Z", "from", "is no time"),
                arguments("report?to=+999999999-12-31T23:59:59Z", "to", "is no time"),
                arguments("report?from=2026-11&to=2026-10", "to", "after 'from'"),
                arguments("report?from=2026-11&to=2026-11", "to", "after 'from'"),
                arguments("report?from=2020-01&to=2026-01", "from", "More than 400 days"),
                arguments("report?from=1970-01-01", "from", "More than 400 days"),
                arguments("report?from=2026-11-01&from=2026-11-02", "from", "more than once"),
                arguments("report?by=colour", "by", "no report by 'colour'"),
                arguments("report?by=label:", "by", "label's name"),
                arguments("report?by=label:x' OR 1=1", "by", "label's name"),
                arguments("report?by=label:\"x\"", "by", "label's name"),
                arguments("report?by=" + "x".repeat(3_000), "by", "no report by"),
                arguments("report?by=label:" + "x".repeat(3_000), "by", "label's name"),
                arguments("report?label=web", "label", "NAME:VALUE"),
                arguments("report?label=x' OR '1'='1:y", "label", "NAME:VALUE"),
                arguments("report?label=a:1&label=a:2", "label", "more than once"),
                arguments("report?" + labels(17), "label", "more than 16"),
                arguments("report?format=xml", "format", "json, csv"),
                arguments("report?form=2026-11", "form", "There is no parameter"),
                arguments("report?limit=0", "limit", "from 1 to 10000"),
                arguments("report?task=t", "task", "There is no parameter"),
                arguments("report?after=!", "after", "no place in a report"),
                arguments("report?by=hour&after=eA", "after", "x"),
                arguments("report?" + "y".repeat(3_000) + "=1", "y".repeat(200) + "...", "There is no parameter"),
                arguments("requests?limit=-1", "limit", "from 1 to 1000"),
                arguments("requests?limit=0", "limit", "from 1 to 1000"),
                arguments("requests?limit=1001", "limit", "from 1 to 1000"),
                arguments("requests?limit=99999999999", "limit", "from 1 to 1000"),
                arguments("requests?limit=1e2", "limit", "from 1 to 1000"),
                arguments("requests?limit=\u0661", "limit", "from 1 to 1000"),
                arguments("requests?after=garbage", "after", "no place in a list"),
                arguments("requests?after=!", "after", "no place in a list"),
                arguments("requests?after=" + cursor("x:y"), "after", "no place in a list"),
                arguments("requests?after=" + cursor("17"), "after", "no place in a list"),
                arguments("requests?after=" + cursor("-1:y"), "after", "no place in a list"),
                arguments("requests?after=" + cursor("1:" + "y".repeat(600)), "after", "no place in a list"),
                arguments("requests?from=2020-01&to=2026-01", "from", "More than 400 days"),
                arguments("requests/id?limit=1", "limit", "There is no parameter"),
                arguments("export/focus?basis=cash", "basis", "list, metered"),
                arguments("export/focus?from=2026-11&to=2026-10", "to", "after 'from'"),
                arguments("export/focus?from=2020-01&to=2026-01", "from", "More than 400 days"));
    }

    private static String labels(int count) {
        return IntStream.range(0, count).mapToObj(i -> "label=l" + i + ":x").collect(Collectors.joining("&"));
    }

    @ParameterizedTest
    @MethodSource("queries")
    void isRefusedByNameAndInAFewWords(String query, String param, String message) {
        for (String key : List.of(OPERATOR, RED)) {
            Answer answer = get(key, "/v1/books/" + escaped(query));

            assertThat(answer.status()).as(answer.body()).isEqualTo(400);
            assertThat(answer.at("error.type")).isEqualTo("invalid_request_error");
            assertThat(answer.at("error.param")).isEqualTo(param);
            assertThat(answer.at("error.message")).asString().contains(message).hasSizeLessThan(600);
        }
    }

    /** Everything but what makes a query a query. */
    private static String escaped(String query) {
        return query.chars()
                .mapToObj(c -> "/?&=".indexOf(c) >= 0
                        ? Character.toString(c)
                        : URLEncoder.encode(Character.toString(c), StandardCharsets.UTF_8))
                .collect(Collectors.joining());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "report?label=team:web' OR '1'='1",
                "report?model=x' OR 1=1 --",
                "report?project='; DROP TABLE usage_hour; --",
                "report?key=%00",
                "requests?label=team:\"web",
                "requests?model=\ud83d\ude00",
            })
    void isAValueAndNoPartOfTheQuestion(String query) {
        Answer answer = get(OPERATOR, "/v1/books/" + escaped(query).replace("%2500", "%00"));

        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        assertThat(answer.body()).containsPattern("\"(rows|data)\":\\[\\]");
    }

    @ParameterizedTest
    @ValueSource(strings = {"x' OR '1'='1", "%", "id%", "a/b", "\u0000", "~", " "})
    void isTheIdOfNoRequest(String id) {
        Answer answer = get(OPERATOR, "/v1/books/requests/" + URLEncoder.encode(id, StandardCharsets.UTF_8));

        assertThat(answer.status()).as(answer.body()).isEqualTo(404);
        assertThat(answer.at("error.code")).isEqualTo("request_not_found");
        assertThat(get(OPERATOR, "/v1/books/requests/").status()).isEqualTo(404);
    }

    @Test
    void brokenPercentEscapesAreAnError() throws IOException {
        try (RawClient client = new RawClient(server.port())) {
            client.send("GET /v1/books/report?by=%zz HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + RED + "\r\n\r\n");
            assertThat(client.response()).startsWith("HTTP/1.1 400").contains("percent escapes");
        }
    }

    @Test
    void aDayMayBeAskedAboutAndSoMayFourHundred() {
        assertThat(get(RED, "/v1/books/report?period=2026-11-20").status()).isEqualTo(200);
        Answer most = get(RED, "/v1/books/report?from=2026-01-01T00:30:00Z&to=2027-02-05");
        assertThat(most.status()).isEqualTo(200);
        assertThat(most.at("from")).isEqualTo("2026-01-01T00:00:00Z");
        assertThat(get(RED, "/v1/books/report?from=2026-01-01T00:30:00Z&to=2027-02-05T00:00:01Z")
                        .status())
                .isEqualTo(400);
    }

    @Test
    void aLabelOfTenKilobytesIsRefusedByNameAndTenThousandLabelsByTheirBytes() {
        String long10k = "team=" + "x".repeat(10_240);
        Answer answer = TwoTenants.complete(server, RED, "hello", "id", long10k);
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.at("error.param")).isEqualTo("X-Jeton-Labels");

        String many = IntStream.range(0, 10_000).mapToObj(i -> "l" + i + "=x").collect(Collectors.joining(","));
        assertThat(TwoTenants.complete(server, RED, "hello", "id", many).status())
                .isEqualTo(431);
    }
}
