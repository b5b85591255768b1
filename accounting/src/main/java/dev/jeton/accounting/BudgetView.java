package dev.jeton.accounting;

import java.util.Optional;

/**
 * A counter of a budget as it is now. Amounts are in the unit's smallest part.
 *
 * @param budget its definition
 * @param subject whose counter
 * @param window what it counts
 * @param limit what may be spent in it, top-ups and grace included
 * @param used spent and reserved
 * @param reserved of that, what requests under way have reserved and not spent
 * @param available what may still be reserved; negative where more was spent than there is
 * @param projected what will have been used at the window's end if it goes on as of late; what is used now, of a budget
 *     without an end
 * @param exhausted when the limit will be reached if it goes on as of late, microseconds since 1970;
 *     {@link Long#MAX_VALUE} where it will not within the window
 * @param shared of one that servers share; {@code limit}, {@code used} and {@code available} are then of all of them
 *     together, as of the last exchange, {@code reserved} is this server's
 */
public record BudgetView(
        Budget budget,
        String subject,
        BudgetWindow.Span window,
        long limit,
        long used,
        long reserved,
        long available,
        long projected,
        long exhausted,
        Optional<Share> shared) {

    /**
     * This server's part of a counter that servers share, and the others' as of the last exchange with the database.
     *
     * @param allotted what this server may charge in all
     * @param charged what it has, spent and reserved
     * @param usedElsewhere what other servers have; of one that was not heard of for a lease, all that it was allotted
     * @param left allotted to nobody
     * @param elsewhere allotted to other servers and not charged by them
     * @param asOf when that was so, microseconds since 1970; {@link Long#MIN_VALUE} where it is not known yet
     * @param leased whether what is allotted may be spent: the database was heard within the lease
     */
    public record Share(
            long allotted, long charged, long usedElsewhere, long left, long elsewhere, long asOf, boolean leased) {}

    /** Of a counter that is this server's alone. */
    public BudgetView(
            Budget budget,
            String subject,
            BudgetWindow.Span window,
            long limit,
            long used,
            long reserved,
            long available,
            long projected,
            long exhausted) {
        this(budget, subject, window, limit, used, reserved, available, projected, exhausted, Optional.empty());
    }

    /** The same after something reserved was given back. */
    BudgetView givenBack(long amount) {
        return new BudgetView(
                budget,
                subject,
                window,
                limit,
                used - amount,
                Math.max(0, reserved - amount),
                available + amount,
                projected,
                exhausted,
                shared);
    }

    /** Of what may be spent, how much is used; 1 where nothing may be. */
    public double usedRatio() {
        return ratio(used);
    }

    /** Of what may be spent, how much is reserved and not spent. */
    public double reservedRatio() {
        return ratio(reserved);
    }

    /** Of what may be spent, how much will be used at the window's end. */
    public double forecastRatio() {
        return ratio(projected);
    }

    private double ratio(long amount) {
        return limit > 0 ? (double) amount / limit : amount > 0 ? 1 + amount : 1;
    }
}
