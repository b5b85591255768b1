package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongSupplier;

/**
 * Budgets while they are spent: what may not be spent is not granted, so a limit holds at a token boundary whatever runs at
 * a time.
 *
 * <p><b>What is charged when.</b> A request is charged for what it was granted, before it has computed it, and for its prompt
 * at the dearest price, when it is admitted; at its end for what it really used. All budgets above it are charged at once or
 * none. List money is the price of all that was granted until then, priced as one, as the bill is, so prices that round do
 * not add up to more. Device time is added by the step loops, after the step, so it passes a limit by the steps in flight;
 * wall time by {@link #tick}.
 *
 * <p><b>Facts.</b> The journal's fact of a grant and of an end is appended under the same lock in which it is charged. So the
 * order of facts is the order of charges, and a {@link BudgetState copy} of all counters, with the number of the last fact
 * then, together with the facts after it, is the whole truth: that is what a restart reads.
 *
 * <p><b>Windows.</b> What a request computes belongs to the window in which it does: when one ends, what was taken until then
 * stays in it, and what is only reserved moves to the next one, within a tick.
 *
 * <p>Any thread; one lock, held for microseconds: a request takes it at its beginning and end and once per grant, of 16 to 64
 * tokens. Requests that no budget is above do not take it. Only one who wants to begin waits, without it; who runs is told.
 */
public final class Budgets {

    /**
     * Bounds.
     *
     * @param admissionNanos how long one who wants to begin waits for what others have reserved
     * @param patienceNanos after how long without any movement one who runs and waits is ended
     * @param maxWaiting most requests that wait to begin
     * @param maxAccounts most counters
     */
    public record Limits(long admissionNanos, long patienceNanos, int maxWaiting, int maxAccounts) {
        /** A server's. */
        public static final Limits USUAL = new Limits(2_000_000_000L, 10_000_000_000L, 1_024, 100_000);
    }

    private static final long LOOK_MICROS = 1_000_000;

    private final ReentrantLock lock = new ReentrantLock();
    private final LongSupplier micros;
    private final Limits limits;
    private final BudgetIndex index;
    private final BudgetQueue queue;
    private final Map<String, BudgetHold> holds = new LinkedHashMap<>();
    private final BudgetCounts counts = new BudgetCounts();
    private Runnable nudge = () -> {};
    private long nextRoll = Long.MAX_VALUE;
    private long nextLook = Long.MIN_VALUE;
    private long changes;
    private volatile boolean busy;

    /** Without any budgets yet.
     *
     * @param micros the books' time, microseconds since 1970, never stepping back
     */
    public Budgets(Limits limits, LongSupplier micros) {
        this.limits = limits;
        this.micros = micros;
        index = new BudgetIndex(limits.maxAccounts());
        queue = new BudgetQueue(limits.patienceNanos() / 1_000, limits.maxWaiting(), this::refuse);
    }

    /** Told when {@link #tick} should be called soon; must not block. */
    void onBusy(Runnable ticker) {
        nudge = ticker;
    }

    /** Whether there is something for which {@link #tick} should be called every few milliseconds. */
    boolean busy() {
        return busy;
    }

    // ---- definitions ----

