package dev.jeton.accounting;

import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The thread that does what is due in the books: ends windows of device time, puts prices in force between them,
 * answers what was asked about periods, and tidies tasks. Every five ticks it ends the windows in which something was
 * used, so that reports are seconds behind; quiet windows end every sixty, and at the hour.
 *
 * <p>Owns its thread; once it is closed, what is left of its work is the closing thread's.
 */
final class BookTicker implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(BookTicker.class);
    private static final long WINDOW_TICKS = 5;
    private static final long QUIET_TICKS = 60;

    private final BookPace pace;
    private final BookClock clock;
    private final Journal journal;
    private final BookInForce prices;
    private final MeterWindows windows;
    private final Tasks tasks;
    private final LedgerKeeper ledger;
    private final PeriodRequests periodRequests;
    private final Thread thread;
    private volatile boolean closing;

    /** @param folder of the books, where it is asked about periods */
    BookTicker(
            Path folder,
            BookPace pace,
            BookClock clock,
            Journal journal,
            BookInForce prices,
            MeterWindows windows,
            Tasks tasks,
            LedgerKeeper ledger) {
        this.pace = pace;
        this.clock = clock;
        this.journal = journal;
        this.prices = prices;
        this.windows = windows;
        this.tasks = tasks;
        this.ledger = ledger;
        periodRequests = new PeriodRequests(folder);
        thread = Thread.ofPlatform().name("meter").daemon(true).unstarted(this::run);
    }

    void start() {
        thread.start();
    }

    private void run() {
        long hour = Periods.hour(clock.micros());
        for (long ticks = 1; !closing; ticks++) {
            LockSupport.parkNanos(this, pace.tickNanos());
            long now = Periods.hour(clock.micros());
            boolean newHour = now != hour;
            hour = now;
            try {
                look(ticks, newHour);
            } catch (RuntimeException e) {
                // windows, prices and tasks depend on this thread, so it goes on
                LOG.error("something of the books that was due could not be done; it is tried again", e);
            }
        }
    }

    private void look(long ticks, boolean newHour) {
        prices.adoptAsked(journal, clock::micros, windows::endAll, windows::journalEnded);
        periodRequests.answer(journal, clock.micros(), ledger.ledger());
        if (newHour || ticks % WINDOW_TICKS == 0 || windows.crowded()) {
            tick(newHour || ticks % QUIET_TICKS == 0);
        }
    }

    private void tick(boolean all) {
        windows.tick(all);
        try {
            tasks.tidy();
        } catch (AccountingException e) {
            LOG.warn("idle tasks wait for the journal: {}", e.getMessage());
        }
    }

    /** Ticks now. */
    void hasten() {
        LockSupport.unpark(thread);
    }

    /** Ends the thread, and then the last windows. */
    @Override
    public void close() {
        closing = true;
        hasten();
        Bookkeeper.join(thread);
        tick(true);
        tick(true);
    }
}
