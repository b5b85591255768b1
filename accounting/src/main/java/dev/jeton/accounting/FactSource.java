package dev.jeton.accounting;

import java.util.Optional;

/**
 * Where a projection reads facts from: one node's journal. Numbers begin at 1 or later and grow; after a crash that cut
 * off what was not durable some are left out, which only the source can tell from facts that are lost.
 */
public interface FactSource {

    /**
     * A fact and its number.
     *
     * @param sequence its number in the node's journal
     */
    record Entry(long sequence, Fact fact) {}

    /** Reads on, fact by fact; used by one thread. */
    interface Cursor extends AutoCloseable {

        /**
         * The next fact; waits for one to become durable.
         *
         * @param waitNanos how long to wait; 0 to take only what is there
         * @return empty where none came in that time
         */
        Optional<Entry> next(long waitNanos) throws InterruptedException;

        @Override
        void close();
    }

    /** The number of the newest durable fact; 0 where there is none. Any thread may ask. */
    long last();

    /**
     * Says that a ledger has taken every fact up to this one, on disk: the source may let go of them. Called by the
     * projection's thread after each batch, and when it finds where the ledger is; may say the same again.
     *
     * @param sequence number of the newest fact in the ledger
     */
    void taken(long sequence);

    /**
     * Reads from a fact on.
     *
     * @param sequence number of the first fact wanted
     * @throws AccountingException where facts from there on are lost
     */
    Cursor from(long sequence);
}
