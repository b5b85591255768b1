package dev.jeton.server.batch;

import dev.jeton.server.config.Configuration.BatchSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One batch on its way to its end, by a thread of its own ({@link #work}); others look, cancel and stop.
 *
 * <p>Whenever the process dies, the next one goes on: results are in their files line by line, and how far the batch is
 * is written before what follows from it is done. What was being answered then is asked for again.
 */
final class BatchJob {

    /** What all batches share. */
    record Workshop(
            BatchSettings settings,
            int mostBody,
            FileStore files,
            BatchRecords records,
            BatchPlaces places,
            Batches.Answering answering,
            LongSupplier seconds,
            BatchRun.Time time) {}

    private static final Logger LOG = LoggerFactory.getLogger(BatchJob.class);

    /** What {@code service_tier} is of requests that do not say. */
    private static final String TIER = "flex";

    /** A server that answers itself is waited for until the batch's time is over. */
    private static final Duration FOREVER = Duration.ofDays(36_500);

    /** After which it is tried again whether the disk is well. */
    private static final Duration PAUSE = Duration.ofSeconds(30);

    private final Workshop shop;
    private final ReentrantLock lock = new ReentrantLock();
    private final AtomicLong grown;
    private volatile Batch batch;
    private @Nullable BatchRun run;
    private @Nullable BatchResults results;
    private boolean overdue;
    private volatile boolean full;
    private volatile boolean halted;
    private final CountDownLatch stopping = new CountDownLatch(1);

    /** A batch that is not at its end, for which room is reserved. */
    BatchJob(Batch batch, Workshop shop) {
        this.batch = batch;
        this.shop = shop;
        grown = new AtomicLong(shop.records().resultBytes(batch));
        halted = batch.status() == BatchStatus.CANCELLING;
    }

    /** How far it is; any thread. */
    Batch batch() {
        lock.lock();
        try {
            BatchRun running = run;
            BatchResults kept = results;
            if (running == null || kept == null) {
                return batch;
            }
            BatchTotals totals = running.totals();
            return batch.with(new Batch.Counts(
                    totals.requests(),
                    kept.answeredBefore() + totals.answered(),
                    kept.failedBefore() + totals.failed(),
                    0));
        } finally {
            lock.unlock();
        }
    }

    /**
     * Ends it as soon as what is being answered is: nothing more is sent.
     *
     * @return how far it is
     * @throws BatchRefusal where it is at its end already
     */
    Batch cancel() {
        lock.lock();
        try {
            switch (batch.status()) {
                case VALIDATING, IN_PROGRESS -> {
                    save(batch.at(BatchStatus.CANCELLING, now()));
                    halt();
                }
                case CANCELLING -> {}
                case FINALIZING, COMPLETED, FAILED, EXPIRED, CANCELLED ->
                    throw new BatchRefusal(
                            BatchRefusal.Reason.CONFLICT,
                            "batch_id",
                            "The batch '%s' is %s and cannot be cancelled"
                                    .formatted(batch.id(), batch.shown().text()));
            }
        } finally {
            lock.unlock();
        }
        return batch();
    }

    /** Ends it where its time is over. */
    void expire() {
        lock.lock();
        try {
            if (batch.status() == BatchStatus.IN_PROGRESS && now() >= batch.expires()) {
                overdue = true;
                halt();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Sends nothing more; another process may go on. */
    void stop() {
        stopping.countDown();
        halt();
    }

    private boolean stopped() {
        return stopping.getCount() == 0;
    }

    private void halt() {
        lock.lock();
        try {
            halted = true;
            if (run != null) {
                run.stop();
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Brings it to its end, or as far as it comes before it is stopped. While the disk fails it is tried again, by and
     * by: nothing is asked for before a record can be written, since what is asked for is paid.
     */
    void work() throws InterruptedException {
        boolean again = false;
        while (!worked(again)) {
            again = true;
            if (shop.time().ended(PAUSE, stopping)) {
                return;
            }
        }
    }

    private boolean worked(boolean again) throws InterruptedException {
        try {
            if (again) {
                resume();
            }
            Optional<Path> input = shop.files().hold(batch.asked().inputFile());
            try {
                if (input.isEmpty() && hasRequests()) {
                    fail(List.of(new BatchProblem("file_not_found", 0, "The input file is not there any more")));
                } else if (hasRequests()) {
                    answer(input.get());
                }
            } finally {
                if (input.isPresent()) {
                    shop.files().release(batch.asked().inputFile());
                }
            }
            finish();
            return true;
        } catch (BatchException e) {
            LOG.error("batch {} cannot go on for now: {}", batch.id(), e.getMessage());
            return false;
        }
    }

    private void resume() {
        lock.lock();
        try {
            shop.records().write(batch);
            halted = stopped() || isCancelling() || full;
        } finally {
            lock.unlock();
        }
    }

    /** Whether some may still have no result. */
    private boolean hasRequests() {
        return switch (batch.status()) {
            case VALIDATING, IN_PROGRESS, CANCELLING -> true;
            case FINALIZING, COMPLETED, FAILED, EXPIRED, CANCELLED -> false;
        };
    }

    private void answer(Path input) throws InterruptedException {
        BatchCheck check = BatchCheck.of(input, TIER, batch.asked().endpoint(), shop.settings(), shop.mostBody());
        if (!check.problems().isEmpty()) {
            fail(check.problems());
            return;
        }
        try (BatchRun running = begin(input, check)) {
            expire();
            if (!halted) {
                run(
                        running,
                        input,
                        Math.min(shop.settings().parallel(), check.requests().size()));
            }
            settle(input, !halted);
        } catch (RuntimeException e) {
            fail(List.of(new BatchProblem("batch_failed", 0, why(e))));
        } finally {
            ended();
        }
    }

    /**
     * Decides how it has ended, once what had no turn is told.
     *
     * @param complete whether all had their turn
     */
    private void settle(Path input, boolean complete) {
        if (full && !isCancelling()) {
            String why = "There is no room for more results; delete files, and ask for the rest anew";
            keepUnsent(input, "no_room", why);
            fail(List.of(new BatchProblem("no_room", 0, why)));
        } else if (complete) {
            leave(BatchStatus.IN_PROGRESS, BatchStatus.FINALIZING);
        } else if (isOverdue()) {
            keepUnsent(input, "batch_expired", "The batch's time was over before this request had its turn");
            leave(BatchStatus.IN_PROGRESS, BatchStatus.EXPIRED);
        }
        if (isCancelling()) {
            keepUnsent(input, "batch_cancelled", "The batch was cancelled before this request had its turn");
            leave(BatchStatus.CANCELLING, BatchStatus.FINALIZING);
        }
    }

    /** Its files are made next, unless it is elsewhere meanwhile. */
    private void leave(BatchStatus from, BatchStatus how) {
        lock.lock();
        try {
            if (batch.status() == from) {
                save(batch().at(how, now()).at(BatchStatus.FINALIZING, now()));
            }
        } finally {
            lock.unlock();
        }
    }

    /** Whatever ends the run before its end, as that the key is not accepted any more, is told of each request left. */
    private void run(BatchRun running, Path input, int parallel) throws InterruptedException {
        try {
            running.run(parallel);
        } catch (RuntimeException e) {
            String why = why(e);
            keepUnsent(input, "batch_failed", why);
            fail(List.of(new BatchProblem("batch_failed", 0, why)));
        }
    }

    /** What nobody foresaw is told to the log. */
    private String why(RuntimeException failure) {
        if (failure instanceof BatchException) {
            return String.valueOf(failure.getMessage());
        }
        LOG.error("batch {} has failed", batch.id(), failure);
        return "The server failed on this batch; its log says why";
    }

    private BatchRun begin(Path input, BatchCheck check) {
        lock.lock();
        try {
            if (batch.status() == BatchStatus.VALIDATING) {
                save(batch.at(BatchStatus.IN_PROGRESS, now())
                        .with(new Batch.Counts(check.requests().size(), 0, 0, 0)));
            }
            BatchResults kept = new BatchResults(
                    shop.records().answers(batch), shop.records().errors(batch), false, this::grow);
            BatchRun running =
                    new BatchRun(new BatchFile(input, TIER), check.requests(), kept, this::send, FOREVER, shop.time());
            results = kept;
            run = running;
            return running;
        } finally {
            lock.unlock();
        }
    }

    private boolean isCancelling() {
        return batch.status() == BatchStatus.CANCELLING;
    }

    private boolean isOverdue() {
        lock.lock();
        try {
            return overdue && batch.status() == BatchStatus.IN_PROGRESS;
        } finally {
            lock.unlock();
        }
    }

    /** The run is over: what it came to stays. */
    private void ended() {
        lock.lock();
        try {
            batch = batch();
            run = null;
            results = null;
        } finally {
            lock.unlock();
        }
    }

    private BatchReply send(BatchLine line) throws InterruptedException {
        String tenant = batch.owner().tenant();
        shop.places().enter(tenant);
        try {
            if (halted) {
                return BatchReply.of(503, name -> Optional.empty(), new byte[0]);
            }
            return shop.answering().answer(line, batch);
        } finally {
            shop.places().leave(tenant);
        }
    }

    /** Results have so many bytes more. */
    private void grow(long bytes) {
        grown.addAndGet(bytes);
        shop.files().reserved(batch.owner(), 0, bytes);
        if (!shop.files().hasRoom(batch.owner())) {
            // What is answered is kept; more is not asked for.
            full = true;
            halt();
        }
    }

    /** Those that had no turn are errors. */
    private void keepUnsent(Path input, String code, String message) {
        BatchResults kept = results;
        if (kept == null) {
            throw new IllegalStateException("nothing is kept of batch " + batch.id());
        }
        try (BatchFile lines = new BatchFile(input, TIER)) {
            for (Optional<BatchLine> line = lines.next(); line.isPresent(); line = lines.next()) {
                if (!kept.has(line.get().customId())) {
                    kept.keepUnsent(line.get(), code, message);
                }
            }
        }
    }

    private void fail(List<BatchProblem> problems) {
        lock.lock();
        try {
            if (batch.status() == BatchStatus.VALIDATING || batch.status() == BatchStatus.IN_PROGRESS) {
                save(batch().with(problems).at(BatchStatus.FAILED, now()).at(BatchStatus.FINALIZING, now()));
            }
        } finally {
            lock.unlock();
        }
    }

    /** Makes files of what came of it, and notes its end. */
    private void finish() {
        Batch ending;
        lock.lock();
        try {
            if (isCancelling() && !stopped()) {
                save(batch.at(BatchStatus.FINALIZING, now()));
            }
            if (batch.status() != BatchStatus.FINALIZING) {
                shop.records().write(batch);
                return;
            }
            ending = batch;
        } finally {
            lock.unlock();
        }
        long lifetime = ending.asked().outputSeconds();
        Batch.Outputs outputs = ending.outputs();
        BatchSums answers = published(outputs.answers(), shop.records().answers(ending), "output", lifetime);
        BatchSums errors = published(outputs.errors(), shop.records().errors(ending), "errors", lifetime);
        lock.lock();
        try {
            int total = Math.max(batch.counts().total(), answers.lines() + errors.lines());
            save(batch.with(new Batch.Counts(total, answers.lines(), errors.lines(), errors.unsent()))
                    .with(
                            new Batch.Outputs(
                                    outputs.answers(), outputs.errors(), answers.lines() > 0, errors.lines() > 0),
                            answers.and(errors))
                    .at(last(batch), now()));
            shop.files().reserved(batch.owner(), -2, -grown.get());
        } finally {
            lock.unlock();
        }
    }

    private static BatchStatus last(Batch batch) {
        if (batch.since().containsKey(BatchStatus.CANCELLING)) {
            return BatchStatus.CANCELLED;
        }
        return batch.since().containsKey(BatchStatus.FAILED)
                ? BatchStatus.FAILED
                : batch.since().containsKey(BatchStatus.EXPIRED) ? BatchStatus.EXPIRED : BatchStatus.COMPLETED;
    }

    /** A file of results where it has lines; it may be there from before the process died. */
    private BatchSums published(String id, Path file, String kind, long lifetime) {
        Optional<Path> there = shop.files().hold(id);
        if (there.isPresent()) {
            shop.files().release(id);
            return BatchSums.of(there.get());
        }
        BatchSums sums = BatchSums.of(file);
        try {
            if (sums.lines() > 0) {
                shop.files().publish(id, batch.owner(), "%s_%s.jsonl".formatted(batch.id(), kind), file, lifetime);
            } else {
                Files.deleteIfExists(file);
            }
            return sums;
        } catch (IOException e) {
            throw Folders.failed(file, e);
        }
    }

    private long now() {
        return shop.seconds().getAsLong();
    }

    /** Written before anybody may see it. */
    private void save(Batch next) {
        shop.records().write(next);
        batch = next;
    }
}
