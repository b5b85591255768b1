package dev.jeton.accounting;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;

/**
 * The books in SQL: a projection of the nodes' journals that can be asked. The journal is what lasts; a ledger that is
 * lost is projected again. Any thread may use it.
 */
public final class Ledger implements AutoCloseable {

    private final Database database;

    private Ledger(Database database) {
        this.database = database;
    }

    /**
     * Opens a ledger and brings its schema up to date. Changes of the schema are additive, so one that a newer version
     * has brought is as good.
     *
     * @param url {@code jdbc:sqlite:/path/to/ledger.db} or {@code jdbc:postgresql://host/database}
     * @param user for PostgreSQL; empty where the URL says it
     * @param password for PostgreSQL; empty for none
     * @throws AccountingException where the database cannot be reached
     */
    public static Ledger open(String url, String user, String password) {
        Database.migrate(url, user, password);
        return new Ledger(Database.open(url, user, password));
    }

    /**
     * Brings the schema of a ledger up to date without opening it.
     *
     * @return what was applied, oldest first; empty where nothing was pending
     */
    public static List<String> migrate(String url, String user, String password) {
        return Database.migrate(url, user, password);
    }

    /** What {@link #migrate} would apply. */
    public static List<String> pending(String url, String user, String password) {
        return Database.pending(url, user, password);
    }

    /**
     * Begins to project a journal; the projection is closed by the caller, before the ledger.
     *
     * @param node whose journal: what rows name; two nodes may share a database, never a name
     * @param clock microseconds since 1970, for the lag
     */
    public Projection project(String node, FactSource source, Costings costings, LongSupplier clock) {
        return project(node, source, costings, clock, 0);
    }

    /**
     * The same, in fewer and larger transactions.
     *
     * @param gatherNanos how long to wait for more facts once there is one; what the ledger may be behind by
     */
    public Projection project(String node, FactSource source, Costings costings, LongSupplier clock, long gatherNanos) {
        return new Projection(database, node, source, costings, clock, gatherNanos).start();
    }

    /** Where budgets are that servers share. */
    ShareBook shares(String node, long leaseMicros) {
        return new ShareBook(database, node, leaseMicros);
    }

    /**
     * A server is gone for good: what it was allotted of shared budgets, and did not say that it has spent, may be
     * spent by others. What it has spent without saying so passes the limit, if it is ever heard of.
     *
     * @return what was released, a sentence each
     * @throws AccountingException while its lease runs, since until then it may spend; or where there never was such a
     *     server
     */
    public List<String> release(String node) {
        return ShareBook.release(database, node, database::micros).stream()
                .map(held -> "%s of budget %s of %s"
                        .formatted(
                                held.allotted() - held.charged(),
                                held.key().budget(),
                                held.key().subject()))
                .toList();
    }

    /** Questions to these books. */
    public Reports reports() {
        return new Reports(database);
    }

    /**
     * Questions that may not keep the database for long: one that does fails with an {@link AccountingException} caused
     * by a {@link java.sql.SQLTimeoutException}.
     *
     * @param most how long the database may work on one
     */
    public Reports reports(Duration most) {
        return new Reports(database.patient(most));
    }

    /**
     * Recomputes what the books must be: postings balance, hours are the sums of their rows, windows' states are their
     * clocks' time and follow one another, requests are opened and closed once, closed periods are as they were closed,
     * progress is past what is booked.
     *
     * @return what is wrong, a sentence each; empty in sound books
     */
    public List<String> verify() {
        return database.read(Verification::run);
    }

    /**
     * Freezes a period: what is about it and comes later is booked as a correction in the first hour that is open then.
     * It is noted in this database only; {@link PeriodCommands} also brings it into a journal, which survives the loss
     * of the database. A period that is closed stays as it is.
     *
     * @param period a month as {@code 2026-11}, a day as {@code 2026-11-20}, of UTC
     * @param now microseconds since 1970; a period that has not ended is refused
     */
    public void close(String period, long now) {
        PeriodCommands.requireEnded(period, now);
        database.write(connection -> {
            database.lockBooks(connection);
            Fact.PeriodClosed closed = new Fact.PeriodClosed(now, period, Books.taken(connection));
            return Closing.close(connection, Books.periods(connection), closed, "");
        });
    }

    /** Number of the newest fact that the ledger has, by node. */
    Map<String, Long> taken() {
        return database.read(Books::taken);
    }

    /** Whether a period is closed by itself; one in a closed month may not be. */
    public boolean isClosed(String period) {
        return database.read(Books::periods).isClosed(period);
    }

    /** How often a period, named so, was costed again by a book, to the end. */
    long recosts(String period, String priceBook) {
        return database.read(connection -> Recosting.finished(connection, period, priceBook));
    }

    /**
     * Refuses a price book of another currency than the money booked in a period.
     *
     * @throws AccountingException naming both
     */
    void requireCurrency(Period period, PriceBook book) {
        database.read(connection -> BookCurrencies.other(connection, period.from(), period.until(), book.currency()))
                .ifPresent(other -> {
                    throw new AccountingException(
                            "price book %s is in %s, the books of that time are in %s (price book %s); name a book in that"
                                            .formatted(
                                                    book.version(), book.currency(), other.currency(), other.version())
                                    + " currency");
                });
    }

    /**
     * Replaces what is personal in a tenant's rows: labels and ids of keys of all its requests, and the ids of requests
     * that ended in time. Amounts and totals stay. The journal and backups are not touched.
     *
     * @param before microseconds since 1970; ids of requests that ended later stay, because facts about them may still
     *     come: a time that all journals have been projected past
     * @return how many requests lost their id
     */
    public int erase(String tenant, long before) {
        return database.write(connection -> {
            database.lockBooks(connection);
            return Erasure.erase(connection, tenant, before);
        });
    }

    /**
     * The content of a price book that was in force.
     *
     * <p>For operators: it holds what every tenant pays.
     *
     * @throws AccountingException where the ledger has none of that version
     */
    public String priceBook(String version) {
        return database.read(connection -> Books.document(connection, Fact.DocumentKind.PRICE_BOOK, version));
    }

    /** As {@link #priceBook}; empty where the ledger has none of that version. */
    Optional<String> findPriceBook(String version) {
        return database.read(connection -> Books.findDocument(connection, Fact.DocumentKind.PRICE_BOOK, version));
    }

    /**
     * Writes a copy of a SQLite ledger while it is in use.
     *
     * @param target a file that does not exist
     * @throws AccountingException for PostgreSQL, naming its tool
     */
    public void backup(Path target) {
        Backups.backup(database, target);
    }

    /**
     * Puts a backup in the place of a SQLite ledger that is not there any more; the journal then brings what came
     * after.
     *
     * @throws AccountingException where there is a ledger, or the backup is not sound; for PostgreSQL, naming its tool
     */
    public static void restore(String url, Path backup) {
        Backups.restore(url, backup);
    }

    /** Closes the connections. */
    @Override
    public void close() {
        database.close();
    }
}
