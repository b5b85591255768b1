package dev.jeton.accounting;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One server's part of a shared counter: what it has been allotted in the window, and how far all servers together are,
 * as of the last exchange. Guarded by the lock of {@link Budgets}.
 */
final class BudgetShare {

    /** Spending of so long ago counts half of what is expected. */
    private static final double HALF_MICROS = 5_000_000;
    /** Nobody at work for so long: what is left goes back. */
    private static final long IDLE_MICROS = 1_000_000;
    /** Who was refused and told to come again in a second is waited for so long. */
    private static final long COMES_MICROS = 3_000_000;
    /** How far all servers together are may be known as late as that. */
    private static final long STALE_MICROS = 10_000_000;
    /** For who looks, as late as that. */
    private static final long FRESH_MICROS = 1_000_000;
    /** Of time, which passes by itself: what each request under way has at least, nanoseconds. */
    private static final long TIME_NANOS = 2_000_000_000L;

    /** Of shorter spans no trend is made. */
    private static final long TREND_MICROS = 5_000_000;

    private static final long NEVER = Long.MIN_VALUE;

    private final BudgetShares home;
    private final BudgetAccount account;

    private ShareExchange.@Nullable Key key;
    /** What may be charged in the window in all. */
    long allotted;
    /** The same as the database has it: more, where some is on its way back. */
    private long given;
    /** What was said last to be charged, and heard; negative where nobody knows what was. */
    private long told = -1;
    /** Whether the database may hold anything of this window. */
    private boolean known;

    private long limit;
    private long left;
    private long elsewhere;
    private long usedElsewhere;
    /** What should be kept beyond what is charged, at most. */
    private long share = Long.MAX_VALUE;
    /** When that was so; {@link Long#MIN_VALUE} for never. */
    private long asOf = NEVER;
    /** The exchange that told it. */
    private long answered = -1;
    /** Below that more is asked for ahead of need. */
    private long low;
    /** How fast it is spent, a microsecond. */
    private double rate;

    private long usedThen;
    private long observedAt = NEVER;
    private long spentAt;
    /** Wanted by who waits, all together, and by the one who needs most to go on. */
    private long waiting;

    private long least;
    /** How many they are. */
    private int waiters;
    /** Who was refused and was told to come again, and until when that counts. */
    private long comes;

    private long comesUntil = NEVER;

    private long looked = NEVER;

    BudgetShare(BudgetShares home, BudgetAccount account) {
        this.home = home;
        this.account = account;
    }

    /** Under which name the present window is told; empty where it never was. */
    Optional<ShareExchange.Key> key() {
        return Optional.ofNullable(key);
    }

    /** What this server may still charge. */
    long available(long used) {
        return home.lease.runs() ? BudgetAccount.sum(allotted, -used) : Math.min(0, BudgetAccount.sum(allotted, -used));
    }

    /** What it could have at best. */
    long mayHave(long used) {
        return asOf == NEVER
                ? Long.MAX_VALUE
                : BudgetAccount.sum(Math.max(0, left), BudgetAccount.sum(allotted, -used));
    }

    /** What all servers may spend; what the definition says where that is not known. */
    long limit(long defined) {
        return asOf == NEVER ? defined : limit;
    }

    /** For people. */
    BudgetView.Share view(long used) {
        return new BudgetView.Share(allotted, used, usedElsewhere, left, elsewhere, asOf, home.lease.runs());
    }

    /** Something was charged: asks for more ahead of need. Where nothing is refused a look once a second is enough. */
    void charged(long used) {
        if (left > 0 && allotted - used < low && account.budget.mode() == Budget.Mode.HARD) {
            home.due(account);
        }
    }

    /** How much of what is available may still be spent before more is asked for; all of it where there is no more. */
    long untilLow(long available) {
        return left > 0 && available > low ? available - low : available;
    }

    /** Device time runs low; any thread. */
    void runsLow() {
        home.runsLow(account);
    }

    /** Whether more cannot be asked for. */
    boolean unreachable() {
        return home.lease.down();
    }

    /** Whether the database answers, and what was allotted may be spent; any thread. */
    boolean heard() {
        return home.lease.runs() && !home.lease.down();
    }

