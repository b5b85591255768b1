package dev.jeton.server.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.json.Json;
import dev.jeton.server.testing.TestServer;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Reports and exports of a server that has run and ended. */
class BooksCommandsTest {

    private static final String PRICES = """
            currency: EUR
            devices:
              - {name: "*", per-hour: 7.2}
            tariffs:
              - {model: "*", input: 1000, output: 2000}
            """;

    @TempDir
    private Path folder;

    private Path books = Path.of("");
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private long prompt;
    private long generated;

    @BeforeEach
    void runAServer() throws IOException {
        books = folder.resolve("books");
        Path prices = Files.writeString(folder.resolve("prices.yaml"), PRICES);
        try (TestServer server = TestServer.builder()
                .set("books.folder", books.toString())
                .set("books.prices", prices.toString())
                .start()) {
            for (String team : List.of("red", "red", "blue")) {
                var answer = server.send(server.request("/v1/completions")
                        .header("x-jeton-labels", "team=" + team)
                        .POST(BodyPublishers.ofString("""
                                {"model": "test-model", "prompt": "say:hello", "max_tokens": 3}""")));
                prompt += (Long) answer.at("usage.prompt_tokens"); // cached ones cost the same by this list
                generated += (Long) answer.at("usage.completion_tokens");
            }
        }
    }

    private int run(String... arguments) {
        CommandLine line = Jeton.commandLine();
        line.setOut(new PrintWriter(out));
        line.setErr(new PrintWriter(err));
        return line.execute(arguments);
    }

    private BigDecimal owed() {
        return new BigDecimal(prompt).movePointLeft(3).add(new BigDecimal(2 * generated).movePointLeft(3));
    }

    @Test
    void theReportSumsToWhatTheAnswersSaid() {
        assertThat(run("report", "--books", books.toString(), "--format", "json"))
                .isZero();
        Object json = Json.parse(out.toString());
        assertThat(TestServer.Answer.at(json, "rows.0.group")).isEqualTo("default");
        assertThat(TestServer.Answer.at(json, "rows.0.requests")).isEqualTo(3L);
        assertThat(new BigDecimal((String) TestServer.Answer.at(json, "rows.0.list")))
                .isEqualByComparingTo(owed());
    }

    @Test
    void theReportDividesByLabel() {
        assertThat(run("report", "--books", books.toString(), "--by", "label:team", "--format", "csv"))
                .isZero();
        assertThat(out.toString().lines().skip(1))
                .satisfiesExactly(
                        blue -> assertThat(blue).startsWith("blue,1,"),
                        red -> assertThat(red).startsWith("red,2,"));
    }

    @Test
    void theTableShowsWasteAndWhoPaysForIt() {
        assertThat(run("report", "--books", books.toString())).isZero();
        assertThat(out.toString()).contains("recomputed", "overrun", "cancelled", "failed", "idle", "overhead");
    }

    @Test
    void aTenantsReportHasNothingOfOthers() {
        assertThat(run("report", "--books", books.toString(), "--tenant", "other"))
                .isZero();
        assertThat(out.toString()).contains("Nothing was booked").doesNotContain("idle");
    }

    @Test
    void theExportSumsToTheLedger() throws IOException {
        Path file = folder.resolve("focus.csv");
        assertThat(run("export", "focus", "--books", books.toString(), "--out", file.toString()))
                .isZero();
        List<String> lines = Files.readAllLines(file);
        int column = List.of(lines.getFirst().split(",")).indexOf("BilledCost");
        BigDecimal sum = lines.stream()
                .skip(1)
                .map(line -> new BigDecimal(line.split(",(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", -1)[column]))
                .reduce(BigDecimal.ZERO, BigDecimal::add);
        assertThat(sum).isEqualByComparingTo(owed());
        assertThat(err.toString()).contains(owed().stripTrailingZeros().toPlainString());
    }

    @Test
    void theBooksOfAServerThatEndedBalance() {
        assertThat(run("ledger", "verify", "--books", books.toString())).isZero();
        assertThat(out.toString()).contains("The books balance.");
    }

    @Test
    void repricesByAnotherBook() throws IOException {
        Path twice = Files.writeString(
                folder.resolve("twice.yaml"),
                PRICES.replace("7.2", "14.4").replace("1000", "2000").replace("output: 2000}", "output: 4000}"));
        assertThat(run("reprice", "--books", books.toString(), "--prices", twice.toString(), "--format", "json"))
                .isZero();
        Object json = Json.parse(out.toString());
        assertThat(new BigDecimal((String) TestServer.Answer.at(json, "usage.0.list.difference")))
                .isEqualByComparingTo(owed());
        assertThat(TestServer.Answer.at(json, "usage.0.egress.booked")).isEqualTo("0");
        BigDecimal cost = new BigDecimal((String) TestServer.Answer.at(json, "devices.0.cost.booked"));
        assertThat(cost).isPositive();
        assertThat(new BigDecimal((String) TestServer.Answer.at(json, "devices.0.cost.other"))
                        .subtract(cost.multiply(BigDecimal.TWO))
                        .abs())
                .isLessThan(new BigDecimal("0.0000001"));
        assertThat(run("reprice", "--books", books.toString(), "--prices", twice.toString()))
                .isZero();
        assertThat(out.toString()).contains("Nothing is stored", "idle", "rounding", "other capital");
        assertThat(run(
                        "reprice",
                        "--books",
                        books.toString(),
                        "--prices",
                        twice.toString(),
                        "--tenant",
                        "other",
                        "--format",
                        "csv"))
                .isZero();
        assertThat(out.toString()).endsWith("metered_other,metered_diff" + System.lineSeparator());
    }

