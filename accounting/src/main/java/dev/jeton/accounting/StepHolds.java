package dev.jeton.accounting;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Predicate;

/**
 * Steps of tasks that are reserved and not done yet, with what they are charged. Guarded by the lock of
 * {@link Budgets}.
 */
final class StepHolds {

    private final BudgetIndex index;
    private final Map<StepHold.Key, StepHold> reserved = new HashMap<>();

    StepHolds(BudgetIndex index) {
        this.index = index;
    }

    /**
     * A step becomes what its fact says.
     *
     * @param late whether its task has ended
     * @param counts budgets that count it
     * @return what it is charged
     */
    StepHold apply(Fact.TaskStepped step, boolean late, long now, Predicate<Budget> counts) {
        StepHold.Key key = StepHold.Key.of(step);
        StepHold before = reserved.remove(key);
        if (before != null) {
            before.release(now);
        }
        if (step.state() == TaskStep.State.RELEASED) {
            return StepHold.NOTHING;
        }
        StepHold all = StepHold.of(index, step, late, now);
        StepHold hold = new StepHold(all.charges().stream()
                .filter(charge -> counts.test(charge.account().budget))
                .toList());
        if (step.state() == TaskStep.State.POSTED) {
            hold.post(now);
        } else if (!hold.charges().isEmpty()) {
            hold.reserve(now);
            reserved.put(key, hold);
        }
        return hold;
    }

    /** What is reserved. */
    Map<StepHold.Key, StepHold> all() {
        return reserved;
    }

    /** Puts back what a copy has: it is charged already. */
    void put(StepHold.Key key, StepHold hold) {
        reserved.put(key, hold);
        hold.charges()
                .forEach(charge -> charge.account().reservedForSteps =
                        BudgetAccount.sum(charge.account().reservedForSteps, charge.amount()));
    }
}
