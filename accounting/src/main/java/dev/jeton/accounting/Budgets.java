package dev.jeton.accounting;

import java.util.Collection;
import java.util.List;
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
    private final BudgetSpending spending;
    private final BudgetSharing sharing;
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
        spending = new BudgetSpending(board);
        sharing = new BudgetSharing(board, definitions);
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

    /** As {@link BudgetSpending#renew}. */
    boolean renew(Grant grant, BudgetWaiter.Appending appending) {
        return spending.renew(grant, appending);
    }

    /** As {@link BudgetSpending#settle}. */
    long settle(BudgetHold hold, Fact.Closed closed, LongSupplier append) {
        return spending.settle(hold, closed, append);
    }

    /** As {@link BudgetSpending#step}. */
    long step(Fact.TaskStepped step, boolean late, LongSupplier append) {
        return spending.step(step, late, append);
    }

    /** How they are shared with other servers. */
    BudgetSharing sharing() {
        return sharing;
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

    /** As {@link BudgetSpending#abandon}. */
    long abandon(Fact.Closed closed, LongSupplier append) {
        return spending.abandon(closed, append);
    }

    /** As {@link BudgetSpending#abandonRest}. */
    void abandonRest() {
        spending.abandonRest();
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
