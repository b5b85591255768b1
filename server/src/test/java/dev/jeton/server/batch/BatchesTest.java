package dev.jeton.server.batch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.server.config.Configuration.BatchSettings;
import dev.jeton.server.json.Json;
import dev.jeton.server.testing.Eventually;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BatchesTest {

    private static final BatchOwner RED = new BatchOwner("red", "", "app");
    private static final BatchOwner BLUE = new BatchOwner("blue", "", "app");

    /** Pauses end at once. */
    private static final BatchRun.Time TIME = new BatchRun.Time() {
        @Override
        public long nanos() {
            return 0;
        }

        @Override
        public boolean ended(Duration length, CountDownLatch end) {
            Thread.yield();
            return end.getCount() == 0;
        }
    };

    @TempDir
    private Path folder;

    private final AtomicLong seconds = new AtomicLong(1_000_000);
    private final List<Batches> open = new ArrayList<>();

    @AfterEach
    void close() {
        open.forEach(Batches::close);
    }

    private static BatchSettings settings(Path in, long bytes, int parallel) {
        return new BatchSettings(in.toString(), 1 << 20, 100, bytes, 8, 1_000, parallel, Duration.ofDays(30));
    }

    private Batches open(Path in, Batches.Answering answering) {
        return open(settings(in, 1L << 30, 4), answering);
    }

    private Batches open(BatchSettings settings, Batches.Answering answering) {
        Batches batches = new Batches(settings, 10_000, answering, seconds::get, TIME);
        open.add(batches);
        return batches;
    }

    private static String line(String id) {
        return "{\"custom_id\":\"%s\",\"method\":\"POST\",\"url\":\"/v1/completions\",\"body\":{\"model\":\"m\"}}"
                .formatted(id);
    }

    private static String lines(int count) {
        return IntStream.range(0, count).mapToObj(i -> line("r" + i)).collect(Collectors.joining("\n"));
    }

    private static BatchReply well(BatchLine line, Batch batch) {
        return new BatchReply(
                200,
                "id",
                Optional.empty(),
                "0.25 EUR",
                ("{\"is\":\"%s\",\"usage\":{\"prompt_tokens\":3,\"prompt_tokens_details\":{\"cached_tokens\":2},"
                                + "\"completion_tokens\":4}}")
                        .formatted(line.customId())
                        .getBytes(StandardCharsets.UTF_8));
    }

    private static BatchReply refused(String why) {
        return new BatchReply(400, "id", Optional.empty(), "", why.getBytes(StandardCharsets.UTF_8));
    }

    private String upload(Batches batches, BatchOwner owner, String text) {
        try {
            Path content =
                    Files.writeString(Files.createTempFile(batches.files().incoming(), "up", ""), text);
            return batches.files()
                    .add(owner, "in.jsonl", StoredFile.INPUT, content, 1 << 20, 0)
                    .id();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static Batch.Asked asked(String file) {
        return new Batch.Asked(file, "/v1/completions", "24h", 86_400, 3_600, Map.of("for", "test"), Map.of());
    }

    private Batch submit(Batches batches, BatchOwner owner, String text) {
        return batches.create("batch", owner, asked(upload(batches, owner, text)), 0);
    }

    private static Batch ended(Batches batches, Batch batch) {
        Eventually.until(
                "the batch has ended",
                () -> batches.find(batch.owner(), batch.id()).status().ended());
        return batches.find(batch.owner(), batch.id());
    }

    private static List<String> content(Batches batches, BatchOwner owner, String file) {
        try {
            return Files.readAllLines(batches.files().content(batches.files().find(owner, file)));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static List<String> ids(List<String> results) {
        return results.stream()
                .map(line -> Json.object(line.getBytes(StandardCharsets.UTF_8)).text("custom_id"))
                .toList();
    }

    @Test
    void answersEveryRequestAndAddsUpWhatWasUsed() {
        Batches batches =
                open(folder, (line, batch) -> line.customId().equals("r3") ? refused("{\"no\":1}") : well(line, batch));
        batches.start();

        Batch batch = ended(batches, submit(batches, RED, lines(20)));

        assertThat(batch.status()).isEqualTo(BatchStatus.COMPLETED);
        assertThat(batch.counts()).isEqualTo(new Batch.Counts(20, 19, 1, 0));
        assertThat(batch.used().inputTokens()).isEqualTo(57);
        assertThat(batch.used().cachedTokens()).isEqualTo(38);
        assertThat(batch.used().outputTokens()).isEqualTo(76);
        assertThat(batch.used().costs().get("EUR")).isEqualByComparingTo("4.75");
        assertThat(batch.since().keySet())
                .containsExactly(
                        BatchStatus.VALIDATING, BatchStatus.IN_PROGRESS, BatchStatus.FINALIZING, BatchStatus.COMPLETED);
        List<String> answers = content(batches, RED, batch.outputs().answers());
        assertThat(ids(answers)).hasSize(19).doesNotContain("r3").doesNotHaveDuplicates();
        assertThat(answers).allSatisfy(line -> assertThat(line).contains("\"status_code\":200"));
        assertThat(content(batches, RED, batch.outputs().errors()))
                .singleElement()
                .satisfies(line -> assertThat(line).contains("\"r3\"").contains("\"status_code\":400"));
    }

    @Test
    void hasNoFileOfErrorsWhereThereAreNone() {
        Batches batches = open(folder, BatchesTest::well);
        batches.start();

        Batch batch = ended(batches, submit(batches, RED, lines(3)));

        assertThat(batch.outputs().hasAnswers()).isTrue();
        assertThat(batch.outputs().hasErrors()).isFalse();
        assertThatThrownBy(() -> batches.files().find(RED, batch.outputs().errors()))
                .isInstanceOf(BatchRefusal.class);
    }

    @Test
    void saysWhichLinesAreWrongBeforeAnythingIsAnswered() {
        AtomicInteger answered = new AtomicInteger();
        Batches batches = open(folder, (line, batch) -> {
            answered.incrementAndGet();
            return well(line, batch);
        });
        batches.start();
        String wrong = String.join(
                "\n",
                line("a"),
                "{not json",
                line("a"),
                line("b").replace("/v1/completions", "/v1/embeddings"),
                line("c").replace("\"m\"", "\"" + "m".repeat(20_000) + "\""),
                line("d"));

        Batch batch = ended(batches, submit(batches, RED, wrong));

        assertThat(batch.status()).isEqualTo(BatchStatus.FAILED);
        assertThat(batch.problems())
                .extracting(BatchProblem::code)
                .containsExactly("invalid_line", "duplicate_custom_id", "mismatched_endpoint", "too_large");
        assertThat(batch.problems()).extracting(BatchProblem::line).containsExactly(2L, 3L, 4L, 5L);
        assertThat(answered).hasValue(0);
    }

    @Test
    void refusesRequestsWhoseAnswersWouldNotBeWaitedFor() {
        Batches batches = open(folder, BatchesTest::well);
        batches.start();
        Batch.Asked asked = new Batch.Asked(
                upload(
                        batches,
                        RED,
                        line("a").replace("/completions", "/responses").replace("\"m\"", "\"m\",\"background\":true")),
                "/v1/responses",
                "24h",
                86_400,
                3_600,
                Map.of(),
                Map.of());
        Batch batch = ended(batches, batches.create("batch", RED, asked, 0));
        assertThat(batch.status()).isEqualTo(BatchStatus.FAILED);
        assertThat(batch.problems())
                .singleElement()
                .satisfies(problem -> assertThat(problem.message()).contains("'background' is true"));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1_001})
    void refusesAFileWithoutRequestsOrWithTooMany(int count) {
        Batches batches = open(folder, BatchesTest::well);
        batches.start();
        Batch batch = ended(batches, submit(batches, RED, lines(count)));
        assertThat(batch.status()).isEqualTo(BatchStatus.FAILED);
        assertThat(batch.problems())
                .extracting(BatchProblem::code)
                .containsExactly(count == 0 ? "empty_file" : "too_many_requests");
    }

    @Test
    void asksAgainWhereTheServerIsBusy() {
        Map<String, AtomicInteger> tries =
                IntStream.range(0, 10).boxed().collect(Collectors.toMap(i -> "r" + i, i -> new AtomicInteger()));
        Batches batches = open(
                folder,
                (line, batch) -> tries.get(line.customId()).incrementAndGet() < 4
                        ? BatchReply.of(429, name -> Optional.empty(), new byte[0])
                        : well(line, batch));
        batches.start();
        Batch batch = ended(batches, submit(batches, RED, lines(10)));
        assertThat(batch.counts()).isEqualTo(new Batch.Counts(10, 10, 0, 0));
        assertThat(tries.values()).allSatisfy(count -> assertThat(count).hasValue(4));
    }

    @Test
    void failsWhereTheKeyIsNotAcceptedAnyMoreAndKeepsWhatWasAnswered() {
        AtomicInteger count = new AtomicInteger();
        Batches batches = open(
                settings(folder, 1L << 30, 1),
                (line, batch) -> count.incrementAndGet() > 5
                        ? BatchReply.of(
                                401,
                                name -> Optional.empty(),
                                "{\"error\":{\"message\":\"gone\"}}".getBytes(StandardCharsets.UTF_8))
                        : well(line, batch));
        batches.start();
        Batch batch = ended(batches, submit(batches, RED, lines(10)));
        assertThat(batch.status()).isEqualTo(BatchStatus.FAILED);
        assertThat(batch.problems())
                .singleElement()
                .satisfies(problem -> assertThat(problem.message()).contains("gone"));
        assertThat(batch.counts()).isEqualTo(new Batch.Counts(10, 5, 5, 5));
        assertThat(content(batches, RED, batch.outputs().answers())).hasSize(5);
        assertThat(content(batches, RED, batch.outputs().errors()))
                .hasSize(5)
                .allSatisfy(line -> assertThat(line).contains("batch_failed").contains("gone"));
    }

    @Test
    void endsWhatIsBeingAnsweredWhereItIsCancelled() throws InterruptedException {
        Semaphore begun = new Semaphore(0);
        CountDownLatch go = new CountDownLatch(1);
        Batches batches = open(folder, (line, batch) -> {
            begun.release();
            go.await();
            return well(line, batch);
        });
        batches.start();
        Batch batch = submit(batches, RED, lines(50));
        begun.acquire(3);

        assertThat(batches.cancel(RED, batch.id()).status()).isEqualTo(BatchStatus.CANCELLING);
        go.countDown();

        Batch end = ended(batches, batch);
        assertThat(end.status()).isEqualTo(BatchStatus.CANCELLED);
        assertThat(end.counts()).isEqualTo(new Batch.Counts(50, 3, 47, 47));
        assertThat(content(batches, RED, end.outputs().errors()))
                .hasSize(47)
                .allSatisfy(line -> assertThat(line).contains("batch_cancelled"));
        assertThat(content(batches, RED, end.outputs().answers())).hasSize(3);
        assertThatThrownBy(() -> batches.cancel(RED, batch.id()))
                .isInstanceOf(BatchRefusal.class)
                .hasMessageContaining("cancelled");
    }

    @Test
    void saysOfWhatHadNoTurnThatTheTimeIsOver() throws InterruptedException {
        Semaphore begun = new Semaphore(0);
        Semaphore go = new Semaphore(2);
        Batches batches = open(settings(folder, 1L << 30, 1), (line, batch) -> {
            begun.release();
            go.acquire();
            return well(line, batch);
        });
        batches.start();
        Batch batch = submit(batches, RED, lines(10));
        begun.acquire(3);
        seconds.addAndGet(86_400);
        batches.tick();
        go.release();

        Batch end = ended(batches, batch);
        assertThat(end.status()).isEqualTo(BatchStatus.EXPIRED);
        assertThat(end.counts()).isEqualTo(new Batch.Counts(10, 3, 7, 7));
        assertThat(content(batches, RED, end.outputs().errors()))
                .hasSize(7)
                .allSatisfy(line -> assertThat(line).contains("batch_expired").contains("\"response\":null"));
    }

    /** A process may die at any moment: another that finds its folder has each request's result once. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void goesOnWhereverAnotherProcessDied(long seed) throws Exception {
        Random random = new Random(seed);
        int count = 40;
        int diesAfter = random.nextInt(count + 1);
        Path copy = folder.resolve("copy");
        CountDownLatch copied = new CountDownLatch(1);
        AtomicInteger answered = new AtomicInteger();
        CountDownLatch reached = new CountDownLatch(diesAfter);
        Batches first = open(folder.resolve("first"), (line, batch) -> {
            if (answered.incrementAndGet() > diesAfter) {
                copied.await();
            }
            reached.countDown();
            return well(line, batch);
        });
        first.start();
        Batch batch = submit(first, RED, lines(count));
        reached.await();
        copy(folder.resolve("first"), copy);
        tear(copy.resolve("batches").resolve(batch.id() + ".answers.jsonl"), random);

        Batches second = open(copy, BatchesTest::well);
        second.start();
        Batch end = ended(second, batch);
        copied.countDown();

        assertThat(end.status()).as("seed %d", seed).isEqualTo(BatchStatus.COMPLETED);
        assertThat(end.counts()).as("seed %d", seed).isEqualTo(new Batch.Counts(count, count, 0, 0));
        assertThat(ids(content(second, RED, end.outputs().answers())))
                .as("seed %d", seed)
                .hasSize(count)
                .doesNotHaveDuplicates();
        assertThat(second.files().bytes())
                .as("seed %d: only what is kept counts", seed)
                .isEqualTo(second.files().list(RED).stream()
                        .mapToLong(StoredFile::bytes)
                        .sum());
    }

    private static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> all = Files.walk(from)) {
            for (Path each : all.toList()) {
                if (!each.getFileName().toString().equals("lock")) {
                    Files.copy(each, to.resolve(from.relativize(each).toString()), StandardCopyOption.REPLACE_EXISTING);
                }
            }
        }
    }

    /** The last line of what was being written may be half there. */
    private static void tear(Path file, Random random) throws IOException {
        if (Files.exists(file) && Files.size(file) > 0) {
            byte[] bytes = Files.readAllBytes(file);
            Files.write(file, Arrays.copyOf(bytes, bytes.length - random.nextInt(Math.min(60, bytes.length))));
        }
    }

    @Test
    void endsAFinalizingBatchWhoseFilesAreThereAlready() throws Exception {
        Batches first = open(folder.resolve("first"), BatchesTest::well);
        first.start();
        Batch batch = ended(first, submit(first, RED, lines(5)));
        first.close();
        open.remove(first);
        Path copy = folder.resolve("copy");
        copy(folder.resolve("first"), copy);
        new BatchRecords(copy).write(batch.at(BatchStatus.FINALIZING, 5));

        Batches second = open(copy, (line, of) -> refused("nothing is to be asked"));
        second.start();

        Batch end = ended(second, batch);
        assertThat(end.status()).isEqualTo(BatchStatus.COMPLETED);
        assertThat(end.counts()).isEqualTo(new Batch.Counts(5, 5, 0, 0));
        assertThat(content(second, RED, end.outputs().answers())).hasSize(5);
    }

    @Test
    void leavesTheRestToTheNextProcessWhereItIsStopped() throws InterruptedException {
        Semaphore begun = new Semaphore(0);
        Semaphore go = new Semaphore(2);
        Batches first = open(settings(folder, 1L << 30, 1), (line, batch) -> {
            begun.release();
            go.acquire();
            return well(line, batch);
        });
        first.start();
        Batch batch = submit(first, RED, lines(10));
        begun.acquire(3);
        first.stop();
        go.release();
        first.close();
        open.remove(first);

        AtomicInteger asked = new AtomicInteger();
        Batches second = open(folder, (line, of) -> {
            asked.incrementAndGet();
            return well(line, of);
        });
        assertThat(second.find(RED, batch.id()).status()).isEqualTo(BatchStatus.IN_PROGRESS);
        second.start();
        assertThat(ended(second, batch).counts()).isEqualTo(new Batch.Counts(10, 10, 0, 0));
        assertThat(asked).hasValue(7);
    }

    @Test
    void keepsWhatWasAnsweredWhereThereIsNoRoomForMore() {
        Batches batches = open(
                settings(folder, 80_000, 1),
                (line, batch) -> new BatchReply(
                        200,
                        "",
                        Optional.empty(),
                        "",
                        ("\"" + "x".repeat(4_000) + "\"").getBytes(StandardCharsets.UTF_8)));
        batches.start();
        Batch batch = ended(batches, submit(batches, RED, lines(20)));
        assertThat(batch.status()).isEqualTo(BatchStatus.FAILED);
        assertThat(batch.problems()).extracting(BatchProblem::code).containsExactly("no_room");
        assertThat(batch.counts().completed()).isBetween(3, 6);
        assertThat(content(batches, RED, batch.outputs().answers()))
                .hasSize(batch.counts().completed());
        assertThat(content(batches, RED, batch.outputs().errors()))
                .hasSize(20 - batch.counts().completed())
                .allSatisfy(line -> assertThat(line).contains("no_room"));
    }

    @Test
    void letsAnotherTenantsBatchMoveOnBesideALargeOne() throws InterruptedException {
        CountDownLatch go = new CountDownLatch(1);
        Semaphore red = new Semaphore(0);
        Batches batches = open(folder, (line, batch) -> {
            if (batch.owner().equals(RED)) {
                red.release();
                go.await();
            }
            return well(line, batch);
        });
        batches.start();
        submit(batches, RED, lines(100));
        red.acquire(3);
        Batch blue = ended(batches, submit(batches, BLUE, lines(30)));
        assertThat(blue.counts().completed()).isEqualTo(30);
        assertThat(batches.stats().running()).isEqualTo(3);
        go.countDown();
    }

    @Test
    void showsNobodyWhatIsAnothers() {
        Batches batches = open(folder, BatchesTest::well);
        batches.start();
        Batch batch = ended(batches, submit(batches, RED, lines(1)));
        assertThatThrownBy(() -> batches.find(BLUE, batch.id())).isInstanceOf(BatchRefusal.class);
        assertThatThrownBy(() -> batches.cancel(BLUE, batch.id())).hasMessageContaining("There is no batch");
        assertThatThrownBy(
                        () -> batches.create("batch", BLUE, asked(batch.asked().inputFile()), 0))
                .hasMessageContaining("There is no file");
        assertThat(batches.list("batch", BLUE)).isEmpty();
        assertThat(batches.files().list(BLUE)).isEmpty();
    }

    @Test
    void removesNoFileThatABatchReads() throws InterruptedException {
        CountDownLatch go = new CountDownLatch(1);
        Semaphore begun = new Semaphore(0);
        Batches batches = open(folder, (line, batch) -> {
            begun.release();
            go.await();
            return well(line, batch);
        });
        batches.start();
        Batch batch = submit(batches, RED, lines(2));
        String file = batch.asked().inputFile();
        begun.acquire();
        assertThatThrownBy(() -> batches.files().remove(RED, file)).hasMessageContaining("read by a batch");
        go.countDown();
        ended(batches, batch);
        Eventually.until("nobody reads it", () -> {
            try {
                batches.files().remove(RED, file);
                return true;
            } catch (BatchRefusal read) {
                return false;
            }
        });
    }

    @Test
    void takesNoMoreBatchesThanMayBeOpen() {
        Batches batches = open(folder, BatchesTest::well);
        String file = upload(batches, RED, lines(1));
        batches.create("batch", RED, asked(file), 0);
        batches.create("batch", RED, asked(file), 0);
        assertThatThrownBy(() -> batches.create("batch", RED, asked(file), 0))
                .isInstanceOfSatisfying(
                        BatchRefusal.class, e -> assertThat(e.reason()).isEqualTo(BatchRefusal.Reason.FULL))
                .hasMessageContaining("2 of them of this tenant");
        submit(batches, BLUE, lines(1));
    }

    @Test
    void forgetsResultsAndBatchesInTime() {
        Batches batches = open(folder, BatchesTest::well);
        batches.start();
        Batch batch = ended(batches, submit(batches, RED, lines(2)));
        seconds.addAndGet(3_600);
        batches.tick();
        assertThatThrownBy(() -> batches.files().find(RED, batch.outputs().answers()))
                .isInstanceOf(BatchRefusal.class);
        assertThat(batches.find(RED, batch.id())).isEqualTo(batch);
        seconds.addAndGet(Duration.ofDays(30).toSeconds());
        batches.tick();
        assertThatThrownBy(() -> batches.find(RED, batch.id())).isInstanceOf(BatchRefusal.class);
        assertThat(batches.files().list(RED)).hasSize(1);
    }

    @Test
    void sharesItsFolderWithNobody() {
        open(folder, BatchesTest::well);
        assertThatThrownBy(() -> open(folder, BatchesTest::well))
                .isInstanceOf(BatchException.class)
                .hasMessageContaining("another process has the batches");
    }

    /**
     * Where the disk fails between two writes, or the process dies there, results are where the next one finds them.
     */
    @Test
    void losesNoResultsWhereTheDescriptionOfTheirFileCannotBeWritten() throws IOException {
        Semaphore go = new Semaphore(0);
        Batches first = open(folder.resolve("first"), (line, batch) -> {
            go.acquire();
            return well(line, batch);
        });
        first.start();
        Batch batch = submit(first, RED, lines(5));
        String answers = batch.outputs().answers();
        Path obstacle = Files.createDirectory(folder.resolve("first/files/" + answers + ".json.half"));
        Path content = folder.resolve("first/files/" + answers + ".data");
        Path kept = folder.resolve("first/batches/" + batch.id() + ".answers.jsonl");
        go.release(5);
        Eventually.until("all is answered", () -> first.find(RED, batch.id()).status() == BatchStatus.FINALIZING);
        first.close();
        open.remove(first);
        assertThat(content).doesNotExist();
        assertThat(kept).exists();
        Files.delete(obstacle);

        Batches second = open(folder.resolve("first"), (line, of) -> refused("nothing is to be asked"));
        second.start();
        assertThat(ended(second, batch).counts()).isEqualTo(new Batch.Counts(5, 5, 0, 0));
    }

    @Test
    void goesOnWhereTheDiskIsWellAgain() throws IOException {
        Semaphore go = new Semaphore(0);
        AtomicInteger asked = new AtomicInteger();
        AtomicReference<Path> obstacle = new AtomicReference<>();
        BatchRun.Time clearing = new BatchRun.Time() {
            @Override
            public long nanos() {
                return 0;
            }

            @Override
            public boolean ended(Duration length, CountDownLatch end) {
                assertThat(obstacle.get().toFile().delete()).isTrue();
                return false;
            }
        };
        Batches batches = new Batches(
                settings(folder, 1L << 30, 4),
                10_000,
                (line, batch) -> {
                    asked.incrementAndGet();
                    go.acquire();
                    return well(line, batch);
                },
                seconds::get,
                clearing);
        open.add(batches);
        batches.start();
        Batch batch = submit(batches, RED, lines(5));
        obstacle.set(
                Files.createDirectory(folder.resolve("files/" + batch.outputs().answers() + ".json.half")));
        go.release(5);

        assertThat(ended(batches, batch).counts()).isEqualTo(new Batch.Counts(5, 5, 0, 0));
        assertThat(asked).hasValue(5);
    }

    @Test
    void failsWhereTheServerFailsInAWayThatNobodyForesaw() {
        Batches batches = open(settings(folder, 1L << 30, 1), (line, batch) -> {
            if (line.customId().equals("r3")) {
                throw new IllegalStateException("unforeseen");
            }
            return well(line, batch);
        });
        batches.start();
        Batch batch = ended(batches, submit(batches, RED, lines(5)));
        assertThat(batch.status()).isEqualTo(BatchStatus.FAILED);
        assertThat(batch.counts()).isEqualTo(new Batch.Counts(5, 3, 2, 2));
    }

    @Test
    void tellsARequestsEndOnceWhereTheKeyIsRefusedWhileItIsCancelled() throws InterruptedException {
        Semaphore begun = new Semaphore(0);
        Semaphore go = new Semaphore(0);
        Batches batches = open(settings(folder, 1L << 30, 1), (line, batch) -> {
            begun.release();
            go.acquire();
            return BatchReply.of(401, name -> Optional.empty(), new byte[0]);
        });
        batches.start();
        Batch batch = submit(batches, RED, lines(5));
        begun.acquire();
        batches.cancel(RED, batch.id());
        go.release();
        Batch end = ended(batches, batch);
        assertThat(end.counts()).isEqualTo(new Batch.Counts(5, 0, 5, 5));
        assertThat(ids(content(batches, RED, end.outputs().errors())))
                .hasSize(5)
                .doesNotHaveDuplicates();
    }

    @Test
    void expiresBatchesWhereAnotherCannotBeForgotten() throws Exception {
        Semaphore begun = new Semaphore(0);
        Batches batches = open(settings(folder, 1L << 30, 1), (line, batch) -> {
            begun.release();
            return line.customId().equals("busy")
                    ? BatchReply.of(429, name -> Optional.empty(), new byte[0])
                    : well(line, batch);
        });
        batches.start();
        Batch old = ended(batches, submit(batches, RED, lines(1)));
        begun.acquire();
        Path obstacle = Files.createDirectory(folder.resolve("batches/" + old.id() + ".answers.jsonl"));
        Files.writeString(obstacle.resolve("full"), "");
        seconds.addAndGet(Duration.ofDays(30).toSeconds() - 80_000);
        Batch late = submit(batches, BLUE, line("busy"));
        begun.acquire();
        seconds.addAndGet(86_400);
        batches.tick();
        assertThat(ended(batches, late).status()).isEqualTo(BatchStatus.EXPIRED);
    }

    @Test
    void takesNoRoomForABatchThatCannotBeKept() throws IOException {
        Batches batches = open(folder, BatchesTest::well);
        String file = upload(batches, RED, lines(1));
        int before = batches.files().count();
        Files.delete(folder.resolve("batches"));
        assertThatThrownBy(() -> batches.create("batch", RED, asked(file), 0)).isInstanceOf(BatchException.class);
        assertThat(batches.files().count()).isEqualTo(before);
    }

    @Test
    void takesNoRoomForRefusalsThatAreNotKept() {
        AtomicInteger tries = new AtomicInteger();
        Batches batches = open(
                settings(folder, 40_000, 1),
                (line, batch) -> tries.incrementAndGet() < 100
                        ? BatchReply.of(429, name -> Optional.empty(), new byte[0])
                        : well(line, batch));
        batches.start();
        assertThat(ended(batches, submit(batches, RED, lines(1))).status()).isEqualTo(BatchStatus.COMPLETED);
    }

    @Test
    void removesWhatIsHalfThere() throws IOException {
        Batches first = open(folder, BatchesTest::well);
        String file = upload(first, RED, lines(1));
        first.close();
        open.remove(first);
        Files.writeString(folder.resolve("files/file-half.data"), "no description");
        Files.writeString(folder.resolve("files/file-half2.json.half"), "{");
        Files.writeString(folder.resolve("incoming/form1"), "cut off");
        Batches second = open(folder, BatchesTest::well);
        assertThat(second.files().list(RED)).extracting(StoredFile::id).containsExactly(file);
        try (Stream<Path> left = Files.walk(folder)) {
            assertThat(left.filter(Files::isRegularFile)
                            .map(path -> path.getFileName().toString()))
                    .containsExactlyInAnyOrder("lock", file + ".data", file + ".json");
        }
    }
}
