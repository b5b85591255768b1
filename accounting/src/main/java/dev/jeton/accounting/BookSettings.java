package dev.jeton.accounting;

import java.nio.file.Path;
import java.util.List;

/**
 * What books are kept, and where.
 *
 * @param folder of the journal, and of the ledger where it is SQLite
 * @param node this process's name in the ledger, the same after a restart
 * @param ledgerUrl JDBC URL; empty for SQLite in the folder
 * @param user for PostgreSQL
 * @param password for PostgreSQL
 * @param prices in force until others are adopted
 * @param zone that the process is in; empty where it is not known
 * @param aborted what is billed of requests that a crash cut off
 * @param journalBytes most bytes of facts that the ledger has not taken
 * @param tasks how much is kept of tasks
 * @param version of this program
 * @param leaseNanos how long what was allotted of a shared budget is spent while the ledger's database is away
 * @param budgets in force until others are {@link Bookkeeper#define defined}
 */
public record BookSettings(
        Path folder,
        String node,
        String ledgerUrl,
        String user,
        String password,
        PriceBook prices,
        String zone,
        AbortedPolicy aborted,
        long journalBytes,
        TaskBounds tasks,
        String version,
        long leaseNanos,
        List<Budget> budgets) {

    /** With usual leases. */
    public BookSettings(
            Path folder,
            String node,
            String ledgerUrl,
            String user,
            String password,
            PriceBook prices,
            String zone,
            AbortedPolicy aborted,
            long journalBytes,
            TaskBounds tasks,
            String version,
            List<Budget> budgets) {
        this(
                folder,
                node,
                ledgerUrl,
                user,
                password,
                prices,
                zone,
                aborted,
                journalBytes,
                tasks,
                version,
                Budgets.Limits.USUAL.leaseNanos(),
                budgets);
    }

    /** With a list of its own. */
    public BookSettings {
        budgets = List.copyOf(budgets);
    }

    String url() {
        return ledgerUrl.isEmpty() ? "jdbc:sqlite:" + folder.resolve("ledger.db") : ledgerUrl;
    }
}
