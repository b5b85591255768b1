package dev.jeton.accounting;

import java.util.List;

/**
 * A request that wants to be admitted to the books.
 *
 * @param request its id, unique in the ledger
 * @param payer who pays
 * @param zone of who calls; empty where it is not known
 * @param model the served model's name
 * @param work what kind of work it is
 * @param tags what the caller says that it is for
 * @param device the group on which it will run
 * @param prompts to be computed, each by a call to the model, at least 1
 * @param prompt tokens of all its prompts together, each counted once however many continuations it gets
 * @param sequences continuations, of all its prompts together
 * @param most tokens that they may generate together
 * @param budgets that the request brings with it, of level {@code REQUEST}
 * @param wake wakes the step loop when a grant has become durable; must not block
 */
public record Opening(
        String request,
        Payer payer,
        String zone,
        String model,
        Work work,
        Tags tags,
        String device,
        int prompts,
        long prompt,
        int sequences,
        long most,
        List<Budget> budgets,
        Runnable wake) {

    /** With a list of its own. */
    public Opening {
        budgets = List.copyOf(budgets);
    }
}
