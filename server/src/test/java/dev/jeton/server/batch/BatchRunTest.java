package dev.jeton.server.batch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.ConnectException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BatchRunTest {

    /** Time that passes where somebody waits, and then only. */
    private static final class Waited implements BatchRun.Time {
        private final AtomicLong nanos = new AtomicLong();
        private final List<Duration> pauses = Collections.synchronizedList(new ArrayList<>());

        @Override
        public long nanos() {
            return nanos.get();
        }

        @Override
        public boolean ended(Duration length, CountDownLatch end) {
            pauses.add(length);
            nanos.addAndGet(length.toNanos());
            return end.getCount() == 0;
        }
    }

    @TempDir
    private Path folder;

    private Path input;
    private Path answers;
    private Path errors;
    private final Waited time = new Waited();

    @BeforeEach
    void name() {
        input = folder.resolve("in.jsonl");
        answers = folder.resolve("out.jsonl");
        errors = folder.resolve("out.jsonl.errors");
    }

    private static String line(String id) {
        return "{\"custom_id\": \"%s\", \"method\": \"POST\", \"url\": \"/v1/completions\", \"body\": {\"model\": \"m\"}}"
                .formatted(id);
    }

    private void write(String... lines) throws IOException {
        Files.writeString(input, String.join("\n", lines));
    }

    private void writeMany(int count) throws IOException {
        write(IntStream.range(0, count).mapToObj(i -> line("r" + i)).toArray(String[]::new));
    }

    private static BatchReply reply(int status, Optional<Duration> again, String cost, String body) {
        return new BatchReply(status, "id", again, cost, body.getBytes(StandardCharsets.UTF_8));
    }

    private static BatchReply well(BatchLine line) {
        return reply(
                200,
                Optional.empty(),
                "0.25 EUR",
                "{\"is\":\"%s\",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}".formatted(line.customId()));
    }

    private BatchTotals run(int parallel, BatchRun.Sender sender) throws InterruptedException {
        return run(parallel, false, sender);
    }

    private BatchTotals run(int parallel, boolean again, BatchRun.Sender sender) throws InterruptedException {
        Set<String> requests = BatchFile.check(input, "flex");
        BatchResults results = new BatchResults(answers, errors, again, bytes -> {});
        try (BatchRun run =
                new BatchRun(new BatchFile(input, "flex"), requests, results, sender, Duration.ofMinutes(10), time)) {
            run.run(parallel);
            return run.totals();
        }
    }

    private static List<String> ids(Path file) throws IOException {
        return Files.readAllLines(file).stream()
                .map(line -> line.replaceFirst(".*\"custom_id\":\"([^\"]*)\".*", "$1"))
                .sorted()
                .collect(Collectors.toList());
    }

    @Test
    void shouldKeepAnAnswerOfEachRequest() throws Exception {
        writeMany(200);
        BatchTotals totals = run(16, BatchRunTest::well);
        assertThat(ids(answers)).hasSize(200).doesNotHaveDuplicates();
        assertThat(Files.readAllLines(answers))
                .contains("{\"id\":\"batch_req_8\",\"custom_id\":\"r7\",\"response\":"
                        + "{\"status_code\":200,\"request_id\":\"id\",\"body\":{\"is\":\"r7\",\"usage\":{\"prompt_tokens\":3,"
                        + "\"completion_tokens\":4}}},\"cost\":\"0.25 EUR\",\"error\":null}");
        assertThat(totals.tokens()).isEqualTo(200 * 7);
        assertThat(totals.costs().get("EUR")).isEqualByComparingTo("50");
        assertThat(Files.readString(errors)).isEmpty();
    }

    @Test
    void shouldSendNoMoreAtATimeThanItMay() throws Exception {
        writeMany(100);
        AtomicInteger now = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        run(5, line -> {
            most.accumulateAndGet(now.incrementAndGet(), Math::max);
            Thread.yield();
            now.decrementAndGet();
            return well(line);
        });
        assertThat(most.get()).isBetween(1, 5);
    }

    @Test
    void shouldAskForWhatRequestsDoNotSay() throws Exception {
        write(
                line("a"),
                "{\"custom_id\":\"b\",\"url\":\"/v1/completions\",\"body\":{\"service_tier\":\"default\",\"seed\":7}}");
        List<String> bodies = Collections.synchronizedList(new ArrayList<>());
        run(1, line -> {
            bodies.add(new String(line.body(), StandardCharsets.UTF_8));
            return well(line);
        });
        assertThat(bodies)
                .containsExactly(
                        "{\"model\":\"m\",\"service_tier\":\"flex\"}", "{\"service_tier\":\"default\",\"seed\":7}");
    }

    @Test
    void shouldKeepWhatIsRefusedApart() throws Exception {
        writeMany(6);
        BatchTotals totals = run(
                2,
                line -> line.number() % 3 == 0
                        ? reply(400, Optional.empty(), "", "{\"error\":{\"message\":\"no\"}}")
                        : well(line));
        assertThat(ids(errors)).containsExactly("r2", "r5");
        assertThat(ids(answers)).containsExactly("r0", "r1", "r3", "r4");
        assertThat(totals.failed()).isEqualTo(2);
    }

    @Test
    void shouldGoOnWhereItWasBrokenOff() throws Exception {
        writeMany(50);
        assertThatThrownBy(() -> run(3, line -> {
                    if (line.number() > 20) {
                        throw new IllegalStateException("broken off");
                    }
                    return well(line);
                }))
                .hasMessage("broken off");
        int before = ids(answers).size();
        assertThat(before).isBetween(1, 20);
        List<String> sent = Collections.synchronizedList(new ArrayList<>());
        BatchTotals totals = run(3, line -> {
            sent.add(line.customId());
            return well(line);
        });
        assertThat(sent).hasSize(50 - before);
        assertThat(totals.before()).isEqualTo(before);
        assertThat(totals.done()).isEqualTo(50);
        assertThat(ids(answers)).hasSize(50).doesNotHaveDuplicates();
    }

    @Test
    void shouldCountNoResultsOfOtherFiles() throws Exception {
        writeMany(5);
        run(1, BatchRunTest::well);
        write(line("r1"), line("other"));
        BatchTotals totals = run(1, BatchRunTest::well);
        assertThat(totals.before()).isEqualTo(1);
        assertThat(totals.done()).isEqualTo(2);
    }

    @Test
    void shouldTakeHalfALineAway() throws Exception {
        writeMany(3);
        run(1, BatchRunTest::well);
        String whole = Files.readString(answers);
        Files.writeString(answers, whole.substring(0, whole.length() - 20));
        run(1, BatchRunTest::well);
        assertThat(Files.readString(answers)).isEqualTo(whole);
    }

    @Test
    void shouldSendWhatFailedOnceMoreWhereThatIsWanted() throws Exception {
        writeMany(4);
        run(1, line -> reply(line.number() < 3 ? 200 : 400, Optional.empty(), "", "{}"));
        assertThat(run(1, BatchRunTest::well).done()).isEqualTo(4);
        assertThat(ids(answers)).hasSize(2);
        assertThat(run(1, true, BatchRunTest::well).answered()).isEqualTo(2);
        assertThat(ids(answers)).hasSize(4);
        assertThat(Files.readString(errors)).isEmpty();
    }

    @Test
    void shouldAskAServerThatIsBusyAgainWhenItSays() throws Exception {
        write(line("a"));
        AtomicInteger tries = new AtomicInteger();
        BatchTotals totals = run(
                1,
                line -> tries.incrementAndGet() < 9
                        ? reply(429, Optional.of(Duration.ofSeconds(7)), "", "{}")
                        : well(line));
        assertThat(totals.answered()).isEqualTo(1);
        assertThat(totals.repeated()).isEqualTo(8);
        assertThat(time.pauses.subList(0, 4)).containsOnly(Duration.ofSeconds(7));
        assertThat(time.pauses).isSorted().last().isEqualTo(Duration.ofSeconds(30));
    }

    @Test
    void shouldNotAskForEverWhereTheServerFailsOnARequest() throws Exception {
        writeMany(2);
        AtomicInteger tries = new AtomicInteger();
        BatchTotals totals = run(1, line -> {
            tries.incrementAndGet();
            return reply(500, Optional.of(Duration.ZERO), "", "{\"error\":{\"message\":\"oh\"}}");
        });
        assertThat(tries.get()).isEqualTo(2 * BatchRun.TRIES);
        assertThat(totals.failed()).isEqualTo(2);
    }

    @Test
    void shouldGiveUpAServerThatIsAwayForLong() throws Exception {
        writeMany(2);
        assertThatThrownBy(() -> run(1, line -> {
                    throw new ConnectException();
                }))
                .isInstanceOf(BatchException.class)
                .hasMessageContaining("nothing was answered for 600 s")
                .hasMessageContaining("nobody listens")
                .hasMessageContaining("go on");
        assertThat(time.nanos()).isGreaterThan(Duration.ofMinutes(10).toNanos());
    }

    @Test
    void shouldSendNothingMoreOnceItIsStopped() throws Exception {
        writeMany(20);
        BatchResults results = new BatchResults(answers, errors, false, bytes -> {});
        AtomicInteger sent = new AtomicInteger();
        BatchRun[] running = new BatchRun[1];
        BatchRun.Sender sender = line -> {
            if (sent.incrementAndGet() == 3) {
                running[0].stop();
                return reply(503, Optional.of(Duration.ofDays(1)), "", "{}");
            }
            return well(line);
        };
        try (BatchRun run = new BatchRun(
                new BatchFile(input, ""),
                BatchFile.check(input, ""),
                results,
                sender,
                Duration.ofDays(9),
                BatchRun.Time.REAL)) {
            running[0] = run;
            run.run(1);
            assertThat(run.totals().done()).isEqualTo(2);
        }
        assertThat(sent.get()).isEqualTo(3);
    }

    @Test
    void shouldEndWhereTheKeyIsNone() throws Exception {
        writeMany(20);
        AtomicInteger tries = new AtomicInteger();
        assertThatThrownBy(() -> run(1, line -> {
                    tries.incrementAndGet();
                    return reply(401, Optional.empty(), "", "{\"error\":{\"message\":\"no such key\"}}");
                }))
                .hasMessage("the server refuses the key: no such key");
        assertThat(tries.get()).isEqualTo(1);
        assertThat(Files.readString(errors)).isEmpty();
    }

    @Test
    void shouldKeepWhatIsNoJsonAsText() throws Exception {
        write(line("a"));
        run(1, line -> reply(502, Optional.empty(), "", "<html>\n"));
        assertThat(Files.readString(errors)).contains("\"body\":\"<html>\\n\"");
    }

    @Test
    void shouldKeepEachResultInALine() throws Exception {
        write(line("a"));
        run(1, line -> reply(200, Optional.empty(), "", "{\n  \"a\": [1,\n 2]\n}"));
        assertThat(Files.readAllLines(answers)).hasSize(1).first().asString().contains("\"body\":{\"a\":[1,2]}");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "not json | line 1: ",
                "{\"url\":\"/v1/completions\",\"body\":{}} | custom_id",
                "{\"custom_id\":\"\",\"url\":\"/v1/completions\",\"body\":{}} | 'custom_id' has 0 characters",
                "{\"custom_id\":\"a\",\"url\":\"/admin/v1/keys\",\"body\":{}} | 'url' is '/admin/v1/keys'; it must be one of",
                "{\"custom_id\":\"a\",\"url\":\"/v1/completions\"} | 'body' is missing",
                "{\"custom_id\":\"a\",\"method\":\"GET\",\"url\":\"/v1/completions\",\"body\":{}} | only POST",
                "{\"custom_id\":\"a\",\"url\":\"/v1/completions\",\"body\":{\"stream\":true}} | 'stream' is true"
            })
    void shouldSendNothingOfAFileWithAWrongLine(String wrong, String why) throws Exception {
        write(wrong, line("good"));
        assertThatThrownBy(() -> run(1, BatchRunTest::well))
                .isInstanceOf(BatchException.class)
                .hasMessageContaining("nothing was sent")
                .hasMessageContaining(why);
        assertThat(answers).doesNotExist();
    }

    @Test
    void shouldNameALineThatRepeatsAnId() throws Exception {
        write(line("a"), "", line("b"), line("a"));
        assertThatThrownBy(() -> run(1, BatchRunTest::well))
                .hasMessageContaining("line 4: custom_id 'a' was there before");
    }

    @Test
    void shouldRefuseResultsThatAreOfSomethingElse() throws Exception {
        write(line("a"));
        Files.writeString(answers, "a diary\n");
        assertThatThrownBy(() -> run(1, BatchRunTest::well))
                .hasMessageContaining("out.jsonl, line 1, is no result of a batch");
        assertThat(Files.readString(answers)).isEqualTo("a diary\n");
    }
}
