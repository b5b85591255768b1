package dev.jeton.accounting;

import java.util.OptionalLong;

/**
 * A request that a budget does not pay for: nothing of it was done, nothing is reserved for it.
 *
 * <p>Has no stack trace: it is thrown as often as clients like.
 */
public final class BudgetRefusal extends RuntimeException {

    /** Why. */
    public enum Reason {
        /** What the budget had is spent. */
        SPENT,
        /** What is left is reserved by requests under way, which may give some of it back. */
        RESERVED_BY_OTHERS,
        /** Somebody has thrown its switch. */
        KILLED,
        /**
         * It is shared by servers, and the database from which this one gets its part does not answer: whether anything
         * is left cannot be said.
         */
        UNREACHABLE;

        /** As the API and metrics say it. */
        public String text() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    private static final long serialVersionUID = 1;

    private final transient Budget budget;
    private final String subject;
    private final Reason reason;
    private final long resets;

    BudgetRefusal(Budget budget, String subject, Reason reason, long resets) {
        super(
                "the budget %s of %s (%s per %s) does not pay for this: %s"
                        .formatted(
                                budget.id(),
                                subject,
                                budget.unit().text(),
                                budget.window().kind().text(),
                                reason.text()),
                null,
                false,
                false);
        this.budget = budget;
        this.subject = subject;
        this.reason = reason;
        this.resets = resets;
    }

    /** Which budget. */
    public Budget budget() {
        return budget;
    }

    /** Whose counter of it. */
    public String subject() {
        return subject;
    }

    /** Why. */
    public Reason reason() {
        return reason;
    }

    /** When it begins anew, microseconds since 1970; empty for one that never does. */
    public OptionalLong resets() {
        return resets == Long.MAX_VALUE ? OptionalLong.empty() : OptionalLong.of(resets);
    }
}
