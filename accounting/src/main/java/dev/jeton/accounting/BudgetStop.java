package dev.jeton.accounting;

/**
 * A request that a budget ended in mid-generation.
 *
 * @param budget the budget's id
 * @param subject whose counter of it
 * @param reason why
 */
public record BudgetStop(String budget, String subject, BudgetRefusal.Reason reason) {}
