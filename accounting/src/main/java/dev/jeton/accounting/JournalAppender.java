package dev.jeton.accounting;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The journal's front: takes facts from any thread, numbers them and keeps them until {@link JournalCommitter} has
 * written them, and knows who waits for which.
 *
 * <p>The lock is held for a few field accesses only, never over a disk's or a listener's call.
 */
final class JournalAppender {

    private static final Logger LOG = LoggerFactory.getLogger(JournalAppender.class);
    /** A commit takes more than this only for one large fact. */
    private static final long COMMIT_BYTES = 4L << 20;
    /** So many facts are company enough. */
    private static final int GATHERED = 1_024;

    private final JournalConfig config;
    private final LongSupplier nanos;
    private final JournalWriter writer;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition work = lock.newCondition();
    private final ArrayDeque<JournalWriter.Pending> pending = new ArrayDeque<>();
    private final DurableWaiters waiters = new DurableWaiters();
    private final JournalSpace space;
    private long next;
    /** The last number that was given or found: after a crash {@code next} leaves a gap. */
    private long last;

    private long pendingRecords;
    /** When what waits must be written, by {@code nanos}; without meaning where nothing does. */
    private long due;

    private boolean closing;
    private boolean deletionFailed;
    private long projected;
    /** Facts after this one are needed by what a restart reads beside the journal. */
    private long copied = Long.MAX_VALUE;

    private volatile long durable;
    private volatile Journal.State state = Journal.State.OPEN;
    private long commits;
    private long commitNanos;
    private long maxCommitNanos;
    private long failures;

    /**
     * Goes on after what was found on the disk.
     *
     * @param nanos a monotonic clock
     * @param writer what it has is read here, never changed
     */
    JournalAppender(JournalConfig config, LongSupplier nanos, JournalWriter writer, SegmentRecovery.Found found) {
        this.config = config;
        this.nanos = nanos;
        this.writer = writer;
        space = new JournalSpace(config, writer.bytes());
        next = found.next();
        durable = found.last();
        last = durable;
    }

    // ---- appending ----

    /** As {@link Journal#append}. */
    long append(Fact fact) {
        if (fact instanceof Fact.Opened opened) {
            return admit(List.of(opened), opened, 0);
        }
        byte[] payload = FactCodec.encode(fact);
        lock.lock();
        try {
            refuseIfClosed();
            space.take(fact, next, JournalFormat.RECORD + payload.length);
            return enqueue(payload, config.patience(fact));
        } finally {
            lock.unlock();
        }
    }

    /** As {@link Journal#admit}. */
    long admit(Fact.Opened opened, Fact.Granted first, long reserve) {
        return admit(List.of(opened, first), opened, reserve);
    }

    private long admit(List<Fact> facts, Fact.Opened opened, long reserve) {
        List<byte[]> payloads = new ArrayList<>();
        long bytes = 0;
        for (Fact fact : facts) {
            byte[] payload = FactCodec.encode(fact);
            payloads.add(payload);
            bytes += JournalFormat.RECORD + payload.length;
        }
        lock.lock();
        try {
            refuseIfClosed();
            if (state == Journal.State.FAILING) {
                throw new AccountingException(
                        "the journal's disk fails, so the request %s is not admitted; it is tried again all the time: see"
                                        .formatted(opened.request())
                                + " the log for the error and free space or mend the disk");
            }
            space.open(opened, next, bytes, reserve);
            long last = 0;
            for (byte[] payload : payloads) {
                last = enqueue(payload, config.patience(opened));
            }
            return last;
        } finally {
            lock.unlock();
        }
    }

    private long enqueue(byte[] payload, long patience) {
        long sequence = next++;
        last = sequence;
        pendingRecords++;
        long latest = nanos.getAsLong() + patience;
        boolean sooner = pending.isEmpty() || latest - due < 0;
        pending.add(new JournalWriter.Pending(sequence, payload));
        if (sooner) {
            due = latest;
        }
        if (sooner || pending.size() == GATHERED) {
            work.signal();
        }
        return sequence;
    }

    private void refuseIfClosed() {
        if (closing || state == Journal.State.CLOSED) {
            throw new AccountingException("the journal is closed, the process ends; send the request to another one");
        }
    }

    // ---- waiting ----

    /** As {@link Journal#durable}. */
    long durable() {
        return durable;
    }

    /** As {@link Journal#state}. */
    Journal.State state() {
        return state;
    }

    /** Refuses a number that was never given. */
    void checkGiven(long sequence) {
        lock.lock();
        try {
            if (sequence >= next) {
                throw new AccountingException(
                        "fact %d was never appended, the last one is %d; this is a programming error"
                                .formatted(sequence, next - 1));
            }
        } finally {
            lock.unlock();
        }
    }

    /** Adds one who waits, or tells at once where the number is durable. */
    void add(DurableWaiters.Waiter waiter) {
        boolean now;
        lock.lock();
        try {
            now = durable >= waiter.sequence();
            if (!now && state != Journal.State.CLOSED) {
                waiters.add(waiter);
            }
        } finally {
            lock.unlock();
        }
        if (now) {
            waiter.then().run();
        }
    }

    void remove(DurableWaiters.Waiter waiter) {
        lock.lock();
        try {
            waiters.remove(waiter);
        } finally {
            lock.unlock();
        }
    }

