package dev.jeton.accounting;

/**
 * What people should hear of a budget.
 *
 * @param at when, microseconds since 1970
 * @param kind what happened
 * @param percent which threshold was passed; 0 for other kinds
 * @param view the counter
 */
public record BudgetEvent(long at, Kind kind, int percent, BudgetView view) {

    /** What can happen. */
    public enum Kind {
        /** So many percent of the limit are spent. */
        THRESHOLD,
        /** As it is spent of late, the limit will be passed before the window ends. */
        FORECAST
    }
}
