package dev.jeton.accounting;

import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * One counter of a budget. Guarded by the lock of {@link Budgets}, but for {@link #live}, {@link #liveLimit},
 * {@link #liveLow} and {@link #share}, which step loops use.
 *
 * <p>What requests reserve is charged as what they have spent is; only a request's {@link BudgetHold} knows the
 * difference.
 */
final class BudgetAccount {

    private static final Comparator<Budget.TopUp> SOONEST_FIRST = Comparator.comparingLong(Budget.TopUp::expires)
            .thenComparingLong(Budget.TopUp::at)
            .thenComparing(Budget.TopUp::id);

    final String subject;
    /** Read by step loops, too, to name it. */
    volatile Budget budget;

    BudgetWindow.Span window;
    /** Spent and reserved in the window. */
    long charged;
    /** Requests under way that are charged to it, oldest first, each with its own number for this counter. */
    final Map<BudgetHold, Integer> holds = new LinkedHashMap<>();
    /** Device time in the window, added by step loops; in place of {@link #charged} for that unit. */
    final AtomicLong live = new AtomicLong();
    /** At how much device time requests end; {@link Long#MAX_VALUE} where none do. */
    volatile long liveLimit = Long.MAX_VALUE;
    /** From how much device time on more of it is asked for; {@link Long#MAX_VALUE} where none is. */
    volatile long liveLow = Long.MAX_VALUE;
    /** The largest threshold that was told in this window, percent. */
    int told;
    /** Whether a forecast beyond the limit was told in this window. */
    boolean forecastTold;
    /** How fast it is spent, for forecasts. */
    final BurnRate rate = new BurnRate();
    /** Reserved for steps of tasks that are not done yet. */
    long reservedForSteps;
    /** Requests that wait to begin and will be charged to it. */
    int awaited;
    /** Whether its task has ended, so that it is of no use once the last request has. */
    boolean ended;
    /** Of a prepaid budget: what was taken of the limit. */
    long takenOfLimit;
    /** Of a prepaid budget: what was taken of each top-up, by its id. */
    final Map<String, Long> taken = new HashMap<>();
    /** Of a prepaid budget: what was spent beyond all that there was. */
    long debt;
    /** This server's part, of one that servers share. */
    @Nullable
    volatile BudgetShare share;
    /** Whether it is a budget's no longer: nothing that happens to it matters. */
    boolean removed;

    BudgetAccount(Budget budget, String subject, long now) {
        this.budget = budget;
        this.subject = subject;
        window = budget.window().at(now);
        limitLive(now);
    }

    /** A sum that stops at the greatest number: what was spent beyond all counting stays spent. */
    static long sum(long a, long b) {
        long sum = a + b;
        if (((a ^ sum) & (b ^ sum)) < 0) {
            return a < 0 ? -Long.MAX_VALUE : Long.MAX_VALUE;
        }
        return sum;
    }

    boolean prepaid() {
        return share == null && budget.window().kind() == BudgetWindow.Kind.PREPAID;
    }

    boolean measured() {
        return budget.unit() == BudgetUnit.DEVICE_SECONDS;
    }

    /** Spent and reserved. */
    long used() {
        return measured() ? live.get() : charged;
    }

    /** All that may be spent in the window as things are. */
    long limit(long now) {
        BudgetShare shared = share;
        if (shared != null) {
            return shared.limit(budget.limit());
        }
        long limit = budget.limit();
        if (prepaid()) {
            for (Budget.TopUp topUp : budget.topUps()) {
                if (open(topUp, now)) {
                    limit = sum(limit, topUp.amount());
                } else {
                    limit = sum(limit, taken.getOrDefault(topUp.id(), 0L));
                }
            }
        }
        return sum(limit, grace(now));
    }

    private long grace(long now) {
        return now < budget.grace().until() ? budget.grace().amount() : 0;
    }

    private static boolean open(Budget.TopUp topUp, long now) {
        return topUp.at() <= now && now < topUp.expires();
    }

    /** What may still be charged; negative where more was spent than there is. */
    long available(long now) {
        BudgetShare shared = share;
        if (shared != null) {
            return shared.available(used());
        }
        if (!prepaid()) {
            return sum(limit(now), -used());
        }
        long left = sum(sum(budget.limit() - takenOfLimit, grace(now)), -debt);
        for (Budget.TopUp topUp : budget.topUps()) {
            if (open(topUp, now)) {
                left = sum(left, topUp.amount() - taken.getOrDefault(topUp.id(), 0L));
            }
        }
        return measured() ? left - unsettledLive() : left;
    }

    /** The same, with what other servers leave to this one where they share it. */
    long mayHave(long now) {
        BudgetShare shared = share;
        return shared == null ? available(now) : shared.mayHave(used());
    }

    /** Device time that is not yet taken from what was paid in. */
    private long unsettledLive() {
        return live.get() - charged;
    }

    /** Charges or, where negative, gives back. */
    void charge(long amount, long now) {
        charged = sum(charged, amount);
        BudgetShare shared = share;
        if (shared != null && amount > 0) {
            shared.charged(used());
        }
        if (!prepaid() || amount == 0) {
            return;
        }
        if (amount > 0) {
            take(amount, now);
        } else {
            giveBack(-amount, now);
        }
    }

    /** What expires first is taken first, the limit itself, which never does, at the end. */
    private void take(long amount, long now) {
        long left = amount;
        for (Budget.TopUp topUp : sorted()) {
            if (open(topUp, now)) {
                long before = taken.getOrDefault(topUp.id(), 0L);
                long part = Math.min(left, topUp.amount() - before);
                taken.put(topUp.id(), before + part);
                left -= part;
            }
        }
        long part = Math.min(left, budget.limit() - takenOfLimit);
        takenOfLimit += Math.max(0, part);
        debt = sum(debt, left - Math.max(0, part));
    }

    /** The other way round: what was taken last goes back first; of what has expired meanwhile it is gone. */
    private void giveBack(long amount, long now) {
        long left = amount;
        long part = Math.min(left, debt);
        debt -= part;
        left -= part;
        part = Math.min(left, takenOfLimit);
        takenOfLimit -= part;
        left -= part;
        for (Budget.TopUp topUp : sorted().reversed()) {
            if (left > 0 && topUp.at() <= now) {
                long before = taken.getOrDefault(topUp.id(), 0L);
                part = Math.min(left, before);
                taken.put(topUp.id(), before - part);
                left -= part;
            }
        }
    }

    /**
     * What servers were allotted and have not spent, as far as it was taken of what has expired since, is taken of what
     * has not; what that does not have is owed.
     *
     * @param unspent what could be given back
     */
    void renew(long unspent, long now) {
        if (!prepaid()) {
            return;
        }
        long expired = 0;
        for (Budget.TopUp topUp : budget.topUps()) {
            expired = sum(expired, now < topUp.expires() ? 0 : taken.getOrDefault(topUp.id(), 0L));
        }
        // as where it is given back: first of what was taken of that which expires last
        long gone = Math.clamp(unspent - (charged - expired), 0, expired);
        long left = gone;
        for (Budget.TopUp topUp : sorted().reversed()) {
            if (topUp.expires() <= now) {
                long before = taken.getOrDefault(topUp.id(), 0L);
                long part = Math.min(left, before);
                taken.put(topUp.id(), before - part);
                left -= part;
            }
        }
        take(gone, now);
    }

    /** What was charged while servers shared it is taken of what was paid in, now that it is this server's alone. */
    void settlePaid(long now) {
        if (!prepaid() || measured()) {
            return; // device time is taken by limitLive
        }
        long settled = sum(takenOfLimit, debt);
        for (long part : taken.values()) {
            settled = sum(settled, part);
        }
        if (charged > settled) {
            take(charged - settled, now);
        } else if (charged < settled) {
            giveBack(settled - charged, now);
        }
    }

    private List<Budget.TopUp> sorted() {
        return budget.topUps().stream().sorted(SOONEST_FIRST).toList();
    }

    /** Another definition, of the same unit and window. */
    void define(Budget definition, long now) {
        long debtBefore = debt;
        budget = definition;
        if (prepaid() && debtBefore > 0) {
            debt = 0;
            take(debtBefore, now);
        }
        settlePaid(now);
        limitLive(now);
    }

    /** Takes measured device time from what was paid in, and says anew where requests end. */
    void limitLive(long now) {
        if (!measured()) {
            return;
        }
        if (prepaid()) {
            charge(unsettledLive(), now);
        }
        liveLow = Long.MAX_VALUE;
        if (budget.killed()) {
            liveLimit = -1;
        } else if (budget.mode() == Budget.Mode.HARD) {
            long spent = live.get();
            long available = available(now);
            liveLimit = Math.max(0, sum(spent, available));
            BudgetShare shared = share;
            if (shared != null && available > 0) {
                liveLow = sum(spent, shared.untilLow(available));
            }
        } else {
            liveLimit = Long.MAX_VALUE;
        }
    }

    /** So much device time is spent that more should be asked for; any thread. */
    void runsLow() {
        liveLow = Long.MAX_VALUE; // until it is looked at again
        BudgetShare shared = share;
        if (shared != null) {
            shared.runsLow();
        }
    }

    /** Why one is ended who finds no time left; any thread. */
    BudgetRefusal.Reason over() {
        BudgetShare shared = share;
        return shared == null || shared.heard() ? BudgetRefusal.Reason.SPENT : BudgetRefusal.Reason.UNREACHABLE;
    }

    /** Reserved by requests under way and for steps, and not spent. */
    long reserved() {
        long sum = reservedForSteps;
        for (Map.Entry<BudgetHold, Integer> hold : holds.entrySet()) {
            sum = sum(sum, hold.getKey().reserved(hold.getValue()));
        }
        return sum;
    }

    /**
     * Begins the next window where this one is over: what requests under way have taken stays behind, what they have
     * reserved comes along.
     */
    void roll(long now) {
        if (now < window.to()) {
            return;
        }
        long moved = reservedForSteps;
        for (Map.Entry<BudgetHold, Integer> hold : holds.entrySet()) {
            moved += hold.getKey().roll(hold.getValue(), window.to());
        }
        BudgetShare shared = share;
        if (shared != null) {
            shared.roll(measured() ? live.getAndSet(0) : sum(charged, -moved));
        }
        charged = moved;
        live.set(0);
        window = budget.window().at(now);
        told = 0;
        forecastTold = false;
        rate.reset();
        limitLive(now);
    }

    /** Of wall time: counts that of the requests under way until now. */
    void passTime(long now) {
        if (timed()) {
            for (Map.Entry<BudgetHold, Integer> hold : holds.entrySet()) {
                hold.getKey().passTime(hold.getValue(), now);
            }
        }
    }

    /**
     * When it may be spent by time alone if no request comes or goes, or so much of it that servers share that more
     * must be asked for, microseconds since 1970; {@link Long#MAX_VALUE} where that ends nothing.
     *
     * @param counted until when the time of its requests is counted
     */
    long exhausted(long counted) {
        if (!timed() || removed || holds.isEmpty() || budget.mode() != Budget.Mode.HARD) {
            return Long.MAX_VALUE;
        }
        BudgetShare shared = share;
        long available = Math.max(0, available(counted));
        long until = shared == null ? available : shared.untilLow(available);
        long spent = sum(counted, sum(until / 1_000 / holds.size(), until < available ? 1 : 0));
        long less = budget.grace().until() > counted ? budget.grace().until() : Long.MAX_VALUE;
        for (Budget.TopUp topUp : budget.topUps()) {
            less = open(topUp, counted) ? Math.min(less, topUp.expires()) : less;
        }
        return Math.min(spent, less);
    }

    boolean timed() {
        return budget.unit() == BudgetUnit.WALL_SECONDS;
    }

    /** Whether another definition counts the same things in the same way, so that what was counted still holds. */
    boolean fits(Budget other) {
        return budget.unit() == other.unit()
                && budget.window().equals(other.window())
                && budget.level() == other.level()
                && budget.currency().equals(other.currency());
    }
}
