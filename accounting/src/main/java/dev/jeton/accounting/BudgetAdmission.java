package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Lets requests begin: charges their prompt and their first grant to all budgets above them, or lets them wait, or
 * refuses them. Any thread; takes the board's lock, and waits without it.
 */
final class BudgetAdmission {

    private final BudgetBoard board;
    private final long patienceNanos;

    /** @param patienceNanos how long one waits for what others have reserved */
    BudgetAdmission(BudgetBoard board, long patienceNanos) {
        this.board = board;
        this.patienceNanos = patienceNanos;
    }

    /**
     * What budgets are above a request; nothing is charged yet.
     *
     * @param own budgets that the request itself brings, of level {@code REQUEST}
     */
    BudgetHold hold(Fact.Opened opened, PriceBook prices, List<Budget> own) {
        board.lock.lock();
        try {
            List<Budget> all = new ArrayList<>(
                    board.index.above(opened.payer(), opened.tags().task()));
            all.addAll(own);
            ListPricing pricing = new ListPricing(prices);
            return new BudgetHold(
                    opened,
                    board.index.accounts(all, opened, board.now()),
                    tokens -> pricing.dearest(
                            opened.model(),
                            opened.payer().tenant(),
                            opened.prompt(),
                            tokens,
                            opened.at(),
                            opened.work()));
        } finally {
            board.lock.unlock();
        }
    }

    /**
     * The rung {@link Budget.Rung.Shorter}: how many tokens the budgets that have it still pay for.
     *
     * @return {@code most}, or less
     * @throws BudgetRefusal where that is fewer than are worth it
     */
    long shorten(BudgetHold hold, long most) {
        board.lock.lock();
        try {
            long now = board.now();
            board.rollAll(now);
            long left = most;
            for (int i = 0; i < hold.accounts.length; i++) {
                for (Budget.Rung rung : hold.accounts[i].budget.ladder()) {
                    if (rung instanceof Budget.Rung.Shorter shorter) {
                        left = Math.min(left, paidFor(hold, i, most, now));
                        if (left < Math.min(most, shorter.atLeast())) {
                            throw board.refuse(
                                    hold, i, BudgetQueue.reason(hold, i, Math.min(most, shorter.atLeast()), now));
                        }
                        if (left < most && hold.shortenedBy.isEmpty()) {
                            hold.shortenedBy = Optional.of(new BudgetStop(
                                    hold.accounts[i].budget.id(),
                                    hold.accounts[i].subject,
                                    BudgetRefusal.Reason.SPENT));
                        }
                    }
                }
            }
            return left;
        } finally {
            board.lock.unlock();
        }
    }

    /** Tokens that a hard budget has for a request if nobody else takes them. */
    private static long paidFor(BudgetHold hold, int i, long most, long now) {
        BudgetAccount account = hold.accounts[i];
        return account.budget.mode() == Budget.Mode.HARD
                ? BudgetQueue.paidFor(hold, i, 0, most, account.mayHave(now))
                : most;
    }

