package dev.jeton.accounting;

import java.util.List;
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
     * Opens a ledger and brings its schema up to date.
     *
     * @param url {@code jdbc:sqlite:/path/to/ledger.db} or {@code jdbc:postgresql://host/database}
     * @param user for PostgreSQL; empty where the URL says it
     * @param password for PostgreSQL; empty for none
     * @throws AccountingException where the database cannot be reached or its schema is newer than this program's
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
        return new Projection(database, node, source, costings, clock).start();
    }

    /** Closes the connections. */
    @Override
    public void close() {
        database.close();
    }
}
