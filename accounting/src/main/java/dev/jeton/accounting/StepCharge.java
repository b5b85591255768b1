package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a step of a task adds to a budget's counter. Made and used with the lock of {@link Budgets}.
 *
 * @param account the counter
 * @param amount in addition to what was charged for the step before; negative where something is given back
 */
record StepCharge(BudgetAccount account, long amount) {

    /** What is to be charged for a step, given what was said of it before, from the tenant's budgets down. */
    static List<StepCharge> of(BudgetIndex index, Fact.TaskStepped step, Optional<Fact.TaskStepped> before, long now) {
        List<StepCharge> charges = new ArrayList<>();
        boolean samePayer =
                before.map(Fact.TaskStepped::payer).filter(step.payer()::equals).isPresent();
        if (before.isPresent() && !samePayer) {
            add(charges, index, before.get().payer(), step.task(), -list(before.get()), -tools(before.get()), now);
        }
        Optional<Fact.TaskStepped> own = before.filter(said -> samePayer);
        long list = list(step) - own.map(StepCharge::list).orElse(0L);
        long tools = tools(step) - own.map(StepCharge::tools).orElse(0L);
        add(charges, index, step.payer(), step.task(), list, tools, now);
        return charges;
    }

    private static void add(
            List<StepCharge> charges, BudgetIndex index, Payer payer, String task, long list, long tools, long now) {
        for (Budget budget : index.above(payer, task)) {
            long amount = switch (budget.unit()) {
                case LIST_MONEY -> list;
                case TOOL_CALLS -> tools;
                default -> 0;
            };
            if (amount != 0 && budget.level() != Budget.Level.REQUEST) {
                String subject = BudgetIndex.subject(budget, payer, task, "");
                charges.add(new StepCharge(index.account(budget, subject, now), amount));
            }
        }
    }

    private static long list(Fact.TaskStepped step) {
        return step.state() == TaskStep.State.RELEASED ? 0 : step.step().list();
    }

    private static long tools(Fact.TaskStepped step) {
        return step.state() != TaskStep.State.RELEASED && step.step().kind() == TaskStep.Kind.TOOL ? 1 : 0;
    }

    /** Why the budget does not pay for it, if it does not. */
    Optional<BudgetRefusal.Reason> refusal(long now) {
        if (amount <= 0) {
            return Optional.empty();
        }
        if (account.budget.killed()) {
            return Optional.of(BudgetRefusal.Reason.KILLED);
        }
        long available = account.available(now);
        if (account.budget.mode() != Budget.Mode.HARD || amount <= available) {
            return Optional.empty();
        }
        return Optional.of(
                Money.add(available, account.reserved()) >= amount
                        ? BudgetRefusal.Reason.RESERVED_BY_OTHERS
                        : BudgetRefusal.Reason.SPENT);
    }
}
