package dev.jeton.accounting;

import java.util.Map;

/**
 * What budgets have done since the start.
 *
 * @param refusals requests refused, by budget and reason
 * @param stops requests ended in mid-generation, by budget
 * @param shadowRefusals requests that a budget in shadow mode would have refused, by budget
 * @param waiting requests that wait for what others have reserved
 * @param accounts counters there are
 */
public record BudgetStats(
        Map<Refused, Long> refusals,
        Map<String, Long> stops,
        Map<String, Long> shadowRefusals,
        int waiting,
        int accounts) {

    /** Which budget has refused, and why. */
    public record Refused(String budget, BudgetRefusal.Reason reason) {}
}
