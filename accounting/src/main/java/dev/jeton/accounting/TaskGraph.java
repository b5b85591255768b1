package dev.jeton.accounting;

import java.util.List;

/**
 * What a task cost: its calls, its steps, and their sums.
 *
 * @param requests the first of its requests, in the order in which they were opened; those that run are among them
 * @param steps the first of its steps, in the order in which they were reported
 */
public record TaskGraph(TaskRow task, List<RequestRow> requests, List<StepRow> steps, Sums sums) {

    /**
     * Sums over all requests and steps of a task, those that are not listed included.
     *
     * @param calls to models: prompts of requests that ended
     * @param running requests that have not
     * @param completed of those that ended, delivered whole
     * @param retried of those that ended, such as repeat another
     * @param fallbacks of those that ended, such as stand in for another
     * @param tokens of those that ended
     * @param list list money of tokens, nano-units
     * @param egress list money of bytes
     * @param metered metered money posted to the tenant
     * @param steps steps that were done
     * @param reservedSteps steps that are reserved
     * @param stepMoney list money of steps that were done
     * @param overdraft of that, beyond what was reserved
     * @param reserved money that is reserved
     * @param retrievals steps that were done and say whether they found something
     * @param hits of those, that did
     */
    public record Sums(
            long calls,
            long running,
            long completed,
            long retried,
            long fallbacks,
            Tokens tokens,
            long list,
            long egress,
            long metered,
            long steps,
            long reservedSteps,
            long stepMoney,
            long overdraft,
            long reserved,
            long retrievals,
            long hits) {

        /** All that is owed for the task by list: tokens, bytes and steps. */
        public long owed() {
            return Money.add(Money.add(list, egress), stepMoney);
        }
    }

    /** With lists of its own. */
    public TaskGraph {
        requests = List.copyOf(requests);
        steps = List.copyOf(steps);
    }
}