    /** The ledger has all facts up to this one. */
    void projectedUpTo(long sequence) {
        lock.lock();
        try {
            projected = Math.max(projected, sequence);
            if (writer.deletable(deleteBound())) {
                deletionFailed = false;
                work.signal();
            }
        } finally {
            lock.unlock();
        }
    }

    /** As {@link Journal#copiedUpTo}. */
    void copiedUpTo(long sequence) {
        lock.lock();
        try {
            copied = sequence;
            if (writer.deletable(deleteBound())) {
                deletionFailed = false;
                work.signal();
            }
        } finally {
            lock.unlock();
        }
    }

    /** As {@link Journal#last}. */
    long last() {
        lock.lock();
        try {
            return last;
        } finally {
            lock.unlock();
        }
    }

    /** Nothing is taken any more. */
    void close() {
        lock.lock();
        try {
            closing = true;
            work.signal();
        } finally {
            lock.unlock();
        }
    }

    // ---- for the writer thread ----

    /** Adds to what failed before, or waits for something; false once there is nothing left to do. */
    boolean take(List<JournalWriter.Pending> batch) {
        lock.lock();
        try {
            if (!batch.isEmpty()) {
                return true;
            }
            while (pending.isEmpty() && !closing && (deletionFailed || !writer.deletable(deleteBound()))) {
                work.awaitUninterruptibly();
            }
            gather();
            for (long bytes = 0; !pending.isEmpty() && bytes < COMMIT_BYTES; ) {
                JournalWriter.Pending record = pending.remove();
                bytes += record.bytes();
                batch.add(record);
            }
            return !batch.isEmpty() || !closing;
        } finally {
            lock.unlock();
        }
    }

    /** Waits until what there is must be written; called with the lock, which is free meanwhile. */
    private void gather() {
        try {
            while (!pending.isEmpty() && pending.size() < GATHERED && !closing) {
                long left = due - nanos.getAsLong();
                if (left <= 0) {
                    return;
                }
                work.awaitNanos(left);
            }
        } catch (InterruptedException e) {
            // nobody interrupts this thread; if somebody did, the commit is sooner
            return;
        }
    }

    /** What was taken is on the disk. */
    void committed(List<JournalWriter.Pending> batch, long took) {
        List<Runnable> due;
        lock.lock();
        try {
            if (state == Journal.State.FAILING) {
                LOG.info("the journal's disk works again; requests are admitted");
                state = Journal.State.OPEN;
            }
            durable = batch.getLast().sequence();
            pendingRecords -= batch.size();
            for (JournalWriter.Pending record : batch) {
                space.written(record.bytes());
            }
            space.stored(writer.bytes());
            space.durable(durable);
            commits++;
            commitNanos += took;
            maxCommitNanos = Math.max(maxCommitNanos, took);
            due = waiters.reached(durable);
        } finally {
            lock.unlock();
        }
        DurableWaiters.tell(due);
    }

    /** What was taken is not on the disk. */
    void failed(IOException e) {
        lock.lock();
        try {
            failures++;
            if (state == Journal.State.OPEN) {
                LOG.error("the journal's disk fails; no request is admitted until it works again", e);
                state = Journal.State.FAILING;
            }
        } finally {
            lock.unlock();
        }
    }

    /** Pauses before the next attempt; false if the journal closes, so that there is none. */
    boolean pause(long duration) {
        lock.lock();
        try {
            for (long left = duration; left > 0 && !closing; ) {
                left = work.awaitNanos(left);
            }
            return !closing;
        } catch (InterruptedException e) {
            return true; // nobody interrupts this thread; if somebody did, the next attempt is sooner
        } finally {
            lock.unlock();
        }
    }

    /** Up to which fact segments may go. */
    long deletable() {
        lock.lock();
        try {
            return deleteBound();
        } finally {
            lock.unlock();
        }
    }

    private long deleteBound() {
        return Math.min(Math.min(projected, copied), space.oldestOpen() - 1);
    }

    /** Segments were deleted, or could not be. */
    void deleted(boolean failed) {
        lock.lock();
        try {
            deletionFailed = failed;
            space.stored(writer.bytes());
        } finally {
            lock.unlock();
        }
    }

    /**
     * Nothing is written any more.
     *
     * @param taken facts that were taken and not written
     */
    void end(int taken) {
        List<Runnable> left;
        lock.lock();
        try {
            int lost = taken + pending.size();
            if (lost > 0) {
                LOG.error("the journal closes while its disk fails: {} facts that nobody was promised are lost", lost);
            }
            state = Journal.State.CLOSED;
            left = waiters.never();
        } finally {
            lock.unlock();
        }
        DurableWaiters.tell(left);
    }

    // ---- what others see ----

    /** As {@link Journal#stats}. */
    JournalStats stats() {
        lock.lock();
        try {
            return new JournalStats(
                    state,
                    space.stored(),
                    config.maxBytes(),
                    space.reserved(),
                    space.pending(),
                    pendingRecords,
                    space.openRequests(),
                    writer.segments().size(),
                    durable,
                    durable - projected,
                    commits,
                    commitNanos,
                    maxCommitNanos,
                    failures);
        } finally {
            lock.unlock();
        }
    }
}
