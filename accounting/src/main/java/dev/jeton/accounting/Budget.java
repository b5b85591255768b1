package dev.jeton.accounting;

import java.util.List;

/**
 * A limit on what may be spent. Amounts are in the unit's smallest part, see {@link BudgetUnit}.
 *
 * <p>A budget with {@link #ANY} in place of a name is one for each: {@code (KEY, "acme", "*", "*")} gives every key of
 * the tenant acme a counter of its own.
 *
 * @param id its name, unique; what refusals and metrics name
 * @param level whose spending shares a counter
 * @param tenant the tenant's id, or {@link #ANY}
 * @param project the project's id, or {@link #ANY}; for levels below the tenant
 * @param key the key's id, or {@link #ANY}; for the levels below the project
 * @param unit what is counted
 * @param window when it begins anew
 * @param limit most that may be spent in a window; of a prepaid budget what it had before all top-ups
 * @param mode what happens at the limit
 * @param killed whether nothing at all may be spent: the switch for emergencies, at once and in mid-stream
 * @param grace what may be spent beyond the limit for a while
 * @param topUps what was paid in, of a prepaid budget
 * @param thresholds percent of the limit whose passing is told to webhooks, growing
 * @param ladder what is tried, in order, before a request is refused
 * @param currency of a budget of list money, the price book's; empty otherwise
 * @param shared whether all servers that share a ledger's database spend it together, see {@link BudgetShares}
 */
public record Budget(
        String id,
        Level level,
        String tenant,
        String project,
        String key,
        BudgetUnit unit,
        BudgetWindow window,
        long limit,
        Mode mode,
        boolean killed,
        Grace grace,
        List<TopUp> topUps,
        List<Integer> thresholds,
        List<Rung> ladder,
        String currency,
        boolean shared) {

    /** In place of a name: one counter for each. */
    public static final String ANY = "*";
    /** Most top-ups that a budget keeps. */
    public static final int MAX_TOP_UPS = 1_000;

    /** Whose spending shares a counter. */
    public enum Level {
        /** A tenant's, all of it. */
        TENANT,
        /** A project's. */
        PROJECT,
        /** A key's. */
        KEY,
        /** A task's. */
        TASK,
        /** One request's. */
        REQUEST;

        /** As configuration, API and metrics say it. */
        public String text() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    /** What happens at the limit. */
    public enum Mode {
        /** Requests are refused, streams end. */
        HARD,
        /** It is told to webhooks and metrics, nothing is refused. */
        SOFT,
        /** As soft, and what a hard limit would have refused is counted and logged: to try a limit out. */
        SHADOW;

        /** As configuration, API and metrics say it. */
        public String text() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    /**
     * What may be spent beyond the limit.
     *
     * @param amount how much
     * @param until the first microsecond since 1970 at which it no longer may
     */
    public record Grace(long amount, long until) {
        /** Nothing. */
        public static final Grace NONE = new Grace(0, 0);
    }

    /**
     * What was paid into a prepaid budget. Spending takes what expires first.
     *
     * @param id unique in the budget, so that a repeated call pays in once
     * @param amount how much
     * @param at since when it may be spent, microseconds since 1970
     * @param expires the first microsecond at which what is left of it is gone; {@link Long#MAX_VALUE} for never
     */
    public record TopUp(String id, long amount, long at, long expires) {}

    /** What is tried before a request is refused. */
    public sealed interface Rung {
        /**
         * A shorter output: as many tokens as the budget still pays for.
         *
         * @param atLeast fewer than so many are not worth it
         */
        record Shorter(int atLeast) implements Rung {}

        /**
         * Another served model in place of the one asked for.
         *
         * @param model its name
         */
        record Cheaper(String model) implements Rung {}
    }

    /** With lists of its own. */
    public Budget {
        topUps = List.copyOf(topUps);
        thresholds = List.copyOf(thresholds);
        ladder = List.copyOf(ladder);
    }

    /** One that each server has for itself. */
    public Budget(
            String id,
            Level level,
            String tenant,
            String project,
            String key,
            BudgetUnit unit,
            BudgetWindow window,
            long limit,
            Mode mode,
            boolean killed,
            Grace grace,
            List<TopUp> topUps,
            List<Integer> thresholds,
            List<Rung> ladder,
            String currency) {
        this(
                id,
                level,
                tenant,
                project,
                key,
                unit,
                window,
                limit,
                mode,
                killed,
                grace,
                topUps,
                thresholds,
                ladder,
                currency,
                false);
    }

    /** Whether budgets of a level may be shared: a task's or a request's are spent where it runs. */
    public static boolean maybeShared(Level level) {
        return level == Level.TENANT || level == Level.PROJECT || level == Level.KEY;
    }

    /** The same, shared by servers or not. */
    public Budget sharedBy(boolean servers) {
        return with(BudgetTerms.of(this), servers);
    }

    /** The same with what was decided of it elsewhere. */
    Budget with(BudgetTerms terms) {
        return with(terms, shared);
    }

    private Budget with(BudgetTerms terms, boolean servers) {
        return new Budget(
                id,
                level,
                tenant,
                project,
                key,
                unit,
                window,
                terms.limit(),
                terms.mode(),
                terms.killed(),
                terms.grace(),
                terms.topUps(),
                thresholds,
                ladder,
                currency,
                servers);
    }

    /**
     * A limit that a task or a request brings with it: hard, in all, of its own.
     *
     * @param level {@code TASK} or {@code REQUEST}
     */
    private static Budget own(String id, Level level, String tenant, BudgetUnit unit, long limit, String currency) {
        return new Budget(
                id,
                level,
                tenant,
                ANY,
                ANY,
                unit,
                BudgetWindow.TOTAL,
                limit,
                Mode.HARD,
                false,
                Grace.NONE,
                List.of(),
                List.of(),
                List.of(),
                currency);
    }

    /** A limit that a task brings with it. */
    public static Budget ofTask(String tenant, String task, BudgetUnit unit, long limit, String currency) {
        return own("task/" + task + "/" + unit.text(), Level.TASK, tenant, unit, limit, currency);
    }

    /** A limit that a request brings with it. */
    public static Budget ofRequest(String tenant, BudgetUnit unit, long limit, String currency) {
        return own("request/" + unit.text(), Level.REQUEST, tenant, unit, limit, currency);
    }

    /** A hard limit of a tenant, with the usual thresholds and without anything else. */
    public static Budget of(String id, String tenant, BudgetUnit unit, BudgetWindow window, long limit) {
        return new Budget(
                id,
                Level.TENANT,
                tenant,
                ANY,
                ANY,
                unit,
                window,
                limit,
                Mode.HARD,
                false,
                Grace.NONE,
                List.of(),
                List.of(50, 80, 100),
                List.of(),
                "");
    }
}