    private Object json(String... arguments) {
        out.getBuffer().setLength(0);
        run(arguments);
        return Json.parse(out.toString());
    }

    @Test
    void reconcilesAnInvoiceWithTheBooks() throws IOException {
        Path nothing = Files.writeString(
                folder.resolve("nothing.csv"),
                "device,from,to,amount,currency\r\ni-0abc,2026-01-01,2100-01-01,1000,EUR\r\n");
        String[] command = {
            "reconcile", "--books", books.toString(), "--invoice", nothing.toString(), "--device", "i-0abc=reply"
        };
        assertThat(run(command)).isOne();
        assertThat(out.toString()).contains("multiply the device's price by", "Not all agrees within 1%.");
        List<String> json = new ArrayList<>(List.of(command));
        json.addAll(List.of("--format", "json", "--by", "all"));
        String device = (String) TestServer.Answer.at(json(json.toArray(String[]::new)), "devices.0.device");
        String booked = (String) TestServer.Answer.at(json(json.toArray(String[]::new)), "devices.0.booked");

        Path same = Files.writeString(
                folder.resolve("same.csv"),
                "device,from,to,amount,currency\n%s,2026-01-01,2100-01-01,%s,EUR\nrouter,2026-01-01,2100-01-01,5,EUR\n"
                        .formatted(device, booked));
        String[] agree = {"reconcile", "--books", books.toString(), "--invoice", same.toString(), "--tolerance", "0"};
        assertThat(run(agree)).isOne();
        assertThat(out.toString()).contains("'router' is no device of the books");
        List<String> others = new ArrayList<>(List.of(agree));
        others.addAll(List.of("--ignore-others", "--format", "csv"));
        assertThat(run(others.toArray(String[]::new))).isZero();
        assertThat(out.toString()).contains("billed_twice,agrees", "unknown,router,,,1,5,");
    }

    @Test
    void anInvoiceThatCannotBeReadIsBadInput() throws IOException {
        Path bad =
                Files.writeString(folder.resolve("bad.csv"), "device,from,to,amount,currency\ncpu,soon,later,1,EUR\n");
        assertThat(run("reconcile", "--books", books.toString(), "--invoice", bad.toString()))
                .isEqualTo(2);
        assertThat(err.toString()).contains("bad.csv, line 2: 'soon' is no time");
        assertThat(run("reconcile", "--books", books.toString())).isEqualTo(2);
        assertThat(run("reconcile", "--books", books.toString(), "--invoice", bad.toString(), "--tolerance", "-1"))
                .isEqualTo(2);
    }

    @Test
    void closesAPeriodInTheJournal() {
        assertThat(run("close", "2020-01", "--books", books.toString())).isZero();
        assertThat(out.toString()).contains("2020-01 is closed.");
        assertThat(run("close", "2020-01", "--ledger", "jdbc:sqlite:" + books.resolve("ledger.db")))
                .isZero();
        assertThat(out.toString()).contains("in the ledger only");
        assertThat(run("ledger", "verify", "--books", books.toString())).isZero();
    }

    @Test
    void costsAPeriodAgainInTheJournal() throws IOException {
        Path dearer = Files.writeString(folder.resolve("dearer.yaml"), PRICES.replace("7.2", "14.4"));
        assertThat(run("recost", "2020-01", "--books", books.toString(), "--prices", dearer.toString()))
                .isZero();
        assertThat(out.toString()).contains("2020-01 is costed by price book ");
        String version = out.toString().replaceAll("(?s).*price book ([0-9a-f]{16})\\..*", "$1");
        assertThat(run("recost", "2020-02", "--books", books.toString(), "--prices", version))
                .isZero();
        assertThat(run("ledger", "verify", "--books", books.toString())).isZero();
    }

    @Test
    void saysWhyAPeriodIsNotCostedAgain() {
        String version = "0123456789abcdef";
        assertThat(run("recost", "2020-01", "--books", books.toString(), "--prices", version))
                .isOne();
        assertThat(err.toString()).contains("there is no price book " + version);
        assertThat(run(
                        "recost",
                        "2020-01",
                        "--ledger",
                        "jdbc:sqlite:" + books.resolve("ledger.db"),
                        "--prices",
                        version))
                .isOne();
        assertThat(err.toString()).contains("name the books' folder with --books");
        assertThat(run("recost", "2020-01", "--books", books.toString())).isEqualTo(2);
        assertThat(err.toString()).contains("Missing required option: '--prices");
    }

    @Test
    void copiesAndErases() {
        Path copy = folder.resolve("copy.db");
        assertThat(run("ledger", "backup", "--books", books.toString(), copy.toString()))
                .isZero();
        assertThat(copy).exists();
        assertThat(run("ledger", "erase", "--books", books.toString(), "--tenant", "default"))
                .isZero();
        assertThat(run("ledger", "verify", "--books", books.toString())).isZero();
        assertThat(run("report", "--books", books.toString(), "--by", "label:team"))
                .isZero();
        assertThat(out.toString()).doesNotContain("blue").contains("(none)");
    }

    @Test
    void saysWhatIsWrongWithWhatItIsGiven() {
        assertThat(run("report", "--books", folder.resolve("nowhere").toString()))
                .isOne();
        assertThat(err.toString()).contains("there is no ledger at");
        assertThat(run("report", "--books", books.toString(), "--by", "colour")).isOne();
        assertThat(err.toString()).contains("there is no report by 'colour'");
        assertThat(run("report", "--books", books.toString(), "--period", "2026-13"))
                .isOne();
        assertThat(err.toString()).contains("'2026-13' is no period");
        assertThat(run("close", "2999-01", "--books", books.toString())).isOne();
        assertThat(err.toString()).contains("has not ended");
    }
}
