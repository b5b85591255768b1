package dev.jeton.accounting;

import java.util.HashMap;
import java.util.Map;

/**
 * Counts what budgets do. Those of tasks are counted together: there are as many as there are tasks. Guarded by the
 * lock of {@link Budgets}.
 */
final class BudgetCounts {

    /** Most names that are counted by themselves. */
    private static final int MOST = 20_000;

    private final Map<BudgetStats.Refused, Long> refusals = new HashMap<>();
    private final Map<String, Long> stops = new HashMap<>();
    private final Map<String, Long> shadowRefusals = new HashMap<>();

    /** A budget has refused a request or a step. */
    void refused(Budget budget, BudgetRefusal.Reason reason) {
        count(refusals, new BudgetStats.Refused(name(budget.id()), reason));
    }

    /** A budget has ended a request in mid-generation. */
    void stopped(String budget) {
        count(stops, name(budget));
    }

    /** A budget in shadow mode would have refused a request. */
    void wouldRefuse(Budget budget) {
        count(shadowRefusals, name(budget.id()));
    }

    private static <K> void count(Map<K, Long> counts, K key) {
        if (counts.size() < MOST || counts.containsKey(key)) {
            counts.merge(key, 1L, Long::sum);
        }
    }

    private static String name(String budget) {
        return budget.startsWith(BudgetIndex.TASK) ? "task" : budget;
    }

    /** All of it, with what is there now. */
    BudgetStats stats(int waiting, int accounts) {
        return new BudgetStats(Map.copyOf(refusals), Map.copyOf(stops), Map.copyOf(shadowRefusals), waiting, accounts);
    }
}
