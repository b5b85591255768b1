package dev.jeton.accounting;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;

/**
 * What an operator decides about periods, in books of a folder and journal first: so a ledger that is projected again
 * has it at the same place among the facts. Where a process has the journal, it is asked to write the fact; where none
 * has, the fact is appended here. The same again changes nothing.
 */
public final class PeriodCommands {

    private static final String JOURNAL = "journal";
    private static final long PAUSE_NANOS = 50_000_000;

    /** How far it came. */
    public enum Result {
        /** It is in the journal and in the ledger. */
        DONE,
        /** It is in the journal; the ledger takes it when a server projects the journal. */
        JOURNALED,
        /** The process that has the journal has not answered yet. The request stays, and is answered when it can be. */
        ASKED
    }

    private final Ledger ledger;
    private final Path folder;
    private final LongSupplier clock;
    private final PriceBookShelf shelf;

    /**
     * For the books of one node.
     *
     * @param ledger the one that the journal is projected into
     * @param folder of the books
     * @param clock microseconds since 1970
     */
    public PeriodCommands(Ledger ledger, Path folder, LongSupplier clock) {
        this.ledger = ledger;
        this.folder = folder;
        this.clock = clock;
        shelf = new PriceBookShelf(folder);
    }

    /** The folder of the journal in a folder of books. */
    public static Path journal(Path folder) {
        return folder.resolve(JOURNAL);
    }

    /** The same, as a disk. */
    static JournalDisk disk(Path folder) {
        try {
            return new FolderDisk(journal(folder));
        } catch (IOException e) {
            throw new AccountingException(
                    "the folder %s cannot be used (%s); see to the disk and its permissions"
                            .formatted(journal(folder), e),
                    e);
        }
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
        return carryOut(new PeriodRequest.Close(period), () -> ledger.isClosed(period), waitNanos);
    }

    /**
     * Costs the windows of a period again: what they cost by the books they were costed by is reversed and what they
     * cost by another is posted, as corrections where the period is closed. It holds for every node in the ledger, and
     * for windows of the period that come later. List prices stay what callers were told.
     *
     * @param period as in {@link #close}
     * @param book kept in the books' folder and in the journal
     * @param waitNanos as in {@link #close}
     * @throws AccountingException as in {@link #close}, and where the book is in another currency than the period's
     *     books
     */
    public Result recost(String period, PriceBook book, long waitNanos) {
        Period span = Period.named(period);
        if (span.until() > clock.getAsLong()) {
            throw new AccountingException(
                    ("the period %s has not ended, so it cannot be costed again; wait until it has, and start the server"
                                    + " with the other price book for what comes")
                            .formatted(period));
        }
        ledger.requireCurrency(span, book);
        shelf.keep(book);
        long before = ledger.recosts(period, book.version());
        return carryOut(
                new PeriodRequest.Recost(period, book.version()),
                () -> ledger.recosts(period, book.version()) > before,
                waitNanos);
    }

    /**
     * A price book that is kept in the folder or known to the ledger.
     *
     * @throws AccountingException where there is none of that version, naming those that are kept
     */
    public PriceBook priceBook(String version) {
        Optional<PriceBook> kept = shelf.find(version);
        if (kept.isPresent()) {
            return kept.get();
        }
        Optional<String> known = ledger.findPriceBook(version);
        return PriceBook.parse(
                version,
                known.orElseThrow(() -> new AccountingException(
                        "there is no price book %s: no file has that name and no book of that version was in force; kept are %s"
                                .formatted(version, shelf.versions()))));
    }

    private Result carryOut(PeriodRequest request, BooleanSupplier done, long waitNanos) {
        PeriodRequests requests = new PeriodRequests(folder);
        long end = System.nanoTime() + waitNanos;
        boolean asked = false;
        do {
            // Tried again each time: the process that was asked may end without an answer.
            Optional<Journal> free = Journal.openUnlessUsed(journal(folder));
            if (free.isPresent()) {
                try (Journal journal = free.get()) {
                    Result result = append(journal, request, end);
                    requests.withdraw(request);
                    return result;
                }
            }
            if (!asked) {
                requests.ask(request);
                asked = true;
            } else if (!requests.waits(request) && done.getAsBoolean()) {
                return Result.DONE;
            }
            LockSupport.parkNanos(this, PAUSE_NANOS);
        } while (System.nanoTime() < end);
        return requests.waits(request) ? Result.ASKED : Result.JOURNALED;
    }

    /** Appends the fact, and projects until the ledger has it. */
    private Result append(Journal journal, PeriodRequest request, long end) {
        long sequence = journal.append(request.fact(clock.getAsLong(), shelf, ledger.taken()));
        try {
            journal.awaitDurable(sequence);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AccountingException(
                    "interrupted before what was asked about %s was in the journal; ask again"
                            .formatted(request.period()),
                    e);
        }
        try (Projection projection =
                ledger.project(journal.node(), JournalSource.keeping(journal), Costing::inForce, clock)) {
            while (projection.status().applied() < sequence) {
                if (projection.status().stopped()) {
                    throw new AccountingException(
                            "what was asked about %s is in the journal, but the ledger does not take it: %s"
                                    .formatted(
                                            request.period(),
                                            projection.status().failure().orElse("see the log")));
                }
                if (System.nanoTime() > end) {
                    return Result.JOURNALED;
                }
                LockSupport.parkNanos(this, PAUSE_NANOS);
            }
        }
        return Result.DONE;
    }
}