    /**
     * Replaces all definitions; at once, also for requests under way: a smaller limit, or a thrown switch, ends them. A
     * budget that is still there, with the same unit, window and level, keeps its counters; others begin with nothing spent,
     * and count requests admitted from then on.
     *
     * @throws AccountingException if two have one id
     */
    public void define(Collection<Budget> definitions) {
        lock.lock();
        try {
            long now = micros.getAsLong();
            rollAll(now);
            index.define(definitions, now);
            changed(now);
        } finally {
            lock.unlock();
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
        lock.lock();
        try {
            long sequence = append.getAsLong();
            index.openTask(new BudgetIndex.TaskKey(tenant, opened.task()), limits(opened, currency));
            changes++;
            return sequence;
        } finally {
            lock.unlock();
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
        lock.lock();
        try {
            long sequence = append.getAsLong();
            index.endTask(new BudgetIndex.TaskKey(ended.tenant(), ended.task()));
            changed(micros.getAsLong());
            return sequence;
        } finally {
            lock.unlock();
        }
    }

    private void changed(long now) {
        changes++;
        for (BudgetAccount account : index.accounts()) {
            if (account.budget.killed()) {
                kill(account);
            }
        }
        process(now);
    }

    private void kill(BudgetAccount account) {
        for (BudgetHold hold : account.holds) {
            if (!hold.stopped()) {
                hold.stop(account.budget, account.subject, BudgetRefusal.Reason.KILLED, true);
                counts.stopped(account.budget.id());
            }
        }
    }

    // ---- requests ----

    /**
     * What budgets are above a request; nothing is charged yet.
     *
     * @param own budgets that the request itself brings, of level {@code REQUEST}
     */
    BudgetHold hold(Fact.Opened opened, PriceBook prices, List<Budget> own) {
        lock.lock();
        try {
            return hold(
                    opened,
                    prices,
                    own,
                    index.above(opened.payer(), opened.tags().task()));
        } finally {
            lock.unlock();
        }
    }

    private BudgetHold hold(Fact.Opened opened, PriceBook prices, List<Budget> own, List<Budget> above) {
        List<Budget> all = new ArrayList<>(above);
        all.addAll(own);
        ListPricing pricing = new ListPricing(prices);
        return new BudgetHold(
                opened,
                index.accounts(all, opened, micros.getAsLong()),
                tokens -> pricing.dearest(
                        opened.model(), opened.payer().tenant(), opened.prompt(), tokens, opened.at(), opened.work()));
    }

    /**
     * The rung {@link Budget.Rung.Shorter}: how many tokens the budgets that have it still pay for.
     *
     * @return {@code most}, or less
     * @throws BudgetRefusal where that is fewer than are worth it
     */
    long shorten(BudgetHold hold, long most) {
        lock.lock();
        try {
            long now = micros.getAsLong();
            rollAll(now);
            long left = most;
            for (int i = 0; i < hold.accounts.length; i++) {
                for (Budget.Rung rung : hold.accounts[i].budget.ladder()) {
                    if (rung instanceof Budget.Rung.Shorter shorter) {
                        left = Math.min(left, paidFor(hold, i, most, now));
                        if (left < Math.min(most, shorter.atLeast())) {
                            throw refuse(hold, i, BudgetQueue.reason(hold, i, Math.min(most, shorter.atLeast()), now));
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
            lock.unlock();
        }
    }

    /** Tokens that a hard budget has for a request if nobody else takes them. */
    private static long paidFor(BudgetHold hold, int i, long most, long now) {
        BudgetAccount account = hold.accounts[i];
        return account.budget.mode() == Budget.Mode.HARD
                ? BudgetQueue.paidFor(hold, i, 0, most, account.available(now))
                : most;
    }

    /**
     * Admits a request: charges its prompt and its first grant, or waits until others give back enough, for a bounded time.
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
            waiter.admitted.get(limits.admissionNanos(), TimeUnit.NANOSECONDS);
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
        lock.lock();
        try {
            return queue.remove(waiter) || waiter.admitted.isCompletedExceptionally();
        } finally {
            lock.unlock();
        }
    }

    /** As {@link #admit} without waiting: the waiter says whether it was admitted, or will. */
    BudgetWaiter begin(BudgetHold hold, long wanted, BudgetWaiter.Appending first) {
        lock.lock();
        try {
            long now = micros.getAsLong();
            rollAll(now);
            BudgetWaiter waiter = new BudgetWaiter(hold, wanted, true, total -> open(hold, total, first), now);
            boolean behind = queue.mustWait(waiter);
            int blockedBy = behind ? BudgetQueue.affordable(hold, wanted, now).blockedBy() : queue.grant(waiter, now);
            if (!behind && blockedBy < 0) {
                waiter.admitted.complete(null);
                return waiter;
            }
            if (blockedBy >= 0) {
                BudgetRefusal.Reason reason = BudgetQueue.reason(hold, blockedBy, now);
                if (reason != BudgetRefusal.Reason.RESERVED_BY_OTHERS) {
                    throw refuse(hold, blockedBy, reason);
                }
            }
            if (!queue.hasRoom()) {
                throw refuse(hold, Math.max(0, blockedBy), BudgetRefusal.Reason.RESERVED_BY_OTHERS);
            }
            queue.add(waiter, blockedBy < 0 ? null : hold.accounts[blockedBy]);
            setBusy();
            return waiter;
        } finally {
            lock.unlock();
        }
    }

    /** The last step of an admission, in the lock. */
    private void open(BudgetHold hold, long total, BudgetWaiter.Appending first) {
        long now = micros.getAsLong();
        for (BudgetAccount account : hold.accounts) {
            noteShadow(account, now);
        }
        first.append(total);
        holds.put(hold.opened.request(), hold);
        for (BudgetAccount account : hold.accounts) {
            account.holds.add(hold);
            nextRoll = Math.min(nextRoll, account.window.to());
            if (account.budget.unit() == BudgetUnit.WALL_SECONDS) {
                setBusy();
            }
        }
        changes++;
    }

    /** Counts what a hard limit would have refused; called when all is charged. */
    private void noteShadow(BudgetAccount account, long now) {
        if (account.budget.mode() == Budget.Mode.SHADOW && account.available(now) < 0) {
            counts.wouldRefuse(account.budget);
        }
    }

    private void refuseUnlessAdmitted(BudgetWaiter waiter) throws InterruptedException {
        lock.lock();
        try {
            if (queue.remove(waiter)) {
                long now = micros.getAsLong();
                int blockedBy =
                        BudgetQueue.affordable(waiter.hold, waiter.wanted, now).blockedBy();
                BudgetRefusal.Reason reason = blockedBy < 0
                        ? BudgetRefusal.Reason.RESERVED_BY_OTHERS
                        : BudgetQueue.reason(waiter.hold, blockedBy, now);
                throw refuse(waiter.hold, Math.max(0, blockedBy), reason);
            }
        } finally {
            lock.unlock();
        }
        try {
            waiter.admitted.get();
        } catch (ExecutionException e) {
            throw cause(e);
        }
    }

    private BudgetRefusal refuse(BudgetHold hold, int i, BudgetRefusal.Reason reason) {
        return refuse(hold.accounts[i], reason);
    }

    private BudgetRefusal refuse(BudgetAccount account, BudgetRefusal.Reason reason) {
        counts.refused(account.budget, reason);
        long resets = reason == BudgetRefusal.Reason.SPENT ? account.window.to() : Long.MAX_VALUE;
        return new BudgetRefusal(account.budget, account.subject, reason, resets);
    }

    /**
     * Grants what a request asks for, or lets it wait; it is told by its grant.
     *
     * @param appending appends the grant
     * @return false where the journal had no room: try again
     */
    boolean renew(Grant grant, BudgetWaiter.Appending appending) {
        BudgetHold hold = grant.hold;
        lock.lock();
        try {
            if (grant.ended() || hold.stopped()) {
                return true;
            }
            long now = micros.getAsLong();
            rollAll(now);
            changes++;
            BudgetWaiter waiter = new BudgetWaiter(hold, grant.asked(), false, appending, now);
            if (queue.mustWait(waiter)) {
                queue.add(waiter, null);
                setBusy();
                return true;
            }
            int blockedBy;
            try {
                blockedBy = queue.grant(waiter, now);
            } catch (AccountingException e) {
                return false;
            }
            if (blockedBy >= 0) {
                queue.add(waiter, hold.accounts[blockedBy]);
                setBusy();
                process(now);
            }
            return true;
        } finally {
            lock.unlock();
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
        lock.lock();
        try {
            long now = micros.getAsLong();
            rollAll(now);
            try {
                return append.getAsLong();
            } finally {
                settle(hold, closed, now);
                process(now);
            }
        } finally {
            lock.unlock();
        }
    }

    private void settle(BudgetHold hold, Fact.Closed closed, long now) {
        if (holds.remove(hold.opened.request(), hold)) {
            hold.settle(closed, now);
            hold.stoppedBy()
                    .filter(stop -> stop.reason() != BudgetRefusal.Reason.KILLED)
                    .ifPresent(stop -> counts.stopped(stop.budget()));
        }
        BudgetWaiter waiter = hold.waiter;
        if (waiter != null) {
            queue.remove(waiter);
        }
        changes++;
    }

    // ---- outside work ----

    /**
     * Charges what a task's step costs, or reserves, in addition to what was said of it before.
     *
     * @param append appends the fact
     * @return what {@code append} does
     * @throws BudgetRefusal where it is to be reserved and a budget does not pay for it; what was done already is charged
     *     all the same
     */
    long step(Fact.TaskStepped step, Optional<Fact.TaskStepped> before, LongSupplier append) {
        lock.lock();
        try {
            long now = micros.getAsLong();
            rollAll(now);
            List<StepCharge> charges = StepCharge.of(index, step, before, now);
            if (step.state() == TaskStep.State.RESERVED) {
                charges.forEach(charge -> refuseUnlessPaid(charge, now));
            }
            long sequence = append.getAsLong();
            for (StepCharge charge : charges) {
                charge.account().charge(charge.amount(), now);
                nextRoll = Math.min(nextRoll, charge.account().window.to());
            }
            changes++;
            process(now);
            return sequence;
        } finally {
            lock.unlock();
        }
    }

    private void refuseUnlessPaid(StepCharge charge, long now) {
        BudgetAccount account = charge.account();
        charge.refusal(now).ifPresent(reason -> {
            throw refuse(account, reason);
        });
    }

    // ---- time ----

    /**
     * Lets time pass: ends windows, counts wall time, looks at those who wait.
     *
     * @return what people should hear, about once a second
     */
    List<BudgetEvent> tick() {
        lock.lock();
        try {
            long now = micros.getAsLong();
            rollAll(now);
            boolean timed = passTime(now);
            process(now);
            busy = timed || !queue.isEmpty();
            if (now < nextLook) {
                return List.of();
            }
            nextLook = now + LOOK_MICROS;
            return look(now);
        } finally {
            lock.unlock();
        }
    }

    private void setBusy() {
        if (!busy) {
            busy = true;
            nudge.run();
        }
    }

    private void process(long now) {
        if (!queue.isEmpty() && queue.process(now)) {
            setBusy();
        }
    }

    private void rollAll(long now) {
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
    private boolean passTime(long now) {
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

    // ---- what people should hear ----

    private List<BudgetEvent> look(long now) {
        List<BudgetEvent> events = new ArrayList<>();
        for (BudgetAccount account : index.accounts()) {
            BudgetWatch.look(account, now, events::add);
        }
        changes += events.size();
        return events;
    }

    /** The definitions in force, but for those that tasks brought along. */
    public List<Budget> definitions() {
        lock.lock();
        try {
            return List.copyOf(index.definitions());
        } finally {
            lock.unlock();
        }
    }

    /** All counters that are something's, in no order. */
    public List<BudgetView> views() {
        lock.lock();
        try {
            long now = micros.getAsLong();
            rollAll(now);
            return index.accounts().stream()
                    .map(account -> BudgetWatch.view(account, now))
                    .toList();
        } finally {
            lock.unlock();
        }
    }

    /** The counters above a request or a task, from the tenant's down, also those that nothing was charged to yet. */
    public List<BudgetView> above(Payer payer, String task) {
        lock.lock();
        try {
            long now = micros.getAsLong();
            rollAll(now);
            List<BudgetView> views = new ArrayList<>();
            for (Budget budget : index.above(payer, task)) {
                String subject = BudgetIndex.subject(budget, payer, task, "");
                views.add(BudgetWatch.view(
                        index.account(budget.id(), subject).orElseGet(() -> new BudgetAccount(budget, subject, now)),
                        now));
            }
            return views;
        } finally {
            lock.unlock();
        }
    }

    /**
     * What the budgets above a request would say of it now; nothing is charged.
     *
     * @param expected tokens that it will probably generate
     * @param most tokens that it may generate
     */
    List<BudgetVerdict> verdicts(BudgetHold hold, long expected, long most) {
        lock.lock();
        try {
            long now = micros.getAsLong();
            rollAll(now);
            List<BudgetVerdict> verdicts = new ArrayList<>();
            for (int i = 0; i < hold.accounts.length; i++) {
                verdicts.add(BudgetVerdict.of(hold, i, expected, most, now));
            }
            return verdicts;
        } finally {
            lock.unlock();
        }
    }

    /** The counters above a request as they will be once it has ended like this. */
    List<BudgetView> after(BudgetHold hold, Fact.Closed closed) {
        lock.lock();
        try {
            long now = micros.getAsLong();
            List<BudgetView> views = new ArrayList<>();
            for (int i = 0; i < hold.accounts.length; i++) {
                if (!hold.accounts[i].removed) {
                    views.add(BudgetWatch.view(hold.accounts[i], now).givenBack(hold.gives(i, closed)));
                }
            }
            return views;
        } finally {
            lock.unlock();
        }
    }

    /** What was done since the start. */
    public BudgetStats stats() {
        lock.lock();
        try {
            return counts.stats(queue.size(), index.accounts().size());
        } finally {
            lock.unlock();
        }
    }

    // ---- across a restart ----

    /**
     * Brings everything to where it was; before anything else is asked.
     *
     * @param facts gives the replay the facts after the copy
     */
    void replay(BudgetState state, Tasks tasks, Function<String, PriceBook> books, Consumer<BudgetReplay> facts) {
        lock.lock();
        try {
            facts.accept(new BudgetReplay(index, holds, state, tasks, books));
            nextRoll = Long.MIN_VALUE;
            rollAll(micros.getAsLong());
            index.accounts().forEach(account -> account.limitLive(micros.getAsLong()));
        } finally {
            lock.unlock();
        }
    }

    /** A request of the last run is ended; as {@link #settle}. */
    long abandon(Fact.Closed closed, LongSupplier append) {
        lock.lock();
        try {
            BudgetHold hold = holds.get(closed.request());
            return hold == null ? append.getAsLong() : settle(hold, closed, append);
        } finally {
            lock.unlock();
        }
    }

    /** Runs with the lock, in which nothing is charged and no fact of a charge appended. */
    <T> T locked(BiFunction<BudgetIndex, Collection<BudgetHold>, T> work) {
        lock.lock();
        try {
            rollAll(micros.getAsLong());
            return work.apply(index, holds.values());
        } finally {
            lock.unlock();
        }
    }

    /** How often something that a restart must know has changed. */
    long changes() {
        lock.lock();
        try {
            return changes;
        } finally {
            lock.unlock();
        }
    }
}
