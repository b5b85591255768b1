package dev.jeton.accounting;

import java.io.IOException;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps a ledger in step with one node's journal: one thread takes the facts in order and applies them in batches.
 * Where the database or the journal cannot be read it tries again, at first after 100 ms and then less and less often
 * up to every 30 s, and catches up; the journal keeps what the ledger has not seen. A fact that cannot be booked (its
 * postings do not balance, facts before it are missing) stops it: books that may be wrong are not written on.
 */
public final class Projection implements AutoCloseable {

    /**
     * How far a projection is.
     *
     * @param node whose journal
     * @param applied number of the newest fact that is in the ledger; 0 for none, or none seen yet
     * @param behind facts in the journal that are not in the ledger
     * @param behindMicros how old the oldest of those may be, in microseconds; 0 where it is in step
     * @param failure why it does not get on just now; empty where it does
     * @param stopped whether it has given up, for the reason in {@code failure}, or was closed
     */
    public record Status(
            String node, long applied, long behind, long behindMicros, Optional<String> failure, boolean stopped) {}

    /** Most facts of one transaction. */
    static final int BATCH = 1_000;

    /** Most lines of one transaction, beyond the last window. */
    private static final int BATCH_LINES = 20_000;

    private static final Logger LOG = LoggerFactory.getLogger(Projection.class);
    private static final long FIRST_PAUSE_MILLIS = 100;
    private static final long LAST_PAUSE_MILLIS = 30_000;
    private static final long JOIN_MILLIS = 50;
    private static final long WAIT_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final Database database;
    private final String node;
    private final FactSource source;
    private final FactApplier applier;
    private final LongSupplier clock;
    private final long gatherNanos;
    private final Thread thread;
    private final long startedAt;
    private volatile long applied;
    private volatile long appliedAt;
    private volatile Optional<String> failure = Optional.empty();
    private volatile boolean hurry;
    private volatile boolean closing;
    private volatile boolean stopped;

    Projection(
            Database database,
            String node,
            FactSource source,
            Costings costings,
            LongSupplier clock,
            long gatherNanos) {
        this.gatherNanos = gatherNanos;
        this.database = database;
        this.node = node;
        this.source = source;
        this.clock = clock;
        startedAt = clock.getAsLong();
        applier = new FactApplier(node, costings);
        thread = Thread.ofPlatform().name("ledger-" + node).daemon(true).unstarted(this::run);
    }

    Projection start() {
        thread.start();
        return this;
    }

    /** How far it is; any thread may ask. */
    public Status status() {
        long seen = applied;
        long behind = Math.max(0, source.last() - seen);
        // Before the first fact is in the ledger there is only this projection's own age.
        long since = appliedAt == 0 ? startedAt : appliedAt;
        return new Status(
                node, seen, behind, behind == 0 ? 0 : Math.max(0, clock.getAsLong() - since), failure, stopped);
    }

    /** What accounts have taken of each device since this projection began; any thread may ask. */
    public List<DeviceTaking> takings() {
        return applier.takings();
    }

    private void run() {
        long pause = FIRST_PAUSE_MILLIS;
        while (!closing) {
            long before = applied;
            try {
                follow();
            } catch (InterruptedException e) {
                // Only close() interrupts.
                break;
            } catch (AccountingException e) {
                applier.forget();
                failure = Optional.of(String.valueOf(e.getMessage()));
                if (!(e.getCause() instanceof SQLException || e.getCause() instanceof IOException)) {
                    LOG.error("projection of node {} stopped at fact {}", node, applied, e);
                    break;
                }
                pause = applied > before ? FIRST_PAUSE_MILLIS : pause;
                LOG.warn("projection of node {} tries again in {} ms: {}", node, pause, e.getMessage());
            } catch (RuntimeException e) {
                failure = Optional.of("the projection failed: %s; see the log and report it".formatted(e));
                LOG.error("projection of node {} stopped at fact {}", node, applied, e);
                break;
            }
            if (!sleep(pause)) {
                break;
            }
            pause = Math.min(LAST_PAUSE_MILLIS, pause * 2);
        }
        stopped = true;
    }

    private boolean sleep(long millis) {
        if (closing) {
            return false;
        }
        try {
            Thread.sleep(millis);
            return true;
        } catch (InterruptedException e) {
            return false;
        }
    }

    /** Reads on from where the ledger is, until something fails or this is closed. */
    private void follow() throws InterruptedException {
        Books.Progress progress =
                database.read(connection -> Books.progress(connection, node).orElse(Books.Progress.none(node)));
        note(progress);
        try (FactSource.Cursor cursor = source.from(progress.last() + 1)) {
            while (!closing) {
                List<FactSource.Entry> batch = batch(cursor);
                if (!batch.isEmpty()) {
                    note(applier.apply(database, batch));
                }
            }
        }
    }

    private void note(Books.Progress progress) {
        appliedAt = progress.lastAt();
        applied = progress.last();
        failure = Optional.empty();
        source.taken(progress.last());
    }

    private List<FactSource.Entry> batch(FactSource.Cursor cursor) throws InterruptedException {
        List<FactSource.Entry> batch = new ArrayList<>();
        int lines = 0;
        Optional<FactSource.Entry> next = cursor.next(WAIT_NANOS);
        if (next.isPresent() && gatherNanos > 0 && source.last() - next.get().sequence() < BATCH) {
            gather();
        }
        while (next.isPresent()) {
            FactSource.Entry entry = next.get();
            batch.add(entry);
            if (entry.fact() instanceof Fact.Window window) {
                lines += window.lines().size();
            }
            next = batch.size() < BATCH && lines < BATCH_LINES ? cursor.next(0) : Optional.empty();
        }
        return batch;
    }

    /** Waits for more facts, unless somebody waits for those that are there. */
    private void gather() throws InterruptedException {
        long end = System.nanoTime() + gatherNanos;
        for (long left = gatherNanos; left > 0 && !hurry; left = end - System.nanoTime()) {
            LockSupport.parkNanos(this, left);
            if (Thread.interrupted()) {
                throw new InterruptedException("interrupted while gathering facts");
            }
        }
        hurry = false;
    }

    /**
     * Somebody waits for the facts that are there: the next batch, or the one that is gathered just now, goes at once.
     */
    void hurry() {
        hurry = true;
        LockSupport.unpark(thread);
    }

    /** Ends after the batch at hand; what is left is applied by the next projection. */
    @Override
    public void close() {
        closing = true;
        // An interrupt in the middle of a transaction could break the connection; the next wait ends soon anyway.
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join(JOIN_MILLIS);
                if (thread.getState() == Thread.State.TIMED_WAITING) {
                    thread.interrupt();
                }
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
