package dev.jeton.server.batch;

import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonException;
import java.io.IOException;
import java.math.BigDecimal;
import java.net.ConnectException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * Sends all requests of a file, so many at a time, and keeps what comes of them.
 *
 * <p>A server that is busy, draining or away is asked again, less and less often up to every half minute or when it
 * says; it is given up where nothing at all was answered for as long as the run has patience. What a server fails on by
 * itself (5xx) is tried {@value #TRIES} times. All else is the request's result. A key that is refused ends the run.
 */
public final class BatchRun implements AutoCloseable {

    /** How often a request is sent that a server fails on. */
    static final int TRIES = 5;

    private static final Duration FIRST_PAUSE = Duration.ofMillis(500);
    private static final Duration LAST_PAUSE = Duration.ofSeconds(30);

    /** Sends a request. */
    @FunctionalInterface
    interface Sender extends AutoCloseable {
        BatchReply send(BatchLine line) throws IOException, InterruptedException;

        @Override
        default void close() {}
    }

    /** Time, as tests have one of their own. */
    interface Time {
        long nanos();

        /** Lets it pass; whether it was ended before by opening the latch. */
        boolean ended(Duration length, CountDownLatch end) throws InterruptedException;

        /** The machine's. */
        Time REAL = new Time() {
            @Override
            public long nanos() {
                return System.nanoTime();
            }

            @Override
            public boolean ended(Duration length, CountDownLatch end) throws InterruptedException {
                return end.await(length.toNanos(), TimeUnit.NANOSECONDS);
            }
        };
    }

    private final BatchFile file;
    private final BatchResults results;
    private final Sender sender;
    private final Duration patience;
    private final Time time;
    private final int requests;
    private final int before;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<String, BigDecimal> costs = new HashMap<>();
    private int answered;
    private int failed;
    private int repeated;
    private long tokens;
    private volatile long heard;
    private volatile String trouble = "";
    private final CountDownLatch stopping = new CountDownLatch(1);
    private @Nullable RuntimeException failure;

    /**
     * Over files that are closed with it.
     *
     * @param requests of the file, their names
     */
    BatchRun(BatchFile file, Set<String> requests, BatchResults results, Sender sender, Duration patience, Time time) {
        this.file = file;
        this.requests = requests.size();
        this.results = results;
        this.sender = sender;
        this.patience = patience;
        this.time = time;
        before = (int) requests.stream().filter(results::has).count();
        heard = time.nanos();
    }

    /**
     * Reads a file and opens its results.
     *
     * @param tier what {@code service_tier} is of requests that do not say; empty leaves it out
     * @param again whether requests are sent again that failed in an earlier run
     * @throws BatchException where a line of the file is wrong, or results cannot be kept
     */
    public static BatchRun open(
            Path input, String tier, Path answers, Path errors, boolean again, BatchTarget target, Duration patience) {
        Set<String> requests = BatchFile.check(input, tier);
        BatchResults results = new BatchResults(answers, errors, again, bytes -> {});
        BatchClient client = new BatchClient(target, results.identity());
        return new BatchRun(new BatchFile(input, tier), requests, results, client, patience, Time.REAL);
    }

    /**
     * Sends what has no result yet, so many at a time, and returns at the end.
     *
     * @throws BatchException where it cannot go on; what was answered is kept
     */
    public void run(int parallel) throws InterruptedException {
        List<Thread> workers = new ArrayList<>();
        for (int i = 0; i < parallel; i++) {
            workers.add(Thread.ofVirtual().name("batch-" + i).start(this::work));
        }
        for (Thread worker : workers) {
            worker.join();
        }
        RuntimeException broken = failure;
        if (broken != null) {
            throw broken;
        }
    }

    /** Sends nothing more; what is under way may still be answered. */
    public void stop() {
        stopping.countDown();
    }

    private boolean stopped() {
        return stopping.getCount() == 0;
    }

    /** How far it is; any thread. */
    public BatchTotals totals() {
        lock.lock();
        try {
            return new BatchTotals(requests, before, answered, failed, repeated, tokens, costs, trouble);
        } finally {
            lock.unlock();
        }
    }

    private void work() {
        try {
            for (Optional<BatchLine> line = next(); line.isPresent(); line = next()) {
                send(line.get());
            }
        } catch (RuntimeException e) {
            fail(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void fail(RuntimeException broken) {
        lock.lock();
        try {
            if (failure == null) {
                failure = broken;
            }
            stop();
        } finally {
            lock.unlock();
        }
    }

    private Optional<BatchLine> next() {
        lock.lock();
        try {
            Optional<BatchLine> line = stopped() ? Optional.empty() : file.next();
            while (line.isPresent() && results.has(line.get().customId())) {
                line = file.next();
            }
            return line;
        } finally {
            lock.unlock();
        }
    }

    private void send(BatchLine line) throws InterruptedException {
        Duration pause = FIRST_PAUSE;
        for (int tries = 1; ; tries++) {
            Duration wanted = Duration.ZERO;
            String why;
            try {
                BatchReply reply = sender.send(line);
                if (reply.refusesAll()) {
                    throw new BatchException("the server refuses the key: " + words(reply));
                }
                boolean busy = reply.status() == 429 || reply.status() == 503 || reply.status() == 409;
                if (reply.again().isEmpty() || !busy && tries == TRIES) {
                    keep(line, reply);
                    return;
                }
                wanted = reply.again().get();
                why = words(reply);
            } catch (SSLException e) {
                throw new BatchException(
                        "the server's certificate is not trusted, or it speaks no TLS; name who issued it with --ca: "
                                + e.getMessage(),
                        e);
            } catch (ConnectException e) {
                why = "nobody listens where the server should be";
            } catch (IOException e) {
                why = "the server cannot be reached: " + e;
            }
            if (stoppedWhile(pause.compareTo(wanted) > 0 ? pause : wanted, why)) {
                return;
            }
            pause = pause.multipliedBy(2).compareTo(LAST_PAUSE) > 0 ? LAST_PAUSE : pause.multipliedBy(2);
        }
    }

    /** Waits before a request is sent once more; whether the run was stopped meanwhile. */
    private boolean stoppedWhile(Duration pause, String why) throws InterruptedException {
        if (time.nanos() - heard > patience.toNanos()) {
            throw new BatchException(
                    "nothing was answered for %d s, at last: %s. What was answered is kept: run the same"
                                    .formatted(patience.toSeconds(), why)
                            + " command again to go on");
        }
        trouble = why;
        lock.lock();
        try {
            repeated++;
        } finally {
            lock.unlock();
        }
        return time.ended(pause, stopping);
    }

    private void keep(BatchLine line, BatchReply reply) {
        heard = time.nanos();
        trouble = "";
        Optional<Object> json = reply.json();
        results.keep(line, reply, json);
        long used = reply.ok() ? tokens(json) : 0;
        lock.lock();
        try {
            if (reply.ok()) {
                answered++;
            } else {
                failed++;
            }
            tokens += used;
            String[] cost = reply.cost().split(" ");
            if (cost.length == 2) {
                costs.merge(cost[1], new BigDecimal(cost[0]), BigDecimal::add);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Of an answer in any of the APIs' words. */
    private static long tokens(Optional<Object> answer) {
        long sum = 0;
        if (answer.isPresent()
                && answer.get() instanceof Map<?, ?> fields
                && fields.get("usage") instanceof Map<?, ?> usage) {
            for (String name : List.of("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens")) {
                sum += usage.get(name) instanceof Long count ? count : 0;
            }
        }
        return sum;
    }

    private static String words(BatchReply reply) {
        try {
            return Json.object(reply.body())
                    .object("error")
                    .map(error -> error.text("message"))
                    .orElse("status " + reply.status());
        } catch (JsonException e) {
            return "status " + reply.status();
        }
    }

    @Override
    public void close() {
        try (file;
                results) {
            sender.close();
        }
    }
}
