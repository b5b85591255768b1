package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.List;

/**
 * What a step of a task is charged to budgets: of one that is only reserved it is kept until it is settled or released,
 * and comes along into the next window; so what is given back is what is still charged there. Made and used with the
 * lock of {@link Budgets}.
 *
 * @param charges by counter, from the tenant's budgets down
 */
record StepHold(List<Charge> charges) {

    /** Nothing. */
    static final StepHold NOTHING = new StepHold(List.of());

    /** Names a step. */
    record Key(String tenant, String task, String step) {
        static Key of(Fact.TaskStepped step) {
            return new Key(step.payer().tenant(), step.task(), step.step().id());
        }
    }

    /** What a counter is charged. */
    record Charge(BudgetAccount account, long amount) {}

    /**
     * What a step would be charged.
     *
     * @param late whether its task has ended: counters of it are gone
     */
    static StepHold of(BudgetIndex index, Fact.TaskStepped step, boolean late, long now) {
        List<Charge> charges = new ArrayList<>();
        List<Budget> above = index.above(step.payer(), step.task());
        index.makeRoom(above.size(), now);
        for (Budget budget : above) {
            long amount = switch (budget.unit()) {
                case LIST_MONEY -> step.step().list();
                case TOOL_CALLS -> step.step().kind() == TaskStep.Kind.TOOL ? 1 : 0;
                default -> 0;
            };
            boolean counted = budget.level() != Budget.Level.REQUEST && !(late && budget.level() == Budget.Level.TASK);
            if (amount != 0 && counted) {
                String subject = BudgetIndex.subject(budget, step.payer(), step.task(), "");
                charges.add(new Charge(index.account(budget, subject, now), amount));
            }
        }
        return new StepHold(charges);
    }

    /** Charges it as reserved. */
    void reserve(long now) {
        for (Charge charge : charges) {
            charge.account().charge(charge.amount(), now);
            charge.account().reservedForSteps = BudgetAccount.sum(charge.account().reservedForSteps, charge.amount());
        }
    }

    /** Gives back what was reserved, where there is still such a budget. */
    void release(long now) {
        for (Charge charge : charges) {
            charge.account().charge(-charge.amount(), now);
            charge.account().reservedForSteps -= charge.amount();
        }
    }

    /** Charges it as spent. */
    void post(long now) {
        charges.forEach(charge -> charge.account().charge(charge.amount(), now));
    }
}
