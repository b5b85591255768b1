package dev.jeton.accounting;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Budgets that several servers spend together. Each server spends from what it has been <b>allotted</b> of a window in
 * the ledger's database; more is asked for ahead of need by a thread of its own ({@link ShareKeeper}), never with the
 * budgets' lock in hand. Guarded by that lock, but for {@link #wake} and {@link #runsLow}.
 *
 * <p><b>What a server may spend without the database is what nobody else can know it has not spent.</b> So it is kept
 * small (about what is spent within a lease, and a part of what is left), and counts as spent until the server that has
 * it says otherwise: at its next exchange, after a restart from its own journal, or somebody says that it is gone
 * ({@link Ledger#release}).
 *
 * <p>Which are shared and what holds of them is {@link SharedDefinitions}' part, until when is {@link ShareLease}'s.
 */
final class BudgetShares {

    private static final Logger LOG = LoggerFactory.getLogger(BudgetShares.class);
    /** Counters that one exchange asks for. */
    private static final int MOST_ASKS = 200;
    /** Counters that one exchange only looks at; others have their turn at the next look. */
    private static final int MOST_LOOKS = 100;
    /** Windows that ended and were not told yet; of older ones the allotments stay taken. */
    private static final int MOST_ENDED = 10_000;
    /** Between two looks at all counters. */
    private static final long LOOK_MICROS = 1_000_000;

    /** What is said last of a counter. */
    private record Ended(ShareExchange.Key key, long charged) {}

    final SharedDefinitions definitions = new SharedDefinitions();
    final ShareLease lease;
    private volatile Runnable waker = () -> {};

    private final Set<BudgetAccount> members = new LinkedHashSet<>();
    /** Of those, who want something or are to be looked at. */
    private final Set<BudgetAccount> due = new LinkedHashSet<>();
    /** Those whose device time runs low, as step loops have seen: each once until it was looked at. */
    private final Queue<BudgetAccount> lowSeen = new ConcurrentLinkedQueue<>();
    /** Whose asks are under way, and of how many windows before them the end is told. */
    private final List<BudgetAccount> asked = new ArrayList<>();

    private int endedAsked;
    private long nextLook = Long.MIN_VALUE;
    private final Deque<Ended> ended = new ArrayDeque<>();
    private long prepared;

    BudgetShares(ShareLease lease) {
        this.lease = lease;
    }

    /** Told when an exchange should be soon; must not block. */
    void onWake(Runnable keeper) {
        waker = keeper;
    }

    void wake() {
        waker.run();
    }

    /** Number of the last exchange that does not know yet of what is wanted now. */
    long prepared() {
        return prepared;
    }

    // ---- counters ----

    /** A counter of a shared budget. */
    void join(BudgetAccount account) {
        account.share = new BudgetShare(this, account);
        members.add(account);
    }

    /** A counter is no shared one any more, or none at all. */
    void leave(BudgetAccount account) {
        BudgetShare share = account.share;
        if (share != null) {
            if (!share.settled(account.used())) {
                share.key().ifPresent(key -> end(share, key, account.used()));
            }
            members.remove(account);
            due.remove(account);
            account.share = null;
        }
    }

    /** A counter's window is over: the database hears what was charged in the end. */
    void roll(BudgetAccount account, BudgetShare share, long charged) {
        share.key().or(() -> definitions.key(account)).ifPresent(key -> end(share, key, charged));
        share.begin();
        due.add(account);
        wake();
    }

    private void end(BudgetShare share, ShareExchange.Key key, long charged) {
        if (share.known() || charged != 0) {
            ended.add(new Ended(key, charged));
            while (ended.size() > MOST_ENDED) {
                ended.removeFirst();
            }
        }
    }

    /** A counter wants something, or is to be looked at. */
    void due(BudgetAccount account) {
        due.add(account);
        wake();
    }

    /** Device time of a counter runs low; any thread, without a lock. */
    void runsLow(BudgetAccount account) {
        lowSeen.add(account);
        wake();
    }

    /** One finds less than it needs: what it has to wait for is an exchange that is still to begin. */
    void lacks(BudgetHold hold, BudgetAccount account) {
        if (hold.unheard != account) {
            hold.unheard = account;
            hold.unheardSince = prepared;
        }
        due(account);
    }

    // ---- exchanges ----

    /** Whether the database has any part in this. */
    boolean any() {
        return definitions.any() || !ended.isEmpty();
    }

    /**
     * What the database should hear now; empty for nothing.
     *
     * @param waiters who waits for something
     * @param ending whether the server ends, and gives everything back
     */
    Optional<ShareExchange> prepare(Collection<BudgetWaiter> waiters, boolean ending, long now) {
        if (!any()) {
            return Optional.empty();
        }
        prepared++;
        Set<BudgetAccount> inOrder = lack(waiters);
        due.addAll(inOrder);
        for (BudgetAccount low = lowSeen.poll(); low != null; low = lowSeen.poll()) {
            if (low.share != null) {
                due.add(low);
            }
        }
        if (ending || now >= nextLook) {
            nextLook = now + LOOK_MICROS;
            due.addAll(members);
        }
        List<ShareExchange.Ask> asks = new ArrayList<>();
        asked.clear();
        for (Ended each : ended) {
            if (asks.size() < MOST_ASKS / 2) {
                asks.add(new ShareExchange.Ask(
                        each.key(), each.charged(), each.charged(), 0, 0, ShareExchange.What.ENDS));
            }
        }
        endedAsked = asks.size();
        inOrder.addAll(due); // who waits goes before what is only to be looked at, however many counters there are
        ask(asks, inOrder, ending, now);
        boolean writes = asks.stream().anyMatch(ask -> ask.what() != ShareExchange.What.LOOKS);
        return Optional.of(new ShareExchange(
                prepared,
                now,
                definitions.offers(),
                definitions.withdrawn(),
                definitions.seen(),
                lease.said(),
                !definitions.heard(),
                writes || holdsAny() && lease.isOld(now),
                asks));
    }

    private void ask(List<ShareExchange.Ask> asks, Set<BudgetAccount> inOrder, boolean ending, long now) {
        int looks = 0;
        for (BudgetAccount account : inOrder) {
            if (asks.size() == MOST_ASKS) {
                return;
            }
            due.remove(account);
            BudgetShare share = Objects.requireNonNull(account.share);
            Optional<ShareExchange.Ask> ask = definitions.key(account).flatMap(key -> share.ask(key, ending, now));
            boolean look = ask.isPresent() && ask.get().what() == ShareExchange.What.LOOKS;
            share.forgetLacks();
            if (look && (ending || ++looks > MOST_LOOKS)) {
                continue;
            }
            if (look) {
                members.remove(account); // last in the next turn
                members.add(account);
            }
            if (ask.isPresent()) {
                asks.add(ask.get());
                asked.add(account);
            }
        }
    }

    /** Takes note of what who waits needs; of which counters, in the order in which they came. */
    private static Set<BudgetAccount> lack(Collection<BudgetWaiter> waiters) {
        Set<BudgetAccount> lacking = new LinkedHashSet<>();
        for (BudgetWaiter waiter : waiters) {
            BudgetHold hold = waiter.hold;
            for (int i = 0; i < hold.accounts.length; i++) {
                BudgetShare share = hold.accounts[i].share;
                if (share != null) {
                    if (lacking.add(hold.accounts[i])) {
                        share.forgetLacks();
                    }
                    boolean time = hold.accounts[i].timed() || hold.accounts[i].measured();
                    share.lacks(
                            Math.max(time ? 1 : 0, hold.delta(i, Math.min(waiter.wanted, hold.granted + 1))),
                            Math.max(0, hold.delta(i, waiter.wanted)));
                }
            }
        }
        return lacking;
    }

    /** It could not be done, or nobody knows whether it was. */
    void failed(ShareExchange exchange) {
        lease.failed(exchange);
        asked.stream().filter(account -> account.share != null).forEach(due::add);
    }

    /**
     * The database has answered.
     *
     * @return whether which budgets there are, or what holds of them, has changed
     */
    boolean answered(ShareExchange exchange, ShareExchange.Reply reply, BudgetIndex index, long now) {
        lease.answered(exchange, reply);
        boolean known = take(exchange, reply, now);
        if (reply.lapsed()) {
            lapsed(exchange);
        }
        if (reply.anew() || !known) {
            begin();
            return false;
        }
        if (!definitions.heard() || !due.isEmpty()) {
            wake();
        }
        boolean changed = definitions.answered(reply, index);
        if (changed) {
            due.addAll(members);
            wake();
        }
        reply.held().forEach(held -> held(held, index, now));
        return changed;
    }

    /** Takes what was allotted; whether the database knows all that it was asked about. */
    private boolean take(ShareExchange exchange, ShareExchange.Reply reply, long now) {
        boolean known = true;
        for (int i = 0; i < exchange.asks().size(); i++) {
            ShareExchange.Ask ask = exchange.asks().get(i);
            Optional<ShareExchange.Answer> answer = reply.answers().get(i);
            known &= answer.isPresent();
            if (i < endedAsked) {
                ended.removeFirst();
                continue;
            }
            BudgetAccount account = asked.get(i - endedAsked);
            BudgetShare share = account.share;
            boolean same =
                    share != null && share.key().filter(ask.key()::equals).isPresent();
            if (same && answer.isPresent()) {
                Objects.requireNonNull(share).answered(ask, answer.get(), exchange.number(), exchange.prepared());
                account.limitLive(now);
            }
        }
        return known;
    }

    private void lapsed(ShareExchange exchange) {
        Set<BudgetAccount> allotted = new HashSet<>();
        for (int i = endedAsked; i < exchange.asks().size(); i++) {
            if (exchange.asks().get(i).what() == ShareExchange.What.SPENDS) {
                allotted.add(asked.get(i - endedAsked));
            }
        }
        for (BudgetAccount account : members) {
            if (!allotted.contains(account)
                    && Objects.requireNonNull(account.share).lapsed()) {
                due.add(account);
            }
        }
    }

    /** The database is another one, or was put back: it is told everything again. */
    private void begin() {
        LOG.warn("the ledger's database does not know of budgets that it knew; it is told of them again");
        definitions.begin();
        members.forEach(account -> Objects.requireNonNull(account.share).forgotten());
        wake();
    }

    /** What an earlier run was allotted and has not spent goes back, or is spent; what was undone is told. */
    private void held(ShareExchange.Held held, BudgetIndex index, long now) {
        Optional<Budget> budget = index.definition(held.key().budget());
        if (budget.isEmpty() || !definitions.has(held.key())) {
            if (held.allotted() <= held.charged()) {
                return;
            }
            LOG.warn(
                    "{} of the shared budget '{}' count as spent: they were allotted to a counter of this server that it"
                            + " has lost; once it has stopped they can be released (jeton ledger release)",
                    held.allotted() - held.charged(),
                    held.key().budget());
            return;
        }
        if (index.account(held.key().budget(), held.key().subject()).isEmpty() && !index.hasRoom()) {
            LOG.warn(
                    "{} of the shared budget '{}' of {} stay taken until it spends again: there are as many counters as"
                            + " there may be",
                    held.allotted(),
                    held.key().budget(),
                    held.key().subject());
            return;
        }
        BudgetAccount account = index.account(budget.get(), held.key().subject(), now);
        if (account.window.equals(held.key().window()) && account.share != null) {
            account.share.held(held.key(), held.allotted(), held.charged());
            due.add(account);
        }
    }

    /** Whether anything is allotted that is not spent, or of which it was not told yet that it is. */
    boolean holdsAny() {
        if (!ended.isEmpty()) {
            return true;
        }
        for (BudgetAccount account : members) {
            if (Objects.requireNonNull(account.share).holds(account.used())) {
                return true;
            }
        }
        return false;
    }

    /** Counters of shared budgets, and what was allotted to them and is not spent. */
    int members() {
        return members.size();
    }
}
