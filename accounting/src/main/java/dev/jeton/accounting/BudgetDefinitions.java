package dev.jeton.accounting;

import java.util.Collection;
import java.util.List;
import java.util.function.LongSupplier;

/**
 * Which budgets there are: those that are defined, and those that tasks bring along. What changes holds at once, also
 * for requests under way. Any thread; takes the board's lock.
 */
final class BudgetDefinitions {

    private final BudgetBoard board;
    private boolean running;

    BudgetDefinitions(BudgetBoard board) {
        this.board = board;
    }

    /** The definitions in force, but for those that tasks brought along. */
    List<Budget> current() {
        board.lock.lock();
        try {
            return List.copyOf(board.index.definitions());
        } finally {
            board.lock.unlock();
        }
    }

    /** As {@link Budgets#define}. */
    void define(Collection<Budget> definitions) {
        board.lock.lock();
        try {
            long now = board.now();
            board.rollAll(now);
            List<Budget> holding = board.shares.definitions.define(definitions, running);
            board.shares.wake();
            board.index.define(holding, board.holds.values(), now);
            running = true;
            changed(now);
        } finally {
            board.lock.unlock();
        }
    }

    /**
     * A task brings budgets of its own.
     *
     * @param currency that its money is in
     * @param append appends the fact
     * @return what {@code append} does
     */
    long openTask(Fact.TaskOpened opened, String currency, LongSupplier append) {
        String tenant = opened.payer().tenant();
        board.lock.lock();
        try {
            long sequence = append.getAsLong();
            board.index.openTask(new BudgetIndex.TaskKey(tenant, opened.task()), limits(opened, currency));
            board.changes++;
            return sequence;
        } finally {
            board.lock.unlock();
        }
    }

    /** Budgets that a task brings along. */
    static List<Budget> limits(Fact.TaskOpened opened, String currency) {
        return opened.spec().limits().stream()
                .map(limit -> Budget.ofTask(
                        opened.payer().tenant(),
                        opened.task(),
                        limit.unit(),
                        limit.amount(),
                        limit.unit() == BudgetUnit.LIST_MONEY ? currency : ""))
                .toList();
    }

    /** A task's own budgets bind nobody who comes after this; as {@link #openTask}. */
    long endTask(Fact.TaskEnded ended, LongSupplier append) {
        board.lock.lock();
        try {
            long sequence = append.getAsLong();
            board.index.endTask(new BudgetIndex.TaskKey(ended.tenant(), ended.task()));
            changed(board.now());
            return sequence;
        } finally {
            board.lock.unlock();
        }
    }

    /** What holds of shared budgets was decided elsewhere. */
    void decided(long now) {
        board.index.define(board.shares.definitions.holding(), board.holds.values(), now);
        changed(now);
    }

    private void changed(long now) {
        board.changes++;
        for (BudgetHold hold : board.holds.values()) {
            for (BudgetAccount account : hold.accounts) {
                if (account.budget.killed() && !account.removed && !hold.stopped()) {
                    hold.stop(account.budget, account.subject, BudgetRefusal.Reason.KILLED, true);
                    board.counts.stopped(account.budget.id());
                }
            }
        }
        board.process(now);
        if (!board.holds.isEmpty()) {
            board.wakeSoon();
        }
    }
}
