package dev.jeton.accounting;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The append-only journal: the point from which facts are durable. Any thread appends; one writer thread writes
 * whatever waits, forces it to the disk in one go, and then tells who waits for it. Nothing that was told to be durable
 * is lost, whatever happens to the process or the power; what was appended and not yet durable may be.
 *
 * <p>A commit begins when the first of the facts that wait has waited as long as {@link JournalConfig#patience} lets
 * it, so that facts of one moment share it.
 *
 * <p>Facts have sequence numbers, growing and never given twice, with gaps only after a crash that cut off a commit.
 * Order is by number alone: times are data, and a clock that steps back breaks nothing.
 *
 * <p>While the disk fails, the journal is {@link State#FAILING}: it refuses to admit requests, keeps what waits, tries
 * again with growing pauses, and recovers by itself. Space is bounded, see {@link JournalSpace}.
 *
 * <p>{@link JournalAppender} has what waits, {@link JournalCommitter} the writer thread, {@link JournalWriter} the
 * files.
 */
public final class Journal implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Journal.class);

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
    private final JournalWriter writer;
    private final JournalAppender appender;
    private final JournalCommitter committer;

    private Journal(
            JournalDisk disk,
            JournalConfig config,
            LongSupplier nanos,
            Closeable folderLock,
            JournalWriter writer,
            SegmentRecovery.Found found) {
        this.disk = disk;
        this.config = config;
        this.writer = writer;
        appender = new JournalAppender(config, nanos, writer, found);
        committer = new JournalCommitter(appender, writer, config, nanos, folderLock);
    }

    /**
     * Opens the journal in a folder, which is made if there is none.
     *
     * @throws AccountingException if another process uses it, if it is another node's, if something that was
     *     acknowledged is damaged, or if the disk fails
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
                JournalCommitter.release(lock.get());
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
            JournalCommitter.release(folderLock);
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
     * Appends a fact; any thread, never waits for the disk. A request's {@link Fact.Opened} should come by
     * {@link #admit}.
     *
     * @return its sequence number
     * @throws AccountingException if the journal is full or closed or the fact passes a bound, and for {@code Opened}
     *     also if it fails; nothing was appended then. The end of an open request always has room.
     */
    public long append(Fact fact) {
        return appender.append(fact);
    }

    /**
     * Admits a request: appends its beginning and its first grant, which become durable together, and reserves room for
     * its further grants and its end.
     *
     * @param reserve bytes that its further grants may take; the end is reserved for anyway
     * @return the grant's sequence number
     * @throws AccountingException if the journal is full, failing or closed; nothing was appended then
     */
    public long admit(Fact.Opened opened, Fact.Granted first, long reserve) {
        return appender.admit(opened, first, reserve);
    }

    // ---- waiting ----

    /** The last number that is durable, with all before it; 0 for none. */
    public long durable() {
        return appender.durable();
    }

    /**
     * Waits until a fact is durable; meant for virtual threads.
     *
     * @throws AccountingException if the journal closes without that, or the number was never given
     * @throws InterruptedException if the thread is interrupted; the fact may become durable all the same
     */
    public void awaitDurable(long sequence) throws InterruptedException {
        if (appender.durable() < sequence) {
            appender.checkGiven(sequence);
        }
        if (!await(sequence)) {
            throw new AccountingException(
                    "the journal was closed before fact %d was durable; take it as not recorded".formatted(sequence));
        }
    }

    /** Waits until a number is durable or the journal closes; returns whether it is. */
    boolean await(long sequence) throws InterruptedException {
        if (appender.durable() >= sequence) {
            return true;
        }
        Thread thread = Thread.currentThread();
        DurableWaiters.Waiter waiter = new DurableWaiters.Waiter(sequence, () -> LockSupport.unpark(thread), true);
        appender.add(waiter);
        while (appender.durable() < sequence && appender.state() != State.CLOSED) {
            LockSupport.park(this);
            if (Thread.interrupted()) {
                appender.remove(waiter);
                throw new InterruptedException("interrupted while waiting for fact " + sequence);
            }
        }
        return appender.durable() >= sequence;
    }

    /**
     * Calls back once a fact is durable: at once, or on the writer thread, so it must be quick, not block and not
     * throw. If the journal closes without that, it never calls.
     */
    public void whenDurable(long sequence, Runnable then) {
        if (appender.durable() >= sequence) {
            then.run();
        } else {
            appender.add(new DurableWaiters.Waiter(sequence, then, false));
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

    /** The number of the last fact, durable or not; 0 for none. */
    long last() {
        return appender.last();
    }

    /**
     * What a restart reads beside the journal is durable up to this fact: those after it are kept. Until it is called
     * nothing is kept for that.
     */
    void copiedUpTo(long sequence) {
        appender.copiedUpTo(sequence);
    }

    /**
     * The ledger has all facts up to this one: their segments may go, except the last, and except from where the oldest
     * open request was opened, so that after a crash the journal knows of every request that was open.
     *
     * @throws AccountingException if the journal never had such a number: it is not this ledger's
     */
    public void projectedUpTo(long sequence) {
        requireWritten(sequence);
        appender.projectedUpTo(sequence);
    }

    /** Refuses what a ledger took of another journal. */
    void requireWritten(long sequence) {
        if (sequence > durable()) {
            throw new AccountingException(
                    ("the ledger has facts of node \"%s\" up to %d, its journal only up to %d: the journal's folder was"
                                    + " lost or replaced; restore it, or go on under another node id")
                            .formatted(config.node(), sequence, durable()));
        }
    }

    // ---- what others see ----

    /** The node whose journal it is. */
    public String node() {
        return config.node();
    }

    /** What it can do now. */
    public State state() {
        return appender.state();
    }

    /** Gauges and counters now; any thread. */
    public JournalStats stats() {
        return appender.stats();
    }

    /** Writes what waits, if the disk lets it, and ends. */
    @Override
    public void close() {
        appender.close();
        committer.join();
    }
}
