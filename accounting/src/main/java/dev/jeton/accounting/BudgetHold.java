package dev.jeton.accounting;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * What one request under way is charged to the budgets above it. Guarded by the lock of {@link Budgets}, but for the
 * device time, which the request's step loop adds.
 */
final class BudgetHold {

    /** Of what is not a request. */
    static final BudgetHold NONE = new BudgetHold(
            new Fact.Opened(0, "", Payer.UNKNOWN, "", Map.of(), "", "", 0, Zones.UNKNOWN, Work.UNKNOWN),
            List.of(),
            tokens -> 0);

    /** Prices that are kept. */
    private static final int PRICES = 4;

    /** How it was opened. */
    final Fact.Opened opened;

    final BudgetAccount[] accounts;
    /** Charged in each account's present window. */
    final long[] charged;
    /** What belongs to windows that have ended. */
    final long[] base;
    /** The dearest price of the prompt with so many tokens generated. */
    private final LongUnaryOperator price;

    private final long[] pricedTokens = {-1, -1, -1, -1};
    private final long[] prices = new long[PRICES];
    private int nextPrice;
    /** Tokens that it is charged for. */
    long granted;
    /** Tokens that its client has for certain, as its last grant says: for when the process has died. */
    long confirmed;
    /** None while the journal is read again. */
    @Nullable
    Grant grant;
    /** When the process that had it died: time that passed since is nobody's. */
    long died = Long.MAX_VALUE;

    /** Which budget lets it have fewer tokens than it asked for. */
    Optional<BudgetStop> shortenedBy = Optional.empty();

    /** The shared counter of which it found too little here, and the last exchange that did not know that. */
    @Nullable
    BudgetAccount unheard;

    long unheardSince;

    /** Who waits for it to be granted more. */
    @Nullable
    BudgetWaiter waiter;

    /**
     * Those that count device time, once it has begun: before that one may be forgotten, and another take its place.
     */
    private BudgetAccount[] measured = {};

    private final AtomicReference<@Nullable BudgetStop> stop = new AtomicReference<>();

    BudgetHold(Fact.Opened opened, List<BudgetAccount> accounts, LongUnaryOperator price) {
        this.opened = opened;
        this.accounts = accounts.toArray(new BudgetAccount[0]);
        this.price = price;
        charged = new long[this.accounts.length];
        base = new long[this.accounts.length];
    }

    boolean empty() {
        return accounts.length == 0;
    }

    /**
     * What it takes of a unit with so many tokens granted, over all windows; of time nothing, that is added as it
     * passes.
     */
    long total(BudgetUnit unit, long tokens) {
        return switch (unit) {
            case REQUESTS -> 1;
            case MODEL_CALLS -> opened.prompts();
            case INPUT_TOKENS -> opened.prompt();
            case OUTPUT_TOKENS -> tokens;
            case LIST_MONEY -> price(tokens);
            case TOOL_CALLS, DEVICE_SECONDS, WALL_SECONDS -> 0;
        };
    }

    /** Each of the budgets of money asks the same, so what was asked of late is kept. */
    private long price(long tokens) {
        for (int i = 0; i < PRICES; i++) {
            if (pricedTokens[i] == tokens) {
                return prices[i];
            }
        }
        long asked = price.applyAsLong(tokens);
        pricedTokens[nextPrice] = tokens;
        prices[nextPrice] = asked;
        nextPrice = (nextPrice + 1) % PRICES;
        return asked;
    }

    /** What would be charged to an account in addition. */
    long delta(int i, long tokens) {
        return total(accounts[i].budget.unit(), tokens) - base[i] - charged[i];
    }

    /** Charges all accounts for so many tokens in all. */
    void charge(long tokens, long now) {
        for (int i = 0; i < accounts.length; i++) {
            if (perToken(accounts[i].budget.unit())) {
                add(i, delta(i, tokens), now);
            }
        }
        granted = tokens;
    }

    /** What was charged last found no room in the journal: it is charged as before. */
    void takeBack(long[] chargedBefore, long grantedBefore, long now) {
        for (int i = 0; i < chargedBefore.length; i++) {
            add(i, chargedBefore[i] - charged[i], now);
        }
        granted = grantedBefore;
        if (grant != null) {
            grant.takeBack(); // or it would never count as having computed all that it had
        }
    }

    /** Whether a unit is charged by what is granted, and not as time passes. */
    private static boolean perToken(BudgetUnit unit) {
        return unit != BudgetUnit.DEVICE_SECONDS && unit != BudgetUnit.WALL_SECONDS;
    }

    /** Charges one account. */
    void add(int i, long amount, long now) {
        charged[i] = BudgetAccount.sum(charged[i], amount);
        if (!accounts[i].removed) {
            accounts[i].charge(amount, now);
        }
    }

