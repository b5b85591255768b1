package dev.jeton.accounting;

import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets time pass for {@link Budgets}, and keeps a copy of them and of {@link Tasks} beside the journal: every half
 * minute in which something changed, whenever budgets are defined anew, and at the end. The journal keeps the facts
 * after the copy; so one is also written where the journal is half full, at most once a second, and where many facts
 * came that changed nothing.
 */
final class StateKeeper implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(StateKeeper.class);
    private static final long QUIET_NANOS = 1_000_000_000;
    private static final long COPY_NANOS = 30_000_000_000L;
    /** Of the journal: from there on a copy is worth writing only to let it go of facts. */
    private static final double PRESSING = 0.5;
    /** Facts after a copy that a start reads again, though they changed nothing. */
    private static final long MANY_FACTS = 100_000;

    private static final int VERSION = 1;
    private static final int MAX_BYTES = 1 << 28;

    private final Budgets budgets;
    private final Tasks tasks;
    private final Journal journal;
    private final StateFile file;
    private final LongSupplier micros;
    private final Thread thread;
    private final Thread copier;
    private final List<Consumer<BudgetEvent>> listeners = new CopyOnWriteArrayList<>();
    private long copied = -1;
    private long copiedSequence;
    private final boolean found;
    private volatile boolean closing;

    private StateKeeper(
            Budgets budgets, Tasks tasks, Journal journal, StateFile file, LongSupplier micros, boolean found) {
        this.budgets = budgets;
        this.tasks = tasks;
        this.journal = journal;
        this.file = file;
        this.micros = micros;
        this.found = found;
        thread = Thread.ofPlatform().name("budgets").daemon(true).unstarted(this::run);
        copier = Thread.ofPlatform().name("budgets-copier").daemon(true).unstarted(this::copyNowAndThen);
        budgets.onWake(() -> LockSupport.unpark(thread));
    }

    /**
     * Brings budgets and tasks to where they were when the last run ended. What that left open is still open: end it
     * with {@link Budgets#abandon}, then {@link #start}.
     *
     * @param budgets defined, and not used yet
     * @param books price books by version
     * @throws AccountingException if the copy is damaged or cannot be read
     */
    static StateKeeper restore(
            Budgets budgets,
            Tasks tasks,
            Journal journal,
            JournalDisk disk,
            Function<String, PriceBook> books,
            LongSupplier micros) {
        StateFile file = new StateFile(disk, "state");
        Optional<StateFile.Stored> stored = file.load();
        if (stored.isPresent()) {
            long sequence = stored.get().sequence();
            journal.copiedUpTo(sequence);
            WireReader in = new WireReader(ByteBuffer.wrap(stored.get().content()));
            if (in.octet() != VERSION) {
                throw new AccountingException(
                        "the state beside the journal was written by a newer version; start that, or delete state-*.state"
                                + " to begin with nothing spent and no open tasks");
            }
            BudgetState state = BudgetState.decode(in.bytes(MAX_BYTES));
            tasks.restore(in.bytes(MAX_BYTES));
            budgets.replay(state, tasks, books, replay -> {
                if (sequence > journal.durable()) {
                    LOG.warn(
                            "the state of budgets and tasks is of fact {}, the journal ends with {}: it was replaced, and"
                                    + " they are taken as they are",
                            sequence,
                            journal.durable());
                    return;
                }
                try (JournalReader reader = journal.reader(sequence + 1)) {
                    for (Optional<FactSource.Entry> e = reader.poll(); e.isPresent(); e = reader.poll()) {
                        replay.see(e.get().fact());
                    }
                }
            });
        }
        return new StateKeeper(budgets, tasks, journal, file, micros, stored.isPresent());
    }

    /** Price books by version, from a shelf, each read once; of one that is not there, {@code otherwise}. */
    static Function<String, PriceBook> books(PriceBookShelf shelf, PriceBook otherwise) {
        Map<String, PriceBook> read = new HashMap<>();
        read.put(otherwise.version(), otherwise);
        return version -> read.computeIfAbsent(version, v -> shelf.find(v).orElse(otherwise));
    }

    /** Lets time pass from now on; where there is no copy yet, one is written first. */
    void start() throws InterruptedException {
        if (!found || budgets.sharing().namesAreFresh()) {
            copy();
        }
        thread.start();
        copier.start();
    }

    /** Replaces the definitions; returns when a restart would know them. */
    void define(List<Budget> definitions) throws InterruptedException {
        budgets.define(definitions);
        copy();
    }

    /** Is told what people should hear; by the budgets' thread, so it must not block. */
    void onEvent(Consumer<BudgetEvent> listener) {
        listeners.add(listener);
    }

    private void run() {
        while (!closing) {
            LockSupport.parkNanos(this, Math.min(budgets.quietMicros(), QUIET_NANOS / 1_000) * 1_000);
            try {
                for (BudgetEvent event : budgets.tick()) {
                    listeners.forEach(listener -> listener.accept(event));
                }
            } catch (RuntimeException e) {
                // wall time and those who wait depend on this thread, so it goes on
                LOG.error("budgets could not be looked at", e);
            }
        }
    }

    /** On a thread of its own: a slow disk must not keep time from passing. */
    private void copyNowAndThen() {
        long next = System.nanoTime() + COPY_NANOS;
        while (!closing) {
            LockSupport.parkNanos(this, QUIET_NANOS);
            boolean pressing = journal.stats().fill() >= PRESSING;
            if (!closing && System.nanoTime() - next >= (pressing ? QUIET_NANOS - COPY_NANOS : 0)) {
                next = System.nanoTime() + COPY_NANOS;
                try {
                    copy();
                } catch (RuntimeException e) {
                    LOG.warn("the state of budgets and tasks could not be kept, the journal keeps facts meanwhile", e);
                } catch (InterruptedException e) {
                    return; // closing
                }
            }
        }
    }

    /** What is copied at once: the state, and the fact that it is of. */
    private record Copy(BudgetState budgets, byte[] tasks, long sequence, long changes) {}

    /** Writes a copy, unless nothing has changed since the last one. */
    synchronized void copy() throws InterruptedException {
        Optional<Copy> taken = tasks.locked(() -> budgets.locked(this::take));
        if (taken.isEmpty()) {
            return;
        }
        Copy copy = taken.get();
        WireWriter out = new WireWriter(MAX_BYTES);
        out.octet(VERSION);
        out.bytes(copy.budgets().encode());
        out.bytes(copy.tasks());
        // or a crash would leave a copy with grants that nobody ever had
        journal.awaitDurable(copy.sequence());
        file.store(copy.sequence(), out.toBytes());
        journal.copiedUpTo(copy.sequence());
        copied = copy.changes();
        copiedSequence = copy.sequence();
    }

    private Optional<Copy> take(Supplier<BudgetState> state) {
        long changes = budgets.changes() + tasks.changes();
        long since = journal.last() - copiedSequence;
        boolean pressing = since > 0 && (since >= MANY_FACTS || journal.stats().fill() >= PRESSING);
        return changes == copied && !pressing
                ? Optional.empty()
                : Optional.of(new Copy(state.get(), tasks.encode(), journal.last(), changes));
    }

    /** Ends the threads; whoever closes the books then {@link #copy copies} once more. */
    @Override
    public void close() {
        closing = true;
        LockSupport.unpark(thread);
        copier.interrupt();
        try {
            thread.join();
            copier.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
