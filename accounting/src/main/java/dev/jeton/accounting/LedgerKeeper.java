package dev.jeton.accounting;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens the ledger beside everything else, tries again where it cannot be opened, and has the journal projected into
 * it: requests need the journal only, and a database may be away for a while.
 *
 * <p>Any thread may ask.
 */
final class LedgerKeeper {

    private static final Logger LOG = LoggerFactory.getLogger(LedgerKeeper.class);
    private static final long FIRST_PAUSE_NANOS = 1_000_000_000L;
    private static final long LAST_PAUSE_NANOS = 30_000_000_000L;
    private static final long DRAIN_NANOS = 10_000_000_000L;
    private static final long DRAIN_PAUSE_NANOS = 5_000_000;

    /** The ledger, once it is open. */
    private record Open(Ledger ledger, Projection projection, ShareBook shares) {}

    private final BookSettings settings;
    private final BookPace pace;
    private final Journal journal;
    private final BookClock clock;
    private final Thread opener;
    private volatile Optional<Open> open = Optional.empty();
    private volatile boolean failed;
    private volatile boolean closing;
    private volatile boolean closed;

    private LedgerKeeper(BookSettings settings, BookPace pace, Journal journal, BookClock clock) {
        this.settings = settings;
        this.pace = pace;
        this.journal = journal;
        this.clock = clock;
        opener = Thread.ofPlatform().name("ledger-opener").daemon(true).unstarted(this::open);
    }

    /** Begins to open the ledger that the settings name. */
    static LedgerKeeper start(BookSettings settings, BookPace pace, Journal journal, BookClock clock) {
        LedgerKeeper keeper = new LedgerKeeper(settings, pace, journal, clock);
        keeper.opener.start();
        return keeper;
    }

    private void open() {
        boolean shares = settings.budgets().stream().anyMatch(Budget::shared);
        if (!closing && !shares && pace.settleNanos() > 0) {
            LockSupport.parkNanos(this, pace.settleNanos());
        }
        long pause = FIRST_PAUSE_NANOS;
        while (!closed) {
            try {
                Ledger opened = Ledger.open(settings.url(), settings.user(), settings.password());
                Projection projection = opened.project(
                        settings.node(),
                        new JournalSource(journal),
                        Costing::inForce,
                        clock::micros,
                        pace.gatherNanos());
                open = Optional.of(
                        new Open(opened, projection, opened.shares(settings.node(), settings.leaseNanos() / 1_000)));
                return;
            } catch (AccountingException e) {
                failed = true;
                LOG.error(
                        "the ledger cannot be opened; it is tried again in {} s, and the journal keeps what happens"
                                + " until it is full: {}",
                        pause / 1_000_000_000,
                        e.getMessage());
                LockSupport.parkNanos(this, pause);
                pause = Math.min(LAST_PAUSE_NANOS, 2 * pause);
            }
        }
    }

    /** The ledger, to be asked and not to be closed; empty until it has been opened. */
    Optional<Ledger> ledger() {
        return open.map(Open::ledger);
    }

    /** Whether it is about to be opened, and there is no reason to think that it will not be. */
    boolean opening() {
        return open.isEmpty() && !failed;
    }

    /** Where shared budgets are; empty until the ledger has been opened. */
    Optional<ShareBook> shares() {
        return open.map(Open::shares);
    }

    /** How far it is behind the journal. */
    Projection.Status status() {
        return open.map(now -> now.projection().status())
                .orElseGet(() -> new Projection.Status(
                        settings.node(), 0, journal.durable(), 0, Optional.of("the ledger is not open yet"), false));
    }

    /** What accounts have taken of each device, as booked since the process began. */
    List<DeviceTaking> takings() {
        return open.map(now -> now.projection().takings()).orElse(List.of());
    }

    /** As {@link Bookkeeper#awaitProjected}. */
    boolean awaitProjected(Duration most) throws InterruptedException {
        long target = journal.durable();
        long end = System.nanoTime() + most.toNanos();
        while (status().applied() < target) {
            if (status().stopped() || System.nanoTime() - end > 0) {
                return false;
            }
            open.ifPresent(now -> now.projection().hurry());
            TimeUnit.NANOSECONDS.sleep(DRAIN_PAUSE_NANOS);
        }
        return true;
    }

    /** No more waiting before the first try: the process ends. */
    void hasten() {
        closing = true;
        LockSupport.unpark(opener);
    }

    /** Waits some seconds for the ledger to take all up to a fact; then nothing more is projected. */
    void drain(long last) {
        long end = System.nanoTime() + DRAIN_NANOS;
        while (status().applied() < last && !status().stopped() && System.nanoTime() < end) {
            LockSupport.parkNanos(DRAIN_PAUSE_NANOS);
        }
        closed = true;
        LockSupport.unpark(opener);
        Bookkeeper.join(opener);
        open.ifPresent(now -> now.projection().close());
    }

    /** Closes the ledger; after the journal, which is read until then. */
    void close() {
        open.ifPresent(now -> now.ledger().close());
    }
}
