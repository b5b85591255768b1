package dev.jeton.accounting;

import java.util.function.LongSupplier;

/**
 * Until when a server may spend what it was allotted of shared budgets without hearing from the database. With each
 * exchange that renews it that is one lease longer: counted from before it asked by its own monotonic clock, less an
 * eighth, and from when it was heard by the database's. So one that cannot reach the database has stopped before the
 * database says so, whatever either's wall clock shows.
 *
 * <p>Written with the lock of {@link Budgets}; any thread may ask whether it runs, and whether the database answers.
 */
final class ShareLease {

    /** Of a lease: for the time that a clock may be wrong by, and a step takes. */
    private static final long MARGIN = 8;

    private final LongSupplier micros;
    private final long length;
    private volatile long validUntil = Long.MIN_VALUE;
    /** Numbers of the exchanges that failed and were answered last. */
    private volatile long failed = -1;

    private volatile long answered = -1;
    /** As the database has said by its own clock: one that says less has lost it. */
    private long said;

    /**
     * None yet.
     *
     * @param micros the books' time
     * @param length of a lease, microseconds
     */
    ShareLease(LongSupplier micros, long length) {
        this.micros = micros;
        this.length = length;
    }

    /** How long one is, microseconds. */
    long length() {
        return length;
    }

    /** Whether what was allotted may be spent. */
    boolean runs() {
        return micros.getAsLong() < validUntil;
    }

    /** For how long it may be, microseconds; 0 where it may not. */
    long left() {
        return validUntil == Long.MIN_VALUE ? 0 : Math.max(0, validUntil - micros.getAsLong());
    }

    /** Whether it should be renewed. */
    boolean isOld(long now) {
        return validUntil - now < length / 2;
    }

    /** Whether the last exchange failed. */
    boolean down() {
        return failed > answered;
    }

    /** Until when the database has said that it runs, by its own clock; 0 for never. */
    long said() {
        return said;
    }

    /** An exchange could not be done, or nobody knows whether it was. */
    void failed(ShareExchange exchange) {
        failed = exchange.number();
    }

    /** The database has answered one. */
    void answered(ShareExchange exchange, ShareExchange.Reply reply) {
        answered = exchange.number();
        if (exchange.renews()) {
            validUntil = exchange.prepared() + length - length / MARGIN;
        }
        said = reply.leased();
    }
}