    /** One more spends it: of time, which does not wait, there must be enough for everybody. */
    void joined(long now) {
        if (time()) {
            account.limitLive(now);
            if (left > 0 && allotted - account.used() < TIME_NANOS / 2 * account.holds.size()) {
                home.due(account);
            }
        }
    }

    private boolean time() {
        return account.timed() || account.measured();
    }

    /** One needs more than is here. */
    void lacks(long need, long wanted) {
        least = Math.max(least, need);
        waiting = BudgetAccount.sum(waiting, wanted);
        waiters++;
    }

    private void comesAgain(long need, long now) {
        comes = Math.max(now < comesUntil ? comes : 0, need);
        comesUntil = now + COMES_MICROS;
        home.due(account);
    }

    void forgetLacks() {
        waiting = 0;
        least = 0;
        waiters = 0;
    }

    /** Whether an exchange that began after one found too little has told how far it is. */
    private boolean heard(BudgetHold hold) {
        return hold.unheard != account || answered > hold.unheardSince;
    }

    /**
     * Why one who lacks something cannot have it now; {@code RESERVED_BY_OTHERS} while more may come.
     *
     * @param here what is available here, or may be given back
     */
    BudgetRefusal.Reason reason(BudgetHold hold, long need, long here) {
        if (!heard(hold)) {
            return home.lease.down() ? BudgetRefusal.Reason.UNREACHABLE : BudgetRefusal.Reason.RESERVED_BY_OTHERS;
        }
        long had = BudgetAccount.sum(here, BudgetAccount.sum(Math.max(0, left), elsewhere));
        return had >= need ? BudgetRefusal.Reason.RESERVED_BY_OTHERS : BudgetRefusal.Reason.SPENT;
    }

    /** Whether one who runs may still get more from the database. */
    boolean mayCome(BudgetHold hold, int i, long now) {
        long need = Math.max(1, hold.delta(i, hold.granted + 1));
        long had = BudgetAccount.sum(account.available(now), BudgetAccount.sum(Math.max(0, left), elsewhere));
        return !heard(hold) || had >= need;
    }

    /** Why a step cannot be reserved, which does not wait: it may be tried again once more was asked for. */
    BudgetRefusal.Reason refusal(long need, long available, long now) {
        long had = BudgetAccount.sum(account.reserved(), BudgetAccount.sum(available, elsewhere));
        boolean spent = asOf != NEVER && BudgetAccount.sum(had, Math.max(0, left)) < need;
        if (spent && !home.lease.down()) {
            look(now); // somebody may have given something back since
            return BudgetRefusal.Reason.SPENT;
        }
        comesAgain(need, now);
        return home.lease.down() ? BudgetRefusal.Reason.UNREACHABLE : BudgetRefusal.Reason.RESERVED_BY_OTHERS;
    }

    /** Whether one who waited did so in vain. */
    boolean unheard(BudgetHold hold) {
        return !heard(hold);
    }

    /** Why one who waited in vain did: it was not heard of, or it is spent. */
    BudgetRefusal.Reason inVain(BudgetHold hold) {
        return heard(hold) && home.lease.runs() ? BudgetRefusal.Reason.SPENT : BudgetRefusal.Reason.UNREACHABLE;
    }

    // ---- exchanges ----

    /** Whether the server has said all of it, and holds nothing. */
    boolean settled(long used) {
        return !known || told == used && given <= used;
    }

    /** Whether the server has something to spend, or holds something to give back. */
    boolean holds(long used) {
        return Math.max(allotted, given) > used;
    }

    /**
     * What is asked of the database; from here on no more than {@code keep} is spent until it has answered.
     *
     * @param ending whether the server ends, and gives everything back
     */
    Optional<ShareExchange.Ask> ask(ShareExchange.Key named, boolean ending, long now) {
        key = named;
        account.passTime(now);
        long used = account.used();
        observe(used, now);
        boolean hard = account.budget.mode() == Budget.Mode.HARD;
        long need = hard && !ending ? needed(now) : 0;
        long want = hard && !ending ? Math.max(need, wanted(now)) : 0;
        long reserve = Math.max(need, Math.min(want, share));
        long ceiling = BudgetAccount.sum(used, reserve);
        allotted = hard ? Math.max(used, Math.min(allotted, ceiling)) : used;
        low = reserve / 2;
        account.limitLive(now);
        boolean more = allotted - used < need || reserve > 0 && allotted - used <= low && mayGrow(now);
        boolean back = given > allotted && given > used;
        if (told != used && (known || used != 0) || more || back || known && given < used) {
            // until it is answered the database may have done it: whoever goes, or does not hear of it, must tell again
            known = true;
            told = -1;
            return Optional.of(new ShareExchange.Ask(named, used, allotted, need, want, ShareExchange.What.SPENDS));
        }
        return asOf == NEVER || now - asOf >= (holds(used) ? FRESH_MICROS : STALE_MICROS) || looked > asOf
                ? Optional.of(new ShareExchange.Ask(named, used, allotted, 0, 0, ShareExchange.What.LOOKS))
                : Optional.empty();
    }

