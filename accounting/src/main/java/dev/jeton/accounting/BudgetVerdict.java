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
        KILLED,
        /**
         * It would refuse the request: servers share it, this one has no more of it, and the database does not answer.
         */
        UNREACHABLE;

        /** As the API says it. */
        public String text() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    /** What one of the budgets above a request would say; called with the lock of {@link Budgets}. */
    static BudgetVerdict of(BudgetHold hold, int i, long expected, long most, long now) {
        return new BudgetVerdict(BudgetWatch.view(hold.accounts[i], now), word(hold, i, expected, most, now));
    }

    private static Word word(BudgetHold hold, int i, long expected, long most, long now) {
        BudgetAccount account = hold.accounts[i];
        if (account.budget.killed()) {
            return Word.KILLED;
        }
        if (account.budget.mode() != Budget.Mode.HARD) {
            return Word.OK;
        }
        long available = account.mayHave(now);
        boolean time =
                account.budget.unit() == BudgetUnit.DEVICE_SECONDS || account.budget.unit() == BudgetUnit.WALL_SECONDS;
        long least = time ? 1 : hold.delta(i, 1);
        BudgetShare share = account.share;
        if (share != null && share.unreachable() && least > account.available(now)) {
            return Word.UNREACHABLE;
        }
        if (least > 0 && least > available) {
            return BudgetQueue.reason(hold, i, 1, now) == BudgetRefusal.Reason.SPENT
                    ? Word.SPENT
                    : Word.RESERVED_BY_OTHERS;
        }
        if (hold.delta(i, most) <= available) {
            return Word.OK;
        }
        return hold.delta(i, expected) <= available ? Word.MAY_END_EARLY : Word.ENDS_EARLY;
    }
}
