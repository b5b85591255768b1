package dev.jeton.accounting;

import java.util.List;

/** Budgets for tests that are about something else. */
final class TestBudgets {

    private TestBudgets() {}

    /** Budgets without any. */
    static Budgets none() {
        return new Budgets(Budgets.Limits.USUAL, () -> 0);
    }

    /** A request that no budget is above. */
    static BudgetHold unbounded(Fact.Opened opened) {
        return new BudgetHold(opened, List.of(), tokens -> 0);
    }
}
