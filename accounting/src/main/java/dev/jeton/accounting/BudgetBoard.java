package dev.jeton.accounting;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/**
 * What budgets know, behind one lock: definitions and counters, requests under way, reserved steps, and those who wait. Whoever
 * reads or changes anything of it has the lock, but for {@link #busy}.
 */
final class BudgetBoard {

    final ReentrantLock lock = new ReentrantLock();
    final BudgetIndex index;
    final BudgetQueue queue;
    final StepHolds steps;
    final BudgetCounts counts = new BudgetCounts();
    /** Requests under way that a budget is above, by id. */
    final Map<String, BudgetHold> holds = new LinkedHashMap<>();
    /** When the first window ends in which something was charged, microseconds since 1970. */
    long nextRoll = Long.MAX_VALUE;
    /** How often something that a restart must know has changed. */
    long changes;
    /** Whether time should pass in steps of milliseconds; any thread. */
    volatile boolean busy;

    private final LongSupplier micros;
    private Runnable nudge = () -> {};

    BudgetBoard(Budgets.Limits limits, LongSupplier micros) {
        this.micros = micros;
        index = new BudgetIndex(limits.maxAccounts());
        steps = new StepHolds(index);
        queue = new BudgetQueue(limits.patienceNanos() / 1_000, limits.maxWaiting(), this::refuse);
    }

    /** Told when {@link #busy} becomes true; must not block. */
    void onBusy(Runnable ticker) {
        nudge = ticker;
    }

    /** The books' time, microseconds since 1970. */
    long now() {
        return micros.getAsLong();
    }

    /** Makes and counts a refusal. */
    BudgetRefusal refuse(BudgetHold hold, int i, BudgetRefusal.Reason reason) {
        return refuse(hold.accounts[i], reason);
    }

    /** The same. */
    BudgetRefusal refuse(BudgetAccount account, BudgetRefusal.Reason reason) {
        counts.refused(account.budget, reason);
        long resets = reason == BudgetRefusal.Reason.SPENT ? account.window.to() : Long.MAX_VALUE;
        return new BudgetRefusal(account.budget, account.subject, reason, resets);
    }

    /** {@code tick} should be called every few milliseconds from now on. */
    void setBusy() {
        if (!busy) {
            busy = true;
            nudge.run();
        }
    }

    /** Something has changed: looks at those who wait. */
    void process(long now) {
        if (!queue.isEmpty() && queue.process(now)) {
            setBusy();
        }
    }

    /** Begins windows anew whose time has come. */
    void rollAll(long now) {
        if (now < nextRoll) {
            return;
        }
        nextRoll = Long.MAX_VALUE;
        for (BudgetAccount account : index.accounts()) {
            account.roll(now);
            nextRoll = Math.min(nextRoll, account.window.to());
        }
        for (BudgetHold hold : holds.values()) {
            for (BudgetAccount account : hold.accounts) { // those of the request alone are in no index
                account.roll(now);
                nextRoll = Math.min(nextRoll, account.window.to());
            }
        }
        index.sweep(now);
        changes++;
    }

    /** Counts wall time until now; whether any is counted. */
    boolean passTime(long now) {
        boolean any = false;
        for (BudgetHold hold : holds.values()) {
            for (int i = 0; i < hold.accounts.length; i++) {
                BudgetAccount account = hold.accounts[i];
                if (account.budget.unit() == BudgetUnit.WALL_SECONDS && !account.removed) {
                    any = true;
                    hold.passTime(i, now);
                    if (account.budget.mode() == Budget.Mode.HARD && account.available(now) <= 0) {
                        hold.stop(account.budget, account.subject, BudgetRefusal.Reason.SPENT, true);
                    }
                }
            }
        }
        return any;
    }
}
