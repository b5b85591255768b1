package dev.jeton.accounting;

import java.time.Duration;

/**
 * How much is kept of tasks in memory.
 *
 * @param maxOpen most open tasks, and most that have ended and are remembered
 * @param tenantOpen the same, of one tenant
 * @param maxSteps most steps of one task
 * @param allSteps most steps of all tasks that are kept; a quarter of them of one tenant
 * @param idle after which an open task ends as {@link TaskOutcome#EXPIRED}
 * @param late how long a task takes steps after its end; then it is forgotten
 */
public record TaskBounds(int maxOpen, int tenantOpen, int maxSteps, int allSteps, Duration idle, Duration late) {

    /** A server's, where nothing else is said. */
    public static final TaskBounds USUAL =
            new TaskBounds(50_000, 10_000, 1_000, 200_000, Duration.ofHours(24), Duration.ofHours(24));

    /** Most steps of one tenant's tasks. */
    int tenantSteps() {
        return Math.max(1, allSteps / 4);
    }
}
