package dev.jeton.accounting;

import java.util.Optional;

/**
 * A task as the ledger has it.
 *
 * @param id its id
 * @param payer who opened it
 * @param spec what was said then
 * @param implicit whether a request began it
 * @param openedAt microseconds since 1970
 * @param outcome how it ended; empty while it is open
 * @param why in its tenant's words
 * @param endedAt microseconds since 1970; 0 while it is open
 */
public record TaskRow(
        String id,
        Payer payer,
        TaskSpec spec,
        boolean implicit,
        long openedAt,
        Optional<TaskOutcome> outcome,
        String why,
        long endedAt) {

    /**
     * Whether it kept the time that it may take; empty where it has none, or is open and has still time.
     *
     * @param now microseconds since 1970
     */
    public Optional<Boolean> sloMet(long now) {
        if (spec.sloNanos() == 0) {
            return Optional.empty();
        }
        boolean within = (endedAt == 0 ? now : endedAt) - openedAt <= spec.sloNanos() / 1_000;
        return endedAt == 0 && within ? Optional.empty() : Optional.of(within);
    }
}
