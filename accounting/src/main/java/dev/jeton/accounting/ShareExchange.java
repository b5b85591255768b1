package dev.jeton.accounting;

import java.util.List;
import java.util.Optional;

/**
 * What a server says to the database of the budgets that it shares, and asks of it; done in one transaction by
 * {@link ShareBook}.
 *
 * @param number counts exchanges of this process
 * @param prepared when its numbers were taken, the books' time in microseconds
 * @param offers what the server's own definitions say; empty where that was heard before
 * @param withdrawn budgets that somebody removed on this server while it ran
 * @param seen version of the terms that were heard last
 * @param leased until when this process was last said to be leased, by the database's clock; 0 for never
 * @param first whether this process has heard nothing yet, and wants to know what the database holds of it
 * @param renews whether it may spend for one lease longer from now on
 * @param asks by counter
 */
record ShareExchange(
        long number,
        long prepared,
        List<Offer> offers,
        List<Withdrawn> withdrawn,
        long seen,
        long leased,
        boolean first,
        boolean renews,
        List<Ask> asks) {

    /**
     * A budget as a server defines it.
     *
     * @param live whether it was defined so while the server ran: that is a decision; what a server starts with is one
     *     only where it is not what it said before
     */
    record Offer(String budget, String kind, BudgetTerms terms, boolean live) {}

    /** A budget that was removed. */
    record Withdrawn(String budget, String kind) {}

    /** What is asked of a counter. */
    enum What {
        /** To spend, or to give back. */
        SPENDS,
        /** Only how far it is. */
        LOOKS,
        /** Nothing any more: all that is not charged goes back. */
        ENDS
    }

    /** Names a counter on this server. */
    record Key(String budget, String kind, long generation, String subject, BudgetWindow.Span window, String counter) {}

    /**
     * What a server has of a counter and wants.
     *
     * @param charged spent and reserved in the window
     * @param keep up to where it goes on spending in the meantime: at least what it has charged
     * @param least beyond {@code charged}, without which it cannot go on; 0 for nothing
     * @param want beyond {@code charged}, what would do for a while
     */
    record Ask(Key key, long charged, long keep, long least, long want, What what) {}

    /** What holds of a budget. */
    record Decided(String budget, String kind, long generation, BudgetTerms terms, boolean removed, String by) {}

    /**
     * What became of an ask.
     *
     * @param allotted what the server may have charged in all
     * @param limit what all servers together may
     * @param left allotted to nobody; negative where more was spent than there is
     * @param elsewhere allotted to other servers and not charged by them
     * @param usedElsewhere charged by other servers; of one whose lease has run out, all that it was allotted
     * @param share what the server should keep beyond what it has charged, at most
     */
    record Answer(long allotted, long limit, long left, long elsewhere, long usedElsewhere, long share) {}

    /**
     * What the database says.
     *
     * @param version of the terms
     * @param leased until when the server is leased, by the database's clock
     * @param anew whether the database is not the one that was asked before, and must be told everything again
     * @param lapsed whether the server's lease had run out: what it was allotted may have been released
     * @param decided terms that have changed
     * @param held what the database holds of this server, where that was asked: allotments that are not spent, and
     *     others of windows that have not ended
     * @param differing budgets that other servers define as another kind, so that each has the limit once more; empty
     *     where that was not looked at
     * @param answers one for each ask, in order; empty where the database does not know the budget, or no such
     *     generation of it
     */
    record Reply(
            long version,
            long leased,
            boolean anew,
            boolean lapsed,
            List<Decided> decided,
            List<Held> held,
            Optional<List<Differing>> differing,
            List<Optional<Answer>> answers) {}

    /** A budget of one id that counts one thing here and another on another server. */
    record Differing(String budget, String kind, String node, String kindThere) {}

    /** An allotment as the database has it. */
    record Held(Key key, long allotted, long charged) {}
}
