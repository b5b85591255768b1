package dev.jeton.accounting;

/**
 * A step of a task as the ledger has it.
 *
 * @param step what was reported; its money is what is owed, 0 unless it was done
 * @param state how far it is
 * @param reserved nano-units that were reserved for it
 * @param overdraft of what is owed, beyond that
 * @param priceBook version of the book in whose currency its money is
 * @param openedAt when it was first reported, microseconds since 1970
 * @param settledAt when it was done or released; 0 while it is reserved
 */
public record StepRow(
        TaskStep step,
        TaskStep.State state,
        long reserved,
        long overdraft,
        String priceBook,
        long openedAt,
        long settledAt) {}