    /** What it has taken of an account's unit by now, over all windows, as far as that can be told. */
    long current(int i) {
        BudgetUnit unit = accounts[i].budget.unit();
        long tokens = spent();
        return switch (unit) {
            case REQUESTS, MODEL_CALLS -> total(unit, 0);
            case INPUT_TOKENS -> tokens > 0 ? opened.prompt() : 0;
            case LIST_MONEY -> tokens > 0 ? price(tokens) : 0;
            case OUTPUT_TOKENS -> tokens;
            case TOOL_CALLS, DEVICE_SECONDS -> 0;
            case WALL_SECONDS -> base[i] + charged[i];
        };
    }

    /** Tokens computed, or, of a process that has died, known to be. */
    long spent() {
        return grant == null ? confirmed : grant.spent();
    }

    /** Reserved at an account and not taken yet. */
    long reserved(int i) {
        return Math.max(0, base[i] + charged[i] - Math.max(base[i], current(i)));
    }

    /**
     * An account's window ends.
     *
     * @return what is only reserved, and so belongs to the next one
     */
    long roll(int i, long end) {
        passTime(i, end);
        long all = base[i] + charged[i];
        base[i] = Math.min(all, Math.max(base[i], current(i)));
        charged[i] = all - base[i];
        return charged[i];
    }

    /** Charges an account of wall time for the time until {@code until}; nothing where it counts something else. */
    void passTime(int i, long until) {
        if (accounts[i].timed()) {
            long all = Math.max(0, Math.min(until, died) - opened.at()) * 1_000;
            add(i, Math.max(0, all - base[i] - charged[i]), until);
        }
    }

    /** Its accounts know it from now on. */
    void enter() {
        measured = Arrays.stream(accounts).filter(BudgetAccount::measured).toArray(BudgetAccount[]::new);
        for (int i = 0; i < accounts.length; i++) {
            accounts[i].holds.put(this, i);
        }
    }

    /** They know it no more. */
    void leave() {
        for (BudgetAccount account : accounts) {
            account.holds.remove(this);
        }
    }

    /** The end: charges what it used, gives back the rest and leaves its accounts. */
    void settle(Fact.Closed closed, long now) {
        for (int i = 0; i < accounts.length; i++) {
            BudgetUnit unit = accounts[i].budget.unit();
            passTime(i, now);
            if (perToken(unit)) {
                add(i, -gives(i, closed), now);
            }
        }
        leave();
    }

    /** What it gives back to an account when it ends like this. */
    long gives(int i, Fact.Closed closed) {
        BudgetUnit unit = accounts[i].budget.unit();
        return perToken(unit) ? charged[i] - Math.max(0, used(unit, closed) - base[i]) : 0;
    }

    /** What it used, over all windows. What a crash has cut off may have delivered all that it was granted. */
    private long used(BudgetUnit unit, Fact.Closed closed) {
        boolean aborted = closed.outcome() == Fact.Outcome.ABORTED;
        return switch (unit) {
            case REQUESTS, MODEL_CALLS -> total(unit, 0);
            case INPUT_TOKENS ->
                aborted
                        ? opened.prompt()
                        : closed.tokens().input() + closed.tokens().cached();
            case OUTPUT_TOKENS -> aborted ? granted : closed.tokens().output();
            case LIST_MONEY -> closed.list();
            case TOOL_CALLS, DEVICE_SECONDS, WALL_SECONDS -> 0;
        };
    }

    /** It waits, and has computed all that it may. */
    boolean blocked() {
        return waiter != null && (grant == null || grant.unspent() == 0);
    }

    /** Ends it at what is granted, or at once. */
    void stop(Budget budget, String subject, BudgetRefusal.Reason reason, boolean atOnce) {
        if (stop.compareAndSet(null, new BudgetStop(budget.id(), subject, reason)) && grant != null) {
            grant.stop(atOnce);
        }
    }

    boolean stopped() {
        return stop.get() != null;
    }

    /** Which budget ended it; any thread. */
    Optional<BudgetStop> stoppedBy() {
        return Optional.ofNullable(stop.get());
    }

    /**
     * Adds device time to the budgets that count it, and ends the request where one of them is spent: the step loop,
     * after the step, without a lock.
     */
    void device(long nanos) {
        if (nanos <= 0) {
            return;
        }
        for (BudgetAccount account : measured) {
            long live = account.live.addAndGet(nanos);
            if (live >= account.liveLow) {
                account.runsLow();
            }
            if (live >= account.liveLimit) {
                stop(account.budget, account.subject, account.over(), true);
            }
        }
    }

    /** Takes device time off them again that turned out to be the house's. */
    void notDevice(long nanos) {
        for (BudgetAccount account : measured) {
            // a budget's window may have begun anew since
            account.live.updateAndGet(live -> Math.max(0, live - nanos));
        }
    }
}
