package dev.jeton.accounting;

/**
 * What a task may spend, in all.
 *
 * @param unit what is counted
 * @param amount most of it, in the unit's smallest part
 */
public record TaskLimit(BudgetUnit unit, long amount) {}
