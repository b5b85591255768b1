package dev.jeton.accounting;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/**
 * What budgets know, behind one lock: definitions and counters, requests under way, reserved steps, and those who wait.
 * Whoever reads or changes anything of it has the lock, but for when time should pass next.
 */
final class BudgetBoard {

    final ReentrantLock lock = new ReentrantLock();
    final BudgetIndex index;
    final BudgetShares shares;
    final BudgetQueue queue;
    final StepHolds steps;
    final BudgetCounts counts = new BudgetCounts();
    /** Requests under way that a budget is above, by id. */
    final Map<String, BudgetHold> holds = new LinkedHashMap<>();
    /** When the first window ends in which something was charged, microseconds since 1970. */
    long nextRoll = Long.MAX_VALUE;
    /** How often something that a restart must know has changed. */
    long changes;
    /** Until when the wall time of requests under way is counted, microseconds since 1970. */
    long counted;
    /** When time should pass next, microseconds since 1970; any thread. */
    private volatile long due = Long.MAX_VALUE;

    private final LongSupplier micros;
    /** Between two looks at those who wait, or at a counter that time is about to spend. */
    private static final long SOON_MICROS = 5_000;

    private Runnable nudge = () -> {};

    BudgetBoard(Budgets.Limits limits, LongSupplier micros) {
        this.micros = micros;
        shares = new BudgetShares(new ShareLease(micros, limits.leaseNanos() / 1_000));
        index = new BudgetIndex(limits.maxAccounts(), shares);
        steps = new StepHolds(index);
        queue = new BudgetQueue(limits.patienceNanos() / 1_000, limits.maxWaiting(), this::refuse, shares);
    }

    /** Told when time should pass earlier than was said; must not block. */
    void onWake(Runnable ticker) {
        nudge = ticker;
    }

    /** For how long time need not pass. */
    long quietMicros() {
        return Math.max(0, due - now());
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

    /** Time should pass every few milliseconds from now on. */
    void wakeSoon() {
        wake(now() + SOON_MICROS);
    }

    /** Time should pass at an instant at the latest. */
    void wake(long at) {
        if (at < due) {
            due = at;
            nudge.run();
        }
    }

    /** Time has passed, and need not until then, but for those who wait. */
    void sleep(long until, long now) {
        due = queue.isEmpty() ? Math.max(until, now + SOON_MICROS) : now + SOON_MICROS;
    }

    /** Something has changed: looks at those who wait. */
    void process(long now) {
        if (!queue.isEmpty() && queue.process(now)) {
            wakeSoon();
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

    /**
     * Counts wall time until now, and ends who has none left.
     *
     * @return when the next counter will be spent by it; {@link Long#MAX_VALUE} where none will
     */
    long passTime(long now) {
        counted = now;
        // of all first: a counter that the last of several requests spends ends those before it, too
        for (BudgetHold hold : holds.values()) {
            for (int i = 0; i < hold.accounts.length; i++) {
                if (!hold.accounts[i].removed) {
                    hold.passTime(i, now);
                }
            }
        }
        long next = Long.MAX_VALUE;
        for (BudgetHold hold : holds.values()) {
            for (BudgetAccount account : hold.accounts) {
                if (account.timed() && !account.removed) {
                    if (account.budget.mode() == Budget.Mode.HARD && account.available(now) <= 0) {
                        hold.stop(account.budget, account.subject, account.over(), true);
                    } else {
                        next = Math.min(next, account.exhausted(now));
                    }
                }
            }
        }
        return next;
    }
}
