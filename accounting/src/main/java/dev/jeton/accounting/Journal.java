package dev.jeton.accounting;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The append-only journal: the point from which facts are durable. Any thread appends; one writer thread writes whatever
 * waits, forces it to the disk in one go, and then tells who waits for it. Nothing that was told to be durable is lost,
 * whatever happens to the process or the power; what was appended and not yet durable may be.
 *
 * <p>A commit begins when the first of the facts that wait has waited as long as {@link JournalConfig#patience} lets it, so
 * that facts of one moment share it.
 *
 * <p>Facts have sequence numbers, growing and never given twice, with gaps only after a crash that cut off a commit. Order
 * is by number alone: times are data, and a clock that steps back breaks nothing.
 *
 * <p>While the disk fails, the journal is {@link State#FAILING}: it refuses to admit requests, keeps what waits, tries again
 * with growing pauses, and recovers by itself. Space is bounded, see {@link JournalSpace}.
 *
 * <p>The lock is held for a few field accesses only, never over a disk's or a listener's call. What is on the disk is
 * written by the writer thread alone.
 */
public final class Journal implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Journal.class);
    /** A commit takes more than this only for one large fact. */
    private static final long COMMIT_BYTES = 4L << 20;
    /** So many facts are company enough. */
    private static final int GATHERED = 1_024;

    /** What a journal can do. */
    public enum State {
        /** Everything. */
        OPEN,
        /** The disk fails: no request is admitted, what waits is kept. */
        FAILING,
        /** Nothing any more. */
        CLOSED
    }

    private final JournalDisk disk;
    private final JournalConfig config;
    private final LongSupplier nanos;
    private final Closeable folderLock;
    private final JournalWriter writer;
    private final Thread thread;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition work = lock.newCondition();
    private final ArrayDeque<JournalWriter.Pending> pending = new ArrayDeque<>();
    private final DurableWaiters waiters = new DurableWaiters();
    private final JournalSpace space;
    private long next;
    private long pendingRecords;
    /** When what waits must be written, by {@code nanos}; without meaning where nothing does. */
    private long due;

    private boolean closing;
    private boolean deletionFailed;
    private long projected;
    private volatile long durable;
    private volatile State state = State.OPEN;
    private long commits;
    private long commitNanos;
    private long maxCommitNanos;
    private long failures;

    private Journal(
            JournalDisk disk,
            JournalConfig config,
            LongSupplier nanos,
            Closeable folderLock,
            JournalWriter writer,
            SegmentRecovery.Found found) {
        this.disk = disk;
        this.config = config;
        this.nanos = nanos;
        this.folderLock = folderLock;
        this.writer = writer;
        space = new JournalSpace(config, writer.bytes());
        next = found.next();
        durable = found.last();
        thread = Thread.ofPlatform().name("journal-writer").daemon(true).unstarted(this::write);
        thread.start();
    }

    /**
     * Opens the journal in a folder, which is made if there is none.
     *
     * @throws AccountingException if another process uses it, if it is another node's, if something that was acknowledged
     *     is damaged, or if the disk fails
     */
    public static Journal open(Path folder, JournalConfig config) {
        try {
            return open(new FolderDisk(folder), config, System::nanoTime);
        } catch (IOException e) {
            throw cannotOpen(folder, e);
        }
    }

    /**
     * The same, on any disk.
     *
     * @param nanos a monotonic clock, for metrics
     */
    public static Journal open(JournalDisk disk, JournalConfig config, LongSupplier nanos) {
        try {
            return open(disk, config, nanos, disk.lock().orElseThrow(() -> inUse(disk)));
        } catch (IOException e) {
            throw cannotOpen(disk, e);
        }
    }

    /**
     * Opens a journal that is there, under the name of the node that wrote it.
     *
     * @return empty where a process uses it
     * @throws AccountingException if there is none in the folder, or as {@link #open(Path, JournalConfig)}
     */
    public static Optional<Journal> openUnlessUsed(Path folder) {
        try {
            FolderDisk disk = new FolderDisk(folder);
            Optional<Closeable> lock = disk.lock();
            if (lock.isEmpty()) {
                return Optional.empty();
            }
            Optional<String> node = SegmentRecovery.node(disk);
            if (node.isEmpty()) {
                release(lock.get());
                throw new AccountingException(
                        "there is no journal in %s; name the folder that 'serve' keeps its books in".formatted(folder));
            }
            return Optional.of(open(disk, JournalConfig.of(node.get()), System::nanoTime, lock.get()));
        } catch (IOException e) {
            throw cannotOpen(folder, e);
        }
    }

    private static Journal open(JournalDisk disk, JournalConfig config, LongSupplier nanos, Closeable folderLock) {
        JournalWriter writer = new JournalWriter(disk, config);
        try {
            SegmentRecovery.Found found = SegmentRecovery.recover(disk, config.node());
            if (found.tornBytes() > 0) {
                LOG.warn(
                        "the journal in {} ends in a commit that was cut off: {} bytes after fact {} are dropped;"
                                + " nothing that was acknowledged is among them unless the disk damaged it",
                        disk,
                        found.tornBytes(),
                        found.last());
            }
            writer.adopt(found);
            return new Journal(disk, config, nanos, folderLock, writer, found);
        } catch (IOException | RuntimeException e) {
            writer.close();
            release(folderLock);
            throw e instanceof AccountingException known ? known : cannotOpen(disk, e);
        }
    }

    private static AccountingException inUse(JournalDisk disk) {
        return new AccountingException(
                "the journal folder %s is in use by another process; stop it, or give this one a folder of its own"
                        .formatted(disk));
    }

    private static AccountingException cannotOpen(Object where, Exception e) {
        return new AccountingException(
                "the journal in %s cannot be opened (%s); see to the disk and its permissions".formatted(where, e), e);
    }

    // ---- appending ----

    /**
     * Appends a fact; any thread, never waits for the disk. A request's {@link Fact.Opened} should come by {@link #admit}.
     *
     * @return its sequence number
     * @throws AccountingException if the journal is full or closed or the fact passes a bound, and for {@code Opened} also
     *     if it fails; nothing was appended then. The end of an open request always has room.
     */
    public long append(Fact fact) {
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

    /**
     * Admits a request: appends its beginning and its first grant, which become durable together, and reserves room for its
     * further grants and its end.
     *
     * @param reserve bytes that its further grants may take; the end is reserved for anyway
     * @return the grant's sequence number
     * @throws AccountingException if the journal is full, failing or closed; nothing was appended then
     */
    public long admit(Fact.Opened opened, Fact.Granted first, long reserve) {
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
            if (state == State.FAILING) {
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
        if (closing || state == State.CLOSED) {
            throw new AccountingException("the journal is closed, the process ends; send the request to another one");
        }
    }

    // ---- waiting ----

    /** The last number that is durable, with all before it; 0 for none. */
    public long durable() {
        return durable;
    }

    /**
     * Waits until a fact is durable; meant for virtual threads.
     *
     * @throws AccountingException if the journal closes without that, or the number was never given
     * @throws InterruptedException if the thread is interrupted; the fact may become durable all the same
     */
    public void awaitDurable(long sequence) throws InterruptedException {
        if (durable < sequence) {
            checkGiven(sequence);
        }
        if (!await(sequence)) {
            throw new AccountingException(
                    "the journal was closed before fact %d was durable; take it as not recorded".formatted(sequence));
        }
    }

    private void checkGiven(long sequence) {
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

    /** Waits until a number is durable or the journal closes; returns whether it is. */
    boolean await(long sequence) throws InterruptedException {
        if (durable >= sequence) {
            return true;
        }
        Thread thread = Thread.currentThread();
        DurableWaiters.Waiter waiter = new DurableWaiters.Waiter(sequence, () -> LockSupport.unpark(thread), true);
        add(waiter);
        while (durable < sequence && state != State.CLOSED) {
            LockSupport.park(this);
            if (Thread.interrupted()) {
                lock.lock();
                try {
                    waiters.remove(waiter);
                } finally {
                    lock.unlock();
                }
                throw new InterruptedException("interrupted while waiting for fact " + sequence);
            }
        }
        return durable >= sequence;
    }

    /**
     * Calls back once a fact is durable: at once, or on the writer thread, so it must be quick, not block and not throw. If
     * the journal closes without that, it never calls.
     */
    public void whenDurable(long sequence, Runnable then) {
        if (durable >= sequence) {
            then.run();
        } else {
            add(new DurableWaiters.Waiter(sequence, then, false));
        }
    }

    private void add(DurableWaiters.Waiter waiter) {
        boolean now;
        lock.lock();
        try {
            now = durable >= waiter.sequence();
            if (!now && state != State.CLOSED) {
                waiters.add(waiter);
            }
        } finally {
            lock.unlock();
        }
        if (now) {
            waiter.then().run();
        }
    }

    // ---- reading and clearing away ----

    /**
     * Reads facts from a number on, and goes on with new ones as they become durable.
     *
     * @throws AccountingException if facts from there on are gone already
     */
    public JournalReader reader(long from) {
        return new JournalReader(this, disk, from);
    }

    List<Segment> segments() {
        return writer.segments();
    }

    /**
     * The ledger has all facts up to this one: their segments may go, except the last, and except from where the oldest
     * open request was opened, so that after a crash the journal knows of every request that was open.
     *
     * @throws AccountingException if the journal never had such a number: it is not this ledger's
     */
    public void projectedUpTo(long sequence) {
        requireWritten(sequence);
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

    /** Refuses what a ledger took of another journal. */
    void requireWritten(long sequence) {
        if (sequence > durable) {
            throw new AccountingException(
                    ("the ledger has facts of node \"%s\" up to %d, its journal only up to %d: the journal's folder was"
                                    + " lost or replaced; restore it, or go on under another node id")
                            .formatted(config.node(), sequence, durable));
        }
    }

    private long deleteBound() {
        return Math.min(projected, space.oldestOpen() - 1);
    }

    // ---- the writer thread ----

    private void write() {
        List<JournalWriter.Pending> batch = new ArrayList<>();
        try {
            commitAll(batch);
        } catch (RuntimeException | Error e) {
            LOG.error("the journal's writer has ended: no request is admitted any more; restart the server", e);
        } finally {
            end(batch);
        }
    }

    private void commitAll(List<JournalWriter.Pending> batch) {
        long pause = config.firstRetryNanos();
        while (take(batch)) {
            clearAway();
            if (batch.isEmpty()) {
                continue;
            }
            if (commit(batch)) {
                batch.clear();
                pause = config.firstRetryNanos();
            } else if (pause(pause)) {
                pause = Math.min(2 * pause, config.maxRetryNanos());
            } else {
                return;
            }
        }
    }

    /** Adds to what failed before, or waits for something; false once there is nothing left to do. */
    private boolean take(List<JournalWriter.Pending> batch) {
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

    private boolean commit(List<JournalWriter.Pending> batch) {
        long start = nanos.getAsLong();
        try {
            writer.commit(batch, durable);
        } catch (IOException e) {
            writer.giveUp();
            failed(e);
            return false;
        }
        committed(batch, nanos.getAsLong() - start);
        return true;
    }

    private void committed(List<JournalWriter.Pending> batch, long took) {
        List<Runnable> due;
        lock.lock();
        try {
            if (state == State.FAILING) {
                LOG.info("the journal's disk works again; requests are admitted");
                state = State.OPEN;
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

    private void failed(IOException e) {
        lock.lock();
        try {
            failures++;
            if (state == State.OPEN) {
                LOG.error("the journal's disk fails; no request is admitted until it works again", e);
                state = State.FAILING;
            }
        } finally {
            lock.unlock();
        }
    }

    /** Pauses before the next attempt; false if the journal closes, so that there is none. */
    private boolean pause(long duration) {
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

    private void clearAway() {
        long bound;
        lock.lock();
        try {
            bound = deleteBound();
        } finally {
            lock.unlock();
        }
        if (!writer.deletable(bound)) {
            return;
        }
        boolean failed = false;
        try {
            writer.deleteUpTo(bound);
        } catch (IOException e) {
            failed = true;
            LOG.warn("a segment of the journal cannot be deleted; it is tried again when the ledger has more", e);
        }
        lock.lock();
        try {
            deletionFailed = failed;
            space.stored(writer.bytes());
        } finally {
            lock.unlock();
        }
    }

    private void end(List<JournalWriter.Pending> batch) {
        List<Runnable> left;
        lock.lock();
        try {
            int lost = batch.size() + pending.size();
            if (lost > 0) {
                LOG.error("the journal closes while its disk fails: {} facts that nobody was promised are lost", lost);
            }
            state = State.CLOSED;
            left = waiters.never();
        } finally {
            lock.unlock();
        }
        DurableWaiters.tell(left);
        writer.close();
        release(folderLock);
    }

    private static void release(Closeable folderLock) {
        try {
            folderLock.close();
        } catch (IOException e) {
            LOG.debug("cannot release the lock of the journal's folder; the process's end does", e);
        }
    }

    // ---- what others see ----

    /** The node whose journal it is. */
    public String node() {
        return config.node();
    }

    /** What it can do now. */
    public State state() {
        return state;
    }

    /** Gauges and counters now; any thread. */
    public JournalStats stats() {
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

    /** Writes what waits, if the disk lets it, and ends. */
    @Override
    public void close() {
        lock.lock();
        try {
            closing = true;
            work.signal();
        } finally {
            lock.unlock();
        }
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
