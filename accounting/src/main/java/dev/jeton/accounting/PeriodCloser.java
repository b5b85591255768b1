package dev.jeton.accounting;

import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;

/**
 * Closes periods in books of a folder, journal first: so a ledger that is projected again closes them at the same place
 * among the facts, and what came later is a correction again. Where a process has the journal, it is asked to; where none
 * has, the fact is appended here. Closing again changes nothing.
 */
public final class PeriodCloser {

    private static final String JOURNAL = "journal";
    private static final long PAUSE_NANOS = 50_000_000;

    /** How far it came. */
    public enum Result {
        /** The close is in the journal and in the ledger. */
        CLOSED,
        /** The close is in the journal; the ledger takes it when a server projects the journal. */
        JOURNALED,
        /** The process that has the journal has not answered yet. The request stays, and is answered when it can be. */
        ASKED
    }

    private final Ledger ledger;
    private final Path folder;
    private final LongSupplier clock;

    /**
     * For the books of one node.
     *
     * @param ledger the one that the journal is projected into
     * @param folder of the books
     * @param clock microseconds since 1970
     */
    public PeriodCloser(Ledger ledger, Path folder, LongSupplier clock) {
        this.ledger = ledger;
        this.folder = folder;
        this.clock = clock;
    }

    /** The folder of the journal in a folder of books. */
    public static Path journal(Path folder) {
        return folder.resolve(JOURNAL);
    }

    static void requireEnded(String period, long now) {
        if (Period.named(period).until() > now) {
            throw new AccountingException(
                    "the period %s has not ended, so it cannot be closed; wait until it has".formatted(period));
        }
    }

    /**
     * Closes a period.
     *
     * @param period a month as {@code 2026-11}, a day as {@code 2026-11-20}; one that has not ended is refused
     * @param waitNanos how long to wait for the process that has the journal, and for the ledger
     * @throws AccountingException where the folder has no journal, or journal and ledger do not belong together
     */
    public Result close(String period, long waitNanos) {
        requireEnded(period, clock.getAsLong());
        CloseRequests requests = new CloseRequests(folder);
        long end = System.nanoTime() + waitNanos;
        boolean asked = false;
        do {
            // Tried again each time: the process that was asked may end without an answer.
            Optional<Journal> free = Journal.openUnlessUsed(journal(folder));
            if (free.isPresent()) {
                try (Journal journal = free.get()) {
                    Result result = close(journal, period, end);
                    requests.withdraw(period);
                    return result;
                }
            }
            if (!asked) {
                requests.ask(period);
                asked = true;
            } else if (!requests.waits(period) && ledger.isClosed(period)) {
                return Result.CLOSED;
            }
            LockSupport.parkNanos(this, PAUSE_NANOS);
        } while (System.nanoTime() < end);
        return requests.waits(period) ? Result.ASKED : Result.JOURNALED;
    }

    /** Appends the fact, and projects until the ledger has it. */
    private Result close(Journal journal, String period, long end) {
        long sequence = journal.append(new Fact.PeriodClosed(clock.getAsLong(), period));
        try {
            journal.awaitDurable(sequence);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AccountingException("interrupted while %s was being closed; close it again".formatted(period), e);
        }
        try (Projection projection =
                ledger.project(journal.node(), JournalSource.keeping(journal), Costing::inForce, clock)) {
            while (projection.status().applied() < sequence) {
                if (projection.status().stopped()) {
                    throw new AccountingException(
                            "the close of %s is in the journal, but the ledger does not take it: %s"
                                    .formatted(
                                            period,
                                            projection.status().failure().orElse("see the log")));
                }
                if (System.nanoTime() > end) {
                    return Result.JOURNALED;
                }
                LockSupport.parkNanos(this, PAUSE_NANOS);
            }
        }
        return Result.CLOSED;
    }
}
