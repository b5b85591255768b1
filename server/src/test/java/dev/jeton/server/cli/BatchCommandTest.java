package dev.jeton.server.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.batch.BatchTotals;
import dev.jeton.server.testing.TestServer;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** {@code jeton batch} against a server. */
class BatchCommandTest {

    private record Run(int code, String err) {}

    @TempDir
    private Path folder;

    private Run batch(String... arguments) {
        StringWriter err = new StringWriter();
        CommandLine line = Jeton.commandLine();
        line.setErr(new PrintWriter(err, true));
        List<String> all = new ArrayList<>(List.of(
                "batch",
                "--input",
                folder.resolve("in.jsonl").toString(),
                "--output",
                folder.resolve("out.jsonl").toString()));
        all.addAll(Arrays.asList(arguments));
        return new Run(line.execute(all.toArray(String[]::new)), err.toString());
    }

    private void write(String... lines) throws Exception {
        Files.write(folder.resolve("in.jsonl"), List.of(lines));
    }

    private List<String> lines(String file) throws Exception {
        return Files.readAllLines(folder.resolve(file));
    }

    private static String chat(String id, String model) {
        return ("{'custom_id':'" + id + "','method':'POST','url':'/v1/chat/completions','body':{'model':'" + model
                        + "','max_tokens':5,'messages':[{'role':'user','content':'hi'}]}}")
                .replace('\'', '"');
    }

    @Test
    void shouldAnswerAFileOverHttp() throws Exception {
        write(
                chat("a", TestServer.MODEL),
                chat("b", "nobody"),
                "{\"custom_id\":\"c\",\"url\":\"/v1/completions\",\"body\":{\"model\":\"test-model\",\"prompt\":\"x\"}}");
        try (TestServer server =
                TestServer.builder().set("server.api-keys", "k1").start()) {
            String url = "http://127.0.0.1:" + server.port() + "/v1/";
            Run run = batch("--url", url, "--api-key", "k1", "--label", "job=nightly", "--label", "team=search");
            assertThat(run.code()).as(run.err()).isEqualTo(1);
            assertThat(run.err()).contains("3 of 3 done, 1 refused").contains("out.jsonl.errors");
            assertThat(lines("out.jsonl")).hasSize(2).anyMatch(line -> line.contains("\"service_tier\":\"flex\""));
            assertThat(lines("out.jsonl.errors")).hasSize(1).first().asString().contains("\"status_code\":404");

            Run again = batch("--url", url, "--api-key", "k1");
            assertThat(again.code()).isZero();
            assertThat(again.err()).contains("3 of 3 done (3 before)");
            assertThat(lines("out.jsonl")).hasSize(2);
        }
    }

    @Test
    void shouldBillARequestOnceWhoseAnswerWasLost() throws Exception {
        write(chat("a", TestServer.MODEL));
        try (TestServer server = TestServer.start()) {
            String url = "http://127.0.0.1:" + server.port();
            assertThat(batch("--url", url).code()).isZero();
            String whole = Files.readString(folder.resolve("out.jsonl"));
            Files.writeString(folder.resolve("out.jsonl"), whole.substring(0, whole.length() / 2));
            assertThat(batch("--url", url).code()).isZero();
            assertThat(lines("out.jsonl").getFirst().replaceFirst("\"request_id\":\"[^\"]*\"", ""))
                    .isEqualTo(whole.strip().replaceFirst("\"request_id\":\"[^\"]*\"", ""));
            assertThat(server.get("/metrics").body()).contains("jeton_idempotency_replayed_total 1");
        }
    }

    @Test
    void shouldSayWhatIsWrongWithTheKey() throws Exception {
        write(chat("a", TestServer.MODEL));
        try (TestServer server =
                TestServer.builder().set("server.api-keys", "k1").start()) {
            Run run = batch("--url", "http://127.0.0.1:" + server.port(), "--api-key", "k2");
            assertThat(run.code()).isEqualTo(1);
            assertThat(run.err()).contains("jeton: the server refuses the key");
        }
    }

    @Test
    void shouldSayWhatIsWrongWithItsOptions() throws Exception {
        write(chat("a", TestServer.MODEL));
        assertThat(batch("--url", "localhost:8000").err()).contains("'localhost:8000' is no URL of a server");
        assertThat(batch("--parallel", "0").code()).isEqualTo(2);
        assertThat(batch("--patience", "0").err()).contains("--patience is 0; it must be 1 or more");
        Files.delete(folder.resolve("in.jsonl"));
        assertThat(batch().err()).contains("in.jsonl cannot be read");
    }

    @Test
    void shouldTellHowFarItIs() {
        BatchTotals totals = new BatchTotals(
                50_000, 100, 900, 3, 7, 120_000, Map.of("EUR", new BigDecimal("0.5300")), "the server is busy");
        assertThat(BatchCommand.line(totals, 10_000_000_000L))
                .isEqualTo("1,003 of 50,000 done (100 before), 3 refused; 90.3 requests/s, 12,000 tokens/s, 0.53 EUR;"
                        + " about 543 s left; waits: the server is busy");
    }
}
