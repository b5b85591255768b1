package dev.jeton.accounting;

import java.util.function.LongSupplier;

/**
 * What requests that were admitted and steps of tasks are charged: grants on the way, what was used at the end, outside
 * work. Any thread; takes the board's lock.
 */
final class BudgetSpending {

    private final BudgetBoard board;

    BudgetSpending(BudgetBoard board) {
        this.board = board;
    }

    /**
     * Grants what a request asks for, or lets it wait; it is told by its grant.
     *
     * @param appending appends the grant
     * @return false where the journal had no room: try again
     */
    boolean renew(Grant grant, BudgetWaiter.Appending appending) {
        BudgetHold hold = grant.hold;
        board.lock.lock();
        try {
            if (grant.ended() || hold.stopped()) {
                return true;
            }
            long now = board.now();
            board.rollAll(now);
            board.changes++;
            BudgetWaiter waiter = new BudgetWaiter(hold, grant.asked(), false, appending, now);
            if (board.queue.mustWait(waiter)) {
                board.queue.add(waiter, null);
                board.wakeSoon();
                return true;
            }
            int blockedBy;
            try {
                blockedBy = board.queue.grant(waiter, now);
            } catch (AccountingException e) {
                return false;
            }
            if (blockedBy >= 0) {
                board.queue.add(waiter, hold.accounts[blockedBy]);
                board.wakeSoon();
                board.process(now);
            }
            return true;
        } finally {
            board.lock.unlock();
        }
    }

    /**
     * A request ends: charges what it used and gives back the rest.
     *
     * @param append appends the end
     * @return what {@code append} does
     */
    long settle(BudgetHold hold, Fact.Closed closed, LongSupplier append) {
        if (hold.empty()) {
            return append.getAsLong();
        }
        board.lock.lock();
        try {
            long now = board.now();
            board.rollAll(now);
            try {
                return append.getAsLong();
            } finally {
                settle(hold, closed, now);
                board.process(now);
            }
        } finally {
            board.lock.unlock();
        }
    }

    private void settle(BudgetHold hold, Fact.Closed closed, long now) {
        if (board.holds.remove(hold.opened.request(), hold)) {
            hold.settle(closed, now);
            hold.stoppedBy()
                    .filter(stop -> stop.reason() != BudgetRefusal.Reason.KILLED)
                    .ifPresent(stop -> board.counts.stopped(stop.budget()));
        }
        BudgetWaiter waiter = hold.waiter;
        if (waiter != null) {
            board.queue.remove(waiter);
        }
        board.changes++;
    }

    /**
     * Charges what a task's step costs, or reserves it; what was reserved for it before is given back.
     *
     * @param late whether its task has ended
     * @param append appends the fact
     * @return what {@code append} does
     * @throws BudgetRefusal where it is to be reserved and a budget does not pay for it; what was done already is
     *     charged all the same
     */
    long step(Fact.TaskStepped step, boolean late, LongSupplier append) {
        board.lock.lock();
        try {
            long now = board.now();
            board.rollAll(now);
            if (step.state() == TaskStep.State.RESERVED) {
                StepHold.of(board.index, step, late, now).charges().forEach(charge -> refuseUnlessPaid(charge, now));
            }
            long sequence = append.getAsLong();
            for (StepHold.Charge charge :
                    board.steps.apply(step, late, now, budget -> true).charges()) {
                board.nextRoll =
                        Math.min(board.nextRoll, charge.account().window.to());
            }
            board.changes++;
            board.process(now);
            return sequence;
        } finally {
            board.lock.unlock();
        }
    }

    private void refuseUnlessPaid(StepHold.Charge charge, long now) {
        BudgetAccount account = charge.account();
        if (account.budget.killed()) {
            throw board.refuse(account, BudgetRefusal.Reason.KILLED);
        }
        long available = account.available(now);
        if (account.budget.mode() == Budget.Mode.HARD && charge.amount() > available) {
            BudgetShare share = account.share;
            if (share != null) {
                throw board.refuse(account, share.refusal(charge.amount(), available, now));
            }
            boolean others = BudgetAccount.sum(available, account.reserved()) >= charge.amount();
            throw board.refuse(account, others ? BudgetRefusal.Reason.RESERVED_BY_OTHERS : BudgetRefusal.Reason.SPENT);
        }
    }

    /** A request of the last run is ended; as {@link #settle}. */
    long abandon(Fact.Closed closed, LongSupplier append) {
        board.lock.lock();
        try {
            BudgetHold hold = board.holds.get(closed.request());
            return hold == null ? append.getAsLong() : settle(hold, closed, append);
        } finally {
            board.lock.unlock();
        }
    }

    /**
     * Lets go of requests of the last run that the journal does not know to be open: what they are charged stays, since
     * nobody can say what they used.
     */
    void abandonRest() {
        board.lock.lock();
        try {
            for (BudgetHold hold : board.holds.values()) {
                hold.leave();
            }
            board.holds.clear();
            board.changes++;
        } finally {
            board.lock.unlock();
        }
    }
}
