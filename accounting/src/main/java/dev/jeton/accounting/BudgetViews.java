package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What people see and hear of budgets: counters as they are now, as they will be, and when they come near their limits
 * ({@link BudgetWatch}). Nothing is charged here. Any thread; takes the board's lock.
 */
final class BudgetViews {

    private final BudgetBoard board;

    BudgetViews(BudgetBoard board) {
        this.board = board;
    }

    /** As {@link Budgets#views}. */
    List<BudgetView> all() {
        board.lock.lock();
        try {
            long now = board.now();
            board.rollAll(now);
            board.passTime(now);
            board.index.accounts().forEach(account -> look(account, now));
            return board.index.accounts().stream()
                    .map(account -> BudgetWatch.view(account, now))
                    .toList();
        } finally {
            board.lock.unlock();
        }
    }

    /** Of a budget that servers share a counter is kept, so that it is heard how far the others are. */
    private Optional<BudgetAccount> shared(Budget budget, String subject, long now) {
        board.index.makeRoom(1, now);
        return budget.shared() && board.index.hasRoom()
                ? Optional.of(board.index.account(budget, subject, now))
                : Optional.empty();
    }

    private static void look(BudgetAccount account, long now) {
        if (account.share != null) {
            account.share.look(now);
        }
    }

    /** As {@link Budgets#above}. */
    List<BudgetView> above(Payer payer, String task) {
        board.lock.lock();
        try {
            long now = board.now();
            board.rollAll(now);
            List<BudgetView> views = new ArrayList<>();
            for (Budget budget : board.index.above(payer, task)) {
                String subject = BudgetIndex.subject(budget, payer, task, "");
                BudgetAccount account = board.index
                        .account(budget.id(), subject)
                        .or(() -> shared(budget, subject, now))
                        .orElseGet(() -> new BudgetAccount(budget, subject, now));
                look(account, now);
                account.passTime(now);
                views.add(BudgetWatch.view(account, now));
            }
            return views;
        } finally {
            board.lock.unlock();
        }
    }

    /**
     * What the budgets above a request would say of it now; nothing is charged.
     *
     * @param expected tokens that it will probably generate
     * @param most tokens that it may generate
     */
    List<BudgetVerdict> verdicts(BudgetHold hold, long expected, long most) {
        board.lock.lock();
        try {
            long now = board.now();
            board.rollAll(now);
            List<BudgetVerdict> verdicts = new ArrayList<>();
            for (int i = 0; i < hold.accounts.length; i++) {
                hold.accounts[i].passTime(now);
                verdicts.add(BudgetVerdict.of(hold, i, expected, most, now));
            }
            return verdicts;
        } finally {
            board.lock.unlock();
        }
    }

    /** The counters above a request as they will be once it has ended like this. */
    List<BudgetView> after(BudgetHold hold, Fact.Closed closed) {
        board.lock.lock();
        try {
            long now = board.now();
            List<BudgetView> views = new ArrayList<>();
            for (int i = 0; i < hold.accounts.length; i++) {
                if (!hold.accounts[i].removed) {
                    hold.accounts[i].passTime(now);
                    views.add(BudgetWatch.view(hold.accounts[i], now).givenBack(hold.gives(i, closed)));
                }
            }
            return views;
        } finally {
            board.lock.unlock();
        }
    }

    /**
     * Takes note of all counters; in the lock.
     *
     * @return what people should hear
     */
    List<BudgetEvent> look(long now) {
        List<BudgetEvent> events = new ArrayList<>();
        for (BudgetAccount account : board.index.accounts()) {
            BudgetWatch.look(account, now, events::add);
        }
        board.changes += events.size();
        return events;
    }
}
