package dev.jeton.accounting;

import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The thread that speaks with the database of shared budgets: at once where somebody waits, otherwise once a second.
 * Where the database does not answer it is tried again after a quarter of a second, and then less and less often up to
 * every four. It sleeps where nothing is shared.
 */
final class ShareKeeper implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ShareKeeper.class);
    private static final long USUAL_NANOS = 1_000_000_000L;
    /** Between two exchanges at least, so that many who wait are heard together. */
    private static final long LEAST_NANOS = 2_000_000L;
    /** Where who waits did not get all of it: before the others are asked for again. */
    private static final long AGAIN_NANOS = 50_000_000L;

    /** Where nothing is shared: until something is. */
    private static final long NEVER_NANOS = 3_600_000_000_000L;
    /** Between two looks whether the ledger is open. */
    private static final long OPENING_NANOS = 10_000_000L;

    private static final long FIRST_PAUSE_NANOS = 250_000_000L;
    private static final long LAST_PAUSE_NANOS = 4_000_000_000L;
    private static final long LAST_NANOS = 5_000_000_000L;
    private static final long LOG_NANOS = 60_000_000_000L;

    private final BudgetSharing budgets;
    private final Supplier<Optional<ShareBook>> book;
    private final BooleanSupplier opening;
    private final Thread thread;
    private volatile boolean woken;
    private volatile boolean closing;
    private volatile long exchanges;
    private volatile long failures;
    private volatile long nanos;
    private long logged = System.nanoTime() - LOG_NANOS;

    /**
     * @param book empty until the ledger is open
     * @param opening whether it is about to be, for the first time
     */
    ShareKeeper(BudgetSharing budgets, Supplier<Optional<ShareBook>> book, BooleanSupplier opening) {
        this.budgets = budgets;
        this.opening = opening;
        this.book = book;
        thread = Thread.ofPlatform().name("shared-budgets").daemon(true).unstarted(this::run);
    }

    void start() {
        budgets.onWake(() -> {
            if (!woken) {
                woken = true;
                LockSupport.unpark(thread);
            }
        });
        thread.start();
    }

    /** How it goes; any thread. */
    ShareStats stats() {
        return budgets.stats(exchanges, failures, nanos);
    }

    private void run() {
        long failing = 0;
        while (!closing && opening.getAsBoolean()) {
            pause(budgets.any() ? OPENING_NANOS : USUAL_NANOS, true);
            woken = false;
        }
        while (!closing) {
            woken = false;
            boolean answered = exchange(false);
            failing = answered ? 0 : Math.min(LAST_PAUSE_NANOS, Math.max(FIRST_PAUSE_NANOS, 2 * failing));
            if (failing > 0) {
                pause(failing, false);
            } else {
                pause(LEAST_NANOS, false);
                pause(budgets.anyWaits() ? AGAIN_NANOS : budgets.any() ? USUAL_NANOS : NEVER_NANOS, true);
            }
        }
    }

    private void pause(long nanos, boolean untilWoken) {
        long end = System.nanoTime() + nanos;
        for (long left = nanos; left > 0 && !closing && !(untilWoken && woken); left = end - System.nanoTime()) {
            LockSupport.parkNanos(this, left);
        }
    }

    /**
     * One exchange, where there is something to be said; whether it was answered. The counts have one writer: this
     * thread, and once it has ended who closes.
     */
    @SuppressWarnings("NonAtomicVolatileUpdate")
    private boolean exchange(boolean ending) {
        Optional<ShareExchange> next = budgets.prepare(ending);
        if (next.isEmpty()) {
            return true;
        }
        long start = System.nanoTime();
        try {
            ShareBook open = book.get()
                    .orElseThrow(() -> new AccountingException("the ledger's database could not be opened yet"));
            budgets.answered(next.get(), open.exchange(next.get()));
            exchanges++;
            return true;
        } catch (RuntimeException e) {
            budgets.failed(next.get());
            failures++;
            if (System.nanoTime() - logged >= LOG_NANOS) {
                logged = System.nanoTime();
                LOG.warn(
                        "shared budgets: the database does not answer, what was allotted is spent until the lease ends: {}",
                        e.getMessage());
            }
            return false;
        } finally {
            nanos += System.nanoTime() - start;
        }
    }

    /** Ends the thread, and gives back what is not spent; nothing is charged any more. */
    @Override
    public void close() {
        closing = true;
        LockSupport.unpark(thread);
        Bookkeeper.join(thread);
        long start = System.nanoTime();
        boolean goesOn = true;
        while (goesOn) { // what is asked for at once is bounded
            goesOn = exchange(true) && budgets.holdsAny() && System.nanoTime() - start < LAST_NANOS;
        }
    }
}