    /**
     * Admits a request: charges its prompt and its first grant, or waits until others give back enough, for a bounded
     * time.
     *
     * @param first appends the request's beginning and its first grant
     * @throws BudgetRefusal where a budget does not pay for it
     * @throws AccountingException where the journal does not take it
     */
    void admit(BudgetHold hold, long wanted, BudgetWaiter.Appending first) throws InterruptedException {
        if (hold.empty()) {
            first.append(wanted);
            return;
        }
        BudgetWaiter waiter = begin(hold, wanted, first);
        try {
            waiter.admitted.get(patienceNanos, TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            refuseUnlessAdmitted(waiter);
        } catch (ExecutionException e) {
            throw cause(e);
        } catch (InterruptedException e) {
            if (gaveUp(waiter)) {
                throw e;
            }
            // admitted meanwhile: it goes on, and hears of the interruption at its next wait
            Thread.currentThread().interrupt();
        }
    }

    private static RuntimeException cause(ExecutionException e) {
        return e.getCause() instanceof RuntimeException cause
                ? cause
                : new IllegalStateException("a waiting request failed", e.getCause());
    }

    /** Whether one who waited does so no more and was not admitted. */
    private boolean gaveUp(BudgetWaiter waiter) {
        board.lock.lock();
        try {
            return board.queue.remove(waiter) || waiter.admitted.isCompletedExceptionally();
        } finally {
            board.lock.unlock();
        }
    }

    /** As {@link #admit} without waiting: the waiter says whether it was admitted, or will. */
    BudgetWaiter begin(BudgetHold hold, long wanted, BudgetWaiter.Appending first) {
        board.lock.lock();
        try {
            long now = board.now();
            board.rollAll(now);
            board.index.keep(hold, now);
            BudgetWaiter waiter = new BudgetWaiter(hold, wanted, true, total -> open(hold, total, first), now);
            boolean behind = board.queue.mustWait(waiter);
            int blockedBy =
                    behind ? BudgetQueue.affordable(hold, wanted, now).blockedBy() : board.queue.grant(waiter, now);
            if (!behind && blockedBy < 0) {
                waiter.admitted.complete(null);
                return waiter;
            }
            if (blockedBy >= 0) {
                board.queue.lacks(hold, hold.accounts[blockedBy]);
                BudgetRefusal.Reason reason = BudgetQueue.reason(hold, blockedBy, now);
                if (reason != BudgetRefusal.Reason.RESERVED_BY_OTHERS) {
                    throw board.refuse(hold, blockedBy, reason);
                }
            }
            if (!board.queue.hasRoom()) {
                throw board.refuse(hold, Math.max(0, blockedBy), BudgetRefusal.Reason.RESERVED_BY_OTHERS);
            }
            board.queue.add(waiter, blockedBy < 0 ? null : hold.accounts[blockedBy]);
            board.wakeSoon();
            return waiter;
        } finally {
            board.lock.unlock();
        }
    }

    /** The last step of an admission, in the lock. */
    private void open(BudgetHold hold, long total, BudgetWaiter.Appending first) {
        long now = board.now();
        for (BudgetAccount account : hold.accounts) {
            noteShadow(account, now);
        }
        first.append(total);
        board.holds.put(hold.opened.request(), hold);
        hold.enter();
        for (BudgetAccount account : hold.accounts) {
            BudgetShare share = account.share;
            if (share != null) {
                share.joined(now);
            }
            board.nextRoll = Math.min(board.nextRoll, account.window.to());
            board.wake(account.exhausted(board.counted));
        }
        board.changes++;
    }

    /** Counts what a hard limit would have refused; called when all is charged. */
    private void noteShadow(BudgetAccount account, long now) {
        if (account.budget.mode() == Budget.Mode.SHADOW && account.mayHave(now) < 0) {
            board.counts.wouldRefuse(account.budget);
        }
    }

    private void refuseUnlessAdmitted(BudgetWaiter waiter) throws InterruptedException {
        board.lock.lock();
        try {
            if (board.queue.remove(waiter)) {
                long now = board.now();
                int blockedBy =
                        BudgetQueue.affordable(waiter.hold, waiter.wanted, now).blockedBy();
                BudgetRefusal.Reason reason = blockedBy < 0
                        ? BudgetRefusal.Reason.RESERVED_BY_OTHERS
                        : BudgetQueue.reason(waiter.hold, blockedBy, now);
                BudgetShare share = blockedBy < 0 ? null : waiter.hold.accounts[blockedBy].share;
                if (share != null && reason == BudgetRefusal.Reason.RESERVED_BY_OTHERS && share.unheard(waiter.hold)) {
                    reason = BudgetRefusal.Reason.UNREACHABLE;
                }
                throw board.refuse(waiter.hold, Math.max(0, blockedBy), reason);
            }
        } finally {
            board.lock.unlock();
        }
        try {
            waiter.admitted.get();
        } catch (ExecutionException e) {
            throw cause(e);
        }
    }
}