    private boolean mayGrow(long now) {
        return asOf == NEVER || left > 0 || elsewhere > 0 || now - asOf >= STALE_MICROS;
    }

    private void observe(long used, long now) {
        long since = Math.max(1, now - observedAt);
        rate = observedAt == NEVER ? 0 : rate * Math.pow(0.5, since / HALF_MICROS);
        if (used > usedThen) {
            // two exchanges may follow each other at once: what was spent in between is no trend
            rate = observedAt == NEVER ? 0 : Math.max(rate, (double) (used - usedThen) / Math.max(since, TREND_MICROS));
            spentAt = now;
        } else if (account.holds.isEmpty() && now - spentAt >= IDLE_MICROS) {
            rate = 0;
        }
        usedThen = used;
        observedAt = now;
    }

    private long needed(long now) {
        long need = Math.max(least, now < comesUntil ? comes : 0);
        return time() && (need > 0 || !account.holds.isEmpty()) ? Math.max(need, TIME_NANOS / 2) : need;
    }

    private long wanted(long now) {
        double ahead = rate * home.lease.length();
        long want = BudgetAccount.sum(waiting, (long) Math.min(ahead, Long.MAX_VALUE / 4.0));
        return time() ? Math.max(want, TIME_NANOS * (account.holds.size() + waiters)) : want;
    }

    /** The database has answered. */
    void answered(ShareExchange.Ask ask, ShareExchange.Answer answer, long number, long now) {
        if (ask.what() == ShareExchange.What.SPENDS) {
            known = true;
            given = answer.allotted();
            allotted = answer.allotted();
            told = ask.charged();
        }
        limit = answer.limit();
        left = answer.left();
        if (left < 0 && account.budget.mode() == Budget.Mode.HARD) {
            // more is allotted than there is any more, as of a limit that was lowered: at most that goes back at once
            long used = account.used();
            allotted = Math.max(Math.min(allotted, used), BudgetAccount.sum(allotted, left));
            if (given > allotted) {
                home.due(account);
            }
        }
        elsewhere = answer.elsewhere();
        usedElsewhere = answer.usedElsewhere();
        share = answer.share();
        asOf = now;
        answered = number;
    }

    /** The database holds something of this server that is not known here: from before a restart. */
    void held(ShareExchange.Key named, long holds, long said) {
        key = named;
        known = true;
        given = holds;
        told = said;
    }

    /** A new window begins: nothing is allotted in it yet. */
    void begin() {
        allotted = 0;
        given = 0;
        told = -1;
        known = false;
        asOf = NEVER;
        share = Long.MAX_VALUE;
        left = 0;
        elsewhere = 0;
        usedElsewhere = 0;
        answered = -1;
        usedThen = 0;
        key = null;
    }

    /** The database has lost what it knew: it is told again. */
    void forgotten() {
        allotted = Math.min(allotted, account.used());
        told = -1;
        known |= account.used() != 0;
        asOf = NEVER;
        answered = -1;
    }

    /**
     * What it was allotted and has not told to be spent may have been released: it is asked for again before it is
     * spent.
     *
     * @return whether there is any
     */
    boolean lapsed() {
        boolean some = known && given > told;
        if (some) {
            allotted = Math.min(allotted, account.used());
            told = -1;
        }
        return some;
    }

    /** The window is over, in which so much was charged in the end. */
    void roll(long charged) {
        home.roll(account, this, charged);
    }

    /** Somebody wants to see how far it is. */
    void look(long now) {
        if (asOf == NEVER || now - asOf > FRESH_MICROS) {
            looked = now;
            home.due(account);
        }
    }

    /** Whether the old window must be told of. */
    boolean known() {
        return known;
    }
}
