package dev.jeton.accounting;

import java.util.Optional;
import java.util.function.Consumer;

/**
 * Looks at counters for people: how far they are, and how far they will be if it goes on as of late. Called with the
 * lock of {@link Budgets}.
 */
final class BudgetWatch {

    /** Half-life of a burn rate, as a part of its window, and its bounds in microseconds. */
    private static final long RATE_PART = 24;

    private static final long RATE_SHORTEST = 300_000_000L;
    private static final long RATE_LONGEST = 86_400_000_000L;
    /** A forecast is told from this part of the half-life on: before that one request is a trend. */
    private static final long TREND_PART = 12;

    private BudgetWatch() {}

    /** Takes note of a counter, and tells what was not told before in its window. */
    static void look(BudgetAccount account, long now, Consumer<BudgetEvent> told) {
        account.limitLive(now);
        long elsewhere =
                account.share == null ? 0 : account.share.view(account.used()).usedElsewhere();
        long spent = BudgetAccount.sum(account.used() - account.reserved(), elsewhere);
        long halfLife = halfLife(account);
        account.rate.observe(spent, now, halfLife);
        BudgetView view = view(account, now);
        int passed = account.told;
        for (int threshold : account.budget.thresholds()) {
            if (threshold > passed && reached(spent, view.limit(), threshold)) {
                passed = threshold;
            }
        }
        if (passed > account.told) {
            account.told = passed;
            told.accept(new BudgetEvent(now, BudgetEvent.Kind.THRESHOLD, passed, view));
        }
        boolean early = view.exhausted() > now && view.exhausted() < Long.MAX_VALUE;
        boolean trend = account.rate.seen() > halfLife / TREND_PART;
        if (early
                && trend
                && !account.forecastTold
                && !account.budget.thresholds().isEmpty()) {
            account.forecastTold = true;
            told.accept(new BudgetEvent(now, BudgetEvent.Kind.FORECAST, 0, view));
        }
    }

    private static boolean reached(long spent, long limit, int percent) {
        return spent > 0 && 100.0 * spent >= (double) percent * limit;
    }

    private static long halfLife(BudgetAccount account) {
        BudgetWindow.Span window = account.window;
        boolean endless = window.to() == Long.MAX_VALUE;
        long length = endless ? RATE_LONGEST * RATE_PART : window.to() - window.from();
        return Math.clamp(length / RATE_PART, RATE_SHORTEST, RATE_LONGEST);
    }

    /** The counter as it is now. */
    static BudgetView view(BudgetAccount account, long now) {
        long limit = account.limit(now);
        long own = account.used();
        BudgetView.Share share = account.share == null ? null : account.share.view(own);
        long used = share == null ? own : BudgetAccount.sum(own, share.usedElsewhere());
        double rate = account.rate.perMicro(halfLife(account));
        long end = account.window.to();
        long left = end == Long.MAX_VALUE ? 0 : Math.max(0, end - now);
        double projected = Math.min(Long.MAX_VALUE / 2.0, used + rate * left);
        double until = rate > 0 ? now + Math.max(0, limit - used) / rate : Double.MAX_VALUE;
        boolean within = until < Math.min(end, Long.MAX_VALUE / 2);
        return new BudgetView(
                account.budget,
                account.subject,
                account.window,
                limit,
                used,
                account.reserved(),
                share == null ? account.available(now) : BudgetAccount.sum(limit, -used),
                (long) projected,
                within ? (long) until : Long.MAX_VALUE,
                Optional.ofNullable(share));
    }
}
