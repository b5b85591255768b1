package dev.jeton.accounting;

import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * Budgets while they are spent: what may not be spent is not granted, so a limit holds at a token boundary whatever
 * runs at a time.
 *
 * <p><b>What is charged when.</b> A request is charged for what it was granted, before it has computed it, and for its
 * prompt at the dearest price, when it is admitted; at its end for what it really used. All budgets above it are
 * charged at once or none. List money is the price of all that was granted until then, priced as one, as the bill is,
 * so prices that round do not add up to more. Device time is added by the step loops, after the step, so it passes a
 * limit by the steps in flight; wall time by {@link #tick}.
 *
 * <p><b>Facts.</b> The journal's fact of a grant and of an end is appended under the same lock in which it is charged.
 * So the order of facts is the order of charges, and a {@link BudgetState copy} of all counters, with the number of the
 * last fact then, together with the facts after it, is the whole truth: that is what a restart reads.
 *
 * <p><b>Windows.</b> What a request computes belongs to the window in which it does: when one ends, what was taken
 * until then stays in it, and what is only reserved moves to the next one, within a tick.
 *
 * <p>Any thread; one lock, which a request takes for microseconds: to find what is above it, at its beginning and end,
 * and once per grant, of 16 to 64 tokens. Copies and looks at all counters hold it longer, as long as there are many.
 * Only one who wants to begin waits, without it; who runs is told.
 */
public final class Budgets {

    /**
     * Bounds.
     *
     * @param admissionNanos how long one who wants to begin waits for what others have reserved
     * @param patienceNanos after how long without any movement one who runs and waits is ended
     * @param maxWaiting most requests that wait to begin
     * @param maxAccounts most counters
     * @param leaseNanos how long what was allotted of a shared budget is spent without hearing from the database
     */
    public record Limits(long admissionNanos, long patienceNanos, int maxWaiting, int maxAccounts, long leaseNanos) {
        /** A server's. */
        public static final Limits USUAL = new Limits(2_000_000_000L, 10_000_000_000L, 1_024, 100_000, 60_000_000_000L);

        /** The same, of other leases. */
        public Limits leased(long nanos) {
            return new Limits(admissionNanos, patienceNanos, maxWaiting, maxAccounts, nanos);
        }
    }

    private static final long LOOK_MICROS = 1_000_000;

    private final BudgetBoard board;
    private final BudgetDefinitions definitions;
    private final BudgetAdmission admission;
    private final BudgetViews views;
    private long nextLook = Long.MIN_VALUE;

    /**
     * Without any budgets yet.
     *
     * @param micros the books' time, microseconds since 1970, never stepping back
     */
    public Budgets(Limits limits, LongSupplier micros) {
        board = new BudgetBoard(limits, micros);
        definitions = new BudgetDefinitions(board);
        admission = new BudgetAdmission(board, limits.admissionNanos());
        views = new BudgetViews(board);
    }

    /** Told when {@link #tick} should be called earlier than was said; must not block. */
    void onWake(Runnable ticker) {
        board.onWake(ticker);
    }

    /** For how long nothing happens that {@link #tick} must be called for, microseconds. */
    long quietMicros() {
        return board.quietMicros();
    }

    // ---- definitions ----

    /**
     * Replaces all definitions; at once, also for requests under way: a smaller limit, or a thrown switch, ends them. A
     * budget that is still there, with the same unit, window and level, keeps its counters; others begin with nothing
     * spent, and count requests admitted from then on.
     *
     * @throws AccountingException if two have one id
     */
    public void define(Collection<Budget> budgets) {
        definitions.define(budgets);
    }

    /** The definitions in force, but for those that tasks brought along. */
    public List<Budget> definitions() {
        return definitions.current();
    }

    /** As {@link BudgetDefinitions#openTask}. */
    long openTask(Fact.TaskOpened opened, String currency, LongSupplier append) {
        return definitions.openTask(opened, currency, append);
    }

    /** As {@link BudgetDefinitions#endTask}. */
    long endTask(Fact.TaskEnded ended, LongSupplier append) {
        return definitions.endTask(ended, append);
    }

    // ---- requests ----

    /** As {@link BudgetAdmission#hold}. */
    BudgetHold hold(Fact.Opened opened, PriceBook prices, List<Budget> own) {
        return admission.hold(opened, prices, own);
    }

    /** As {@link BudgetAdmission#shorten}. */
    long shorten(BudgetHold hold, long most) {
        return admission.shorten(hold, most);
    }

    /** As {@link BudgetAdmission#admit}. */
    void admit(BudgetHold hold, long wanted, BudgetWaiter.Appending first) throws InterruptedException {
        admission.admit(hold, wanted, first);
    }

    /** As {@link BudgetAdmission#begin}. */
    BudgetWaiter begin(BudgetHold hold, long wanted, BudgetWaiter.Appending first) {
        return admission.begin(hold, wanted, first);
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

    // ---- outside work ----

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

    // ---- sharing ----

    /** Told when an exchange of shared budgets should be soon; must not block. */
    void onShare(Runnable keeper) {
        board.shares.onWake(keeper);
    }

    /** Whether somebody waits for more of a shared budget. */
    boolean waitsForExchange() {
        board.lock.lock();
        try {
            return board.queue.waiters().stream().anyMatch(waiter -> waiter.hold.unheard != null);
        } finally {
            board.lock.unlock();
        }
    }

    /** Whether there are budgets that servers share. */
    boolean sharesAny() {
        board.lock.lock();
        try {
            return board.shares.any();
        } finally {
            board.lock.unlock();
        }
    }

    /** Whether anything is allotted that is not spent. */
    boolean holdsAllotments() {
        board.lock.lock();
        try {
            return board.shares.holdsAny();
        } finally {
            board.lock.unlock();
        }
    }

    /** As {@link BudgetShares#prepare}; one thread at a time, until it was answered or has failed. */
    Optional<ShareExchange> prepareExchange(boolean ending) {
        board.lock.lock();
        try {
            if (!board.shares.any()) {
                return Optional.empty();
            }
            long now = board.now();
            board.rollAll(now);
            return board.shares.prepare(board.queue.waiters(), ending, now);
        } finally {
            board.lock.unlock();
        }
    }

    /** As {@link BudgetShares#answered}. */
    void answered(ShareExchange exchange, ShareExchange.Reply reply) {
        board.lock.lock();
        try {
            long now = board.now();
            if (board.shares.answered(exchange, reply, board.index, now)) {
                definitions.decided(now);
            } else {
                board.process(now);
            }
        } finally {
            board.lock.unlock();
        }
    }

    /** As {@link BudgetShares#failed}. */
    void failed(ShareExchange exchange) {
        board.lock.lock();
        try {
            board.shares.failed(exchange);
            board.process(board.now());
        } finally {
            board.lock.unlock();
        }
    }

    /** Whether shared counters have names that a restart would not know. */
    boolean freshNames() {
        board.lock.lock();
        try {
            return board.shares.fresh();
        } finally {
            board.lock.unlock();
        }
    }

    /** How they are shared, with what their keeper has counted. */
    ShareStats shareStats(long exchanges, long failures, long nanos) {
        board.lock.lock();
        try {
            BudgetShares shares = board.shares;
            return new ShareStats(shares.members(), shares.leaseLeft(), !shares.down(), exchanges, failures, nanos);
        } finally {
            board.lock.unlock();
        }
    }

    // ---- time ----

    /**
     * Lets time pass: ends windows, counts wall time, looks at those who wait.
     *
     * @return what people should hear, about once a second
     */
    List<BudgetEvent> tick() {
        board.lock.lock();
        try {
            long now = board.now();
            // where something of it fails, it is tried again soon, and not at once for ever
            board.sleep(now, now);
            board.rollAll(now);
            long exhausted = board.passTime(now);
            board.process(now);
            board.sleep(exhausted, now);
            if (now < nextLook) {
                return List.of();
            }
            nextLook = now + LOOK_MICROS;
            return views.look(now);
        } finally {
            board.lock.unlock();
        }
    }

    // ---- what people should hear ----

    /** All counters that are something's, in no order. */
    public List<BudgetView> views() {
        return views.all();
    }

    /** The counters above a request or a task, from the tenant's down, also those that nothing was charged to yet. */
    public List<BudgetView> above(Payer payer, String task) {
        return views.above(payer, task);
    }

    /** As {@link BudgetViews#verdicts}. */
    List<BudgetVerdict> verdicts(BudgetHold hold, long expected, long most) {
        return views.verdicts(hold, expected, most);
    }

    /** As {@link BudgetViews#after}. */
    List<BudgetView> after(BudgetHold hold, Fact.Closed closed) {
        return views.after(hold, closed);
    }

    /** What was done since the start. */
    public BudgetStats stats() {
        board.lock.lock();
        try {
            return board.counts.stats(board.queue.size(), board.index.accounts().size());
        } finally {
            board.lock.unlock();
        }
    }

    // ---- across a restart ----

    /**
     * Brings everything to where it was; before anything else is asked.
     *
     * @param facts gives the replay the facts after the copy
     */
    void replay(BudgetState state, Tasks tasks, Function<String, PriceBook> books, Consumer<BudgetReplay> facts) {
        board.lock.lock();
        try {
            BudgetReplay replay = new BudgetReplay(board.index, board.holds, board.steps, state, tasks, books);
            facts.accept(replay);
            replay.end();
            board.nextRoll = Long.MIN_VALUE;
            board.rollAll(board.now());
            board.index.accounts().forEach(account -> account.limitLive(board.now()));
        } finally {
            board.lock.unlock();
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

    /** Runs with the lock, in which nothing is charged and no fact of a charge appended. */
    <T> T locked(Function<Supplier<BudgetState>, T> work) {
        board.lock.lock();
        try {
            long now = board.now();
            board.rollAll(now);
            return work.apply(() -> BudgetState.of(board.index, board.holds.values(), board.steps, now));
        } finally {
            board.lock.unlock();
        }
    }

    /** How often something that a restart must know has changed. */
    long changes() {
        board.lock.lock();
        try {
            return board.changes;
        } finally {
            board.lock.unlock();
        }
    }
}
