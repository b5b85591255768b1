package dev.jeton.accounting;

import java.util.List;

/**
 * What a request would cost, before it runs.
 *
 * @param expected what it will probably cost
 * @param worst what it costs at most by the list, and what its device time comes to where it generates all that it may
 *     and shares no step
 * @param budgets what the budgets above it would say, from the tenant's down
 */
public record Estimate(Bill expected, Bill worst, List<BudgetVerdict> budgets) {

    /** With a list of its own. */
    public Estimate {
        budgets = List.copyOf(budgets);
    }
}
