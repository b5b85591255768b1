package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Grants what budgets still have, and makes wait who finds it reserved by others. Guarded by the lock of
 * {@link Budgets}.
 *
 * <p><b>Order.</b> Requests that run go before those that want to begin, each kind in the order in which they came; who
 * has to wait at a counter keeps those behind him from it. Who runs asks for more while it has something left, and
 * counts as waiting ({@link BudgetHold#blocked}) once that is computed; those who have something spend it or end:
 * waiting ends.
 *
 * <p><b>The end of a budget.</b> Only when all requests at a counter wait like that, what it had is spent: then the
 * first of them is ended, and the others see what it gives back (the part of its prompt that was found in the cache,
 * tokens computed beyond a stop string) before it is the next one's turn. Requests can also hold one another up
 * elsewhere: in the scheduler, say, where those that wait here have the slots that those that could go on need. So who
 * sees nothing move at its counter for {@code patience} is ended, too.
 *
 * <p><b>How much.</b> What is asked for, or an equal part of what is left where that is less, so that the last tokens
 * of a budget do not all go to who asks first; but not less than {@link #LEAST} at a time, as each grant is a write.
 */
final class BudgetQueue {

    /** Of what is left, not less than so many tokens at a time. */
    private static final long LEAST = 4;

    /** Tokens that can be granted in all, or who stands in the way. */
    record Answer(long total, int blockedBy) {}

    /** Makes and counts a refusal. */
    @FunctionalInterface
    interface Refusing {
        BudgetRefusal refuse(BudgetHold hold, int account, BudgetRefusal.Reason reason);
    }

    private final long patience;
    private final int most;
    private final Refusing refusing;
    private final BudgetShares shares;
    private final Set<BudgetWaiter> running = new LinkedHashSet<>();
    private final Set<BudgetWaiter> beginning = new LinkedHashSet<>();

    /**
     * @param patience microseconds for which who waits watches nothing move
     * @param most requests that may wait to begin
     * @param refusing called for those that wait to begin for nothing
     * @param shares told of who lacks something of a counter that servers share
     */
    BudgetQueue(long patience, int most, Refusing refusing, BudgetShares shares) {
        this.shares = shares;
        this.refusing = refusing;
        this.patience = patience;
        this.most = most;
    }

    boolean isEmpty() {
        return running.isEmpty() && beginning.isEmpty();
    }

    int size() {
        return running.size() + beginning.size();
    }

    /** How far a request can be granted. */
    static Answer affordable(BudgetHold hold, long wanted, long now) {
        long least = Math.min(wanted, hold.granted + 1);
        long total = wanted;
        for (int i = 0; i < hold.accounts.length; i++) {
            BudgetAccount account = hold.accounts[i];
            if (account.removed) {
                continue;
            }
            if (account.budget.killed()) {
                return new Answer(0, i);
            }
            if (account.budget.mode() != Budget.Mode.HARD) {
                continue;
            }
            long available = account.available(now);
            long need = hold.delta(i, least);
            boolean time = account.budget.unit() == BudgetUnit.DEVICE_SECONDS
                    || account.budget.unit() == BudgetUnit.WALL_SECONDS;
            if (time ? available <= 0 : need > 0 && need > available) {
                return new Answer(0, i);
            }
            if (!time) {
                total = Math.min(total, shared(hold, i, least, total, available));
            }
        }
        return new Answer(total, -1);
    }

    /** Tokens up to which an account pays for a request, and leaves as much to each of the others. */
    private static long shared(BudgetHold hold, int i, long least, long wanted, long available) {
        BudgetAccount account = hold.accounts[i];
        long sharers = account.holds.size() + (account.holds.containsKey(hold) ? 0 : 1);
        long more = wanted - hold.granted;
        long far = more > Long.MAX_VALUE / 2 / sharers ? wanted : hold.granted + sharers * more;
        if (hold.delta(i, far) <= available) {
            return wanted;
        }
        long room = paidFor(hold, i, least, far, available) - hold.granted;
        long part = Math.max(Math.min(room, LEAST), room / sharers);
        return Math.min(wanted, hold.granted + Math.max(1, part));
    }

    /**
     * The most tokens, from {@code low} to {@code high}, that so much pays for; {@code low} where even that is too
     * many.
     */
    static long paidFor(BudgetHold hold, int i, long low, long high, long available) {
        long from = low;
        long to = high;
        while (from < to) {
            long middle = from + (to - from + 1) / 2;
            if (hold.delta(i, middle) <= available) {
                from = middle;
            } else {
                to = middle - 1;
            }
        }
        return from;
    }

    /**
     * Grants what can be granted to one who comes.
     *
     * @return the counter that stands in the way, or -1 where it was granted
     * @throws AccountingException where the journal has no room; nothing was charged then
     */
    int grant(BudgetWaiter waiter, long now) {
        BudgetHold hold = waiter.hold;
        Answer answer = affordable(hold, waiter.wanted, now);
        if (answer.blockedBy() >= 0) {
            return answer.blockedBy();
        }
        long[] before = hold.charged.clone();
        long granted = hold.granted;
        hold.charge(answer.total(), now);
        try {
            waiter.appending.append(answer.total());
        } catch (RuntimeException e) {
            hold.takeBack(before, granted, now);
            throw e;
        }
        hold.unheard = null;
        return -1;
    }

    /** Who waits, in no order. */
    List<BudgetWaiter> waiters() {
        List<BudgetWaiter> all = new ArrayList<>(running);
        all.addAll(beginning);
        return all;
    }

    /** One finds too little of a counter: of one that servers share, more is asked for. */
    void lacks(BudgetHold hold, BudgetAccount account) {
        if (account.share != null) {
            shares.lacks(hold, account);
        }
    }

    /** Whether somebody waits who goes before. */
    boolean mustWait(BudgetWaiter waiter) {
        return sharesAny(waiter, running) || waiter.admission && sharesAny(waiter, beginning);
    }

    private static boolean sharesAny(BudgetWaiter waiter, Set<BudgetWaiter> others) {
        for (BudgetWaiter other : others) {
            if (other != waiter && other.at != null && contains(waiter.hold, other.at)) {
                return true;
            }
        }
        return false;
    }

    private static boolean contains(BudgetHold hold, BudgetAccount account) {
        for (BudgetAccount own : hold.accounts) {
            if (own == account) {
                return true;
            }
        }
        return false;
    }

    /** Whether one more may wait to begin. */
    boolean hasRoom() {
        return beginning.size() < most;
    }

    /**
     * Makes one wait.
     *
     * @param at the counter that stands in the way, or null where somebody who goes before does
     */
    void add(BudgetWaiter waiter, @Nullable BudgetAccount at) {
        waiter.at = at;
        if (at != null) {
            lacks(waiter.hold, at);
        }
        if (waiter.admission) {
            beginning.add(waiter);
            await(waiter, 1);
        } else {
            waiter.hold.waiter = waiter;
            running.add(waiter);
        }
    }

    /** Lets one go, granted or not. */
    boolean remove(BudgetWaiter waiter) {
        if (waiter.admission) {
            boolean waited = beginning.remove(waiter);
            await(waiter, waited ? -1 : 0);
            return waited;
        }
        waiter.hold.waiter = null;
        return running.remove(waiter);
    }

    /** Its counters are kept until it has begun. */
    private static void await(BudgetWaiter waiter, int more) {
        for (BudgetAccount account : waiter.hold.accounts) {
            account.awaited += more;
        }
    }

    /**
     * Something has changed: grants what can be granted now, and ends who waits for nothing.
     *
     * @return whether the journal had no room for somebody, so that it should be tried again soon
     */
    boolean process(long now) {
        Set<BudgetAccount> taken = new HashSet<>();
        boolean full = tryAll(running, taken, now);
        full |= tryAll(beginning, taken, now);
        for (BudgetWaiter waiter : new ArrayList<>(running)) {
            if (waiter.at != null) {
                decide(waiter, waiter.at, now);
            }
        }
        return full;
    }

    private boolean tryAll(Set<BudgetWaiter> waiters, Set<BudgetAccount> taken, long now) {
        boolean full = false;
        for (BudgetWaiter waiter : new ArrayList<>(waiters)) {
            if (sharesAny(waiter.hold, taken)) {
                continue;
            }
            try {
                int blockedBy = grant(waiter, now);
                if (blockedBy >= 0) {
                    lacks(waiter.hold, waiter.hold.accounts[blockedBy]);
                }
                if (blockedBy >= 0 && waiter.admission && mayNotBegin(waiter, blockedBy, now)) {
                    remove(waiter);
                } else if (blockedBy >= 0) {
                    BudgetAccount at = waiter.hold.accounts[blockedBy];
                    if (waiter.at != at) {
                        waiter.at = at;
                        waiter.since = now;
                    }
                    taken.add(at);
                } else {
                    remove(waiter);
                    waiter.admitted.complete(null);
                }
            } catch (AccountingException e) {
                if (waiter.admission) {
                    remove(waiter);
                    waiter.admitted.completeExceptionally(e);
                } else {
                    full = true;
                }
            }
        }
        return full;
    }

    private boolean mayNotBegin(BudgetWaiter waiter, int blockedBy, long now) {
        BudgetRefusal.Reason reason = reason(waiter.hold, blockedBy, now);
        return reason != BudgetRefusal.Reason.RESERVED_BY_OTHERS
                && waiter.admitted.completeExceptionally(refusing.refuse(waiter.hold, blockedBy, reason));
    }

    /** Why one cannot begin: whether the others could give back enough. */
    static BudgetRefusal.Reason reason(BudgetHold hold, int i, long now) {
        return reason(hold, i, hold.granted + 1, now);
    }

    /** The same of one who needs so many tokens. */
    static BudgetRefusal.Reason reason(BudgetHold hold, int i, long tokens, long now) {
        BudgetAccount account = hold.accounts[i];
        if (account.budget.killed()) {
            return BudgetRefusal.Reason.KILLED;
        }
        long need = Math.max(1, hold.delta(i, tokens));
        if (account.share != null) {
            return account.share.reason(hold, need, BudgetAccount.sum(account.available(now), account.reserved()));
        }
        return BudgetAccount.sum(account.available(now), account.reserved()) >= need
                ? BudgetRefusal.Reason.RESERVED_BY_OTHERS
                : BudgetRefusal.Reason.SPENT;
    }

    private static boolean sharesAny(BudgetHold hold, Set<BudgetAccount> accounts) {
        for (BudgetAccount account : hold.accounts) {
            if (accounts.contains(account)) {
                return true;
            }
        }
        return false;
    }

    /** Whether one who runs waits for nothing any more. */
    private void decide(BudgetWaiter waiter, BudgetAccount at, long now) {
        BudgetHold hold = waiter.hold;
        BudgetShare share = at.share;
        boolean alone = at.holds.size() == 1 && at.holds.containsKey(hold);
        boolean over = alone || hold.blocked() && nobodyMoves(at, hold);
        if (over && share != null) {
            over = !share.mayCome(hold, at.holds.getOrDefault(hold, 0), now);
        }
        if (at.budget.killed() || over || hold.blocked() && stuck(waiter, at, now)) {
            BudgetRefusal.Reason spent = share == null ? BudgetRefusal.Reason.SPENT : share.inVain(hold);
            BudgetRefusal.Reason reason = at.budget.killed() ? BudgetRefusal.Reason.KILLED : spent;
            remove(waiter);
            hold.stop(at.budget, at.subject, reason, at.budget.killed());
        }
    }

    private static boolean nobodyMoves(BudgetAccount at, BudgetHold but) {
        for (BudgetHold hold : at.holds.keySet()) {
            if (hold != but && !hold.blocked()) {
                return false;
            }
        }
        return true;
    }

    private boolean stuck(BudgetWaiter waiter, BudgetAccount at, long now) {
        long progress = at.holds.size();
        for (BudgetHold hold : at.holds.keySet()) {
            progress = 31 * progress + hold.spent();
        }
        if (progress != waiter.progress) {
            waiter.progress = progress;
            waiter.since = now;
        }
        return now - waiter.since >= patience;
    }
}
