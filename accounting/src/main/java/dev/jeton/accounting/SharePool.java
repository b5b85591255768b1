package dev.jeton.accounting;

import java.util.HashMap;
import java.util.Map;
import java.util.StringJoiner;

/**
 * One window of a shared counter, as the database has it: a counter that is charged with what servers are allotted. So
 * what is left of it, top-ups and grace included, is what would be left of a server's own. Lives for one transaction.
 */
final class SharePool {

    final ShareExchange.Key key;
    private final BudgetAccount account;
    /** The highest limit under which something was allotted. */
    long highest;
    /** What was charged past the limit before a server could know. */
    long beyond;

    private SharePool(ShareExchange.Key key, BudgetTerms terms) {
        this.key = key;
        account = new BudgetAccount(terms.budget(key.budget(), key.kind()), key.subject(), 0);
        account.window = key.window();
    }

    /** One of which nothing was allotted yet. */
    static SharePool none(ShareExchange.Key key, BudgetTerms terms) {
        return new SharePool(key, terms);
    }

    /** One as it is stored. */
    static SharePool of(
            ShareExchange.Key key,
            BudgetTerms terms,
            long allotted,
            long takenOfLimit,
            long debt,
            String taken,
            long highest,
            long beyond,
            long now) {
        SharePool pool = new SharePool(key, terms);
        pool.account.charged = allotted;
        pool.account.takenOfLimit = takenOfLimit;
        pool.account.debt = debt;
        pool.account.taken.putAll(taken(taken));
        pool.account.define(pool.account.budget, now); // what was paid in since pays for what was spent beyond
        pool.highest = highest;
        pool.beyond = beyond;
        return pool;
    }

    long allotted() {
        return account.charged;
    }

    long takenOfLimit() {
        return account.takenOfLimit;
    }

    long debt() {
        return account.debt;
    }

    /** What was taken of each top-up, as text. */
    String taken() {
        StringJoiner text = new StringJoiner("\n");
        account.taken.forEach((id, amount) -> text.add(amount + " " + id));
        return text.toString();
    }

    private static Map<String, Long> taken(String text) {
        Map<String, Long> taken = new HashMap<>();
        text.lines().forEach(line -> {
            int space = line.indexOf(' ');
            taken.put(line.substring(space + 1), Long.parseLong(line.substring(0, space)));
        });
        return taken;
    }

    boolean hard() {
        return account.budget.mode() == Budget.Mode.HARD;
    }

    /** What all servers together may spend. */
    long limit(long now) {
        return account.limit(now);
    }

    /** What is allotted to nobody; negative where more was spent than there is. */
    long left(long now) {
        return account.available(now);
    }

    /** As {@link BudgetAccount#renew}. */
    void renew(long unspent, long now) {
        account.renew(unspent, now);
    }

    /** Allots up to so much; how much there was. */
    long take(long most, long now) {
        long part = Math.clamp(left(now), 0, most);
        account.charge(part, now);
        if (part > 0) {
            highest = Math.max(highest, account.limit(now));
        }
        return part;
    }

    /** Allots what was spent already. */
    void force(long amount, long now) {
        long left = Math.max(0, left(now));
        beyond = BudgetAccount.sum(beyond, Math.max(0, amount - left));
        highest = Math.max(highest, Math.min(account.limit(now), BudgetAccount.sum(allotted(), left)));
        account.charge(amount, now);
    }

    /** Takes an allotment back. */
    void giveBack(long amount, long now) {
        if (amount > 0) {
            account.charge(-amount, now);
        }
    }
}
