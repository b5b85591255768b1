package dev.jeton.accounting;

/**
 * What a budget would say of a request now.
 *
 * @param view the counter as it is
 * @param word what it would say
 */
public record BudgetVerdict(BudgetView view, Word word) {

    /** What a budget can say. */
    public enum Word {
        /** It pays for the longest answer that is asked for. */
        OK,
        /** It pays for the expected answer, and would end a longer one. */
        MAY_END_EARLY,
        /** It would end even the expected answer. */
        ENDS_EARLY,
        /** It would refuse the request: what it had is spent. */
        SPENT,
        /** It would let the request wait, and perhaps refuse it: what is left is reserved. */
        RESERVED_BY_OTHERS,
        /** It would refuse the request: its switch was thrown. */
        KILLED;

        /** As the API says it. */
        public String text() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }
}
