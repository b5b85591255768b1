package dev.jeton.accounting;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Budgets that several servers spend together. Each server spends from what it has been <b>allotted</b> of a window in
 * the ledger's database; more is asked for ahead of need by a thread of its own ({@link ShareKeeper}), never with the
 * budgets' lock in hand. Guarded by that lock, but for {@link #wake}, {@link #runsLow} and what the volatile fields
 * say.
 *
 * <p><b>The lease.</b> With each exchange a server may spend what it has been allotted for one lease longer: counted
 * from before it asked by its own monotonic clock, less an eighth, and from when it was heard by the database's. So one
 * that cannot reach the database has stopped before the database says so, whatever either's wall clock shows.
 *
 * <p><b>What a server may spend without the database is what nobody else can know it has not spent.</b> So it is kept
 * small (about what is spent within a lease, and a part of what is left), and counts as spent until the server that has
 * it says otherwise: at its next exchange, after a restart from its own journal, or somebody says that it is gone
 * ({@link Ledger#release}).
 *
 * <p><b>Counters have names.</b> What this server has charged is told as a total, under the name of its counter, so
 * that being told twice is being told once. The name goes with the copy of the state beside the journal: who has lost
 * that counts from nothing under another one.
 *
 * <p><b>Terms</b> (limit, mode, kill switch, grace, top-ups) are those that were decided last, on any server. A change
 * here holds here at once, elsewhere at the next exchange.
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
    /** Of a lease: for the time that a clock may be wrong by, and a step takes. */
    private static final long MARGIN = 8;

    /**
     * Under which name a budget's counters are told.
     *
     * @param kind what it counts, as {@link BudgetState#kind}
     * @param generation of the budget in which it counts; 0 where the database was not heard yet
     */
    record Counter(String name, String kind, long generation) {}

    /** What is said last of a counter. */
    private record Ended(ShareExchange.Key key, long charged) {}

    private final LongSupplier micros;
    private final long leaseMicros;
    private volatile Runnable waker = () -> {};

    /** As this server defines them. */
    private List<Budget> defined = List.of();

    private final Map<String, ShareExchange.Decided> decided = new HashMap<>();
    private final Map<String, Counter> counters = new LinkedHashMap<>();
    /** Decided here and not told yet: what holds here until it is. */
    private final Map<String, BudgetTerms> live = new HashMap<>();

    private final Set<ShareExchange.Withdrawn> withdrawn = new LinkedHashSet<>();
    private boolean told;
    private boolean fresh;

    private final Set<BudgetAccount> members = new LinkedHashSet<>();
    /** Of those, who want something or are to be looked at. */
    private final Set<BudgetAccount> due = new LinkedHashSet<>();
    /** Those whose device time runs low, as step loops have seen: each once until it was looked at. */
    private final Queue<BudgetAccount> lowSeen = new ConcurrentLinkedQueue<>();
    /** Whose asks are under way, and of how many windows before them the end is told. */
    private final List<BudgetAccount> asked = new ArrayList<>();

    private int endedAsked;
    /** The definitions that are being told. */
    private List<Budget> offered = List.of();

    private long nextLook = Long.MIN_VALUE;
    private final Deque<Ended> ended = new ArrayDeque<>();
    private long seen;
    /**
     * Until when the database has said that this server is leased, by its own clock: one that says less has lost it.
     */
    private long leased;

    private boolean heard;
    private long prepared;
    private volatile long failed = -1;
    private volatile long answered = -1;
    private volatile long validUntil = Long.MIN_VALUE;

    /** @param leaseMicros how long it spends without being heard */
    BudgetShares(LongSupplier micros, long leaseMicros) {
        this.micros = micros;
        this.leaseMicros = leaseMicros;
    }

    /** Told when an exchange should be soon; must not block. */
    void onWake(Runnable keeper) {
        waker = keeper;
    }

    void wake() {
        waker.run();
    }

    boolean leased() {
        return micros.getAsLong() < validUntil;
    }

    /** For how long what was allotted may be spent, microseconds; 0 where it may not. */
    long leaseLeft() {
        return validUntil == Long.MIN_VALUE ? 0 : Math.max(0, validUntil - micros.getAsLong());
    }

    /** For how long to have enough. */
    long aheadMicros() {
        return leaseMicros;
    }

    /** Whether the last exchange failed. */
    boolean down() {
        return failed > answered;
    }

    /** Number of the last exchange that does not know yet of what is wanted now. */
    long prepared() {
        return prepared;
    }

    // ---- which there are ----

    /**
     * Takes the server's own definitions.
     *
     * @param running whether they are changed while it runs
     * @return as they hold: with the terms of the database, and without those that were removed elsewhere
     */
    List<Budget> define(Collection<Budget> definitions, boolean running) {
        Map<String, Budget> before = byId(defined);
        Map<String, Budget> after = byId(definitions);
        for (Budget budget : definitions) {
            if (budget.shared()) {
                take(budget, before.get(budget.id()), running);
            }
        }
        for (Budget budget : defined) {
            @Nullable Budget now = after.get(budget.id());
            if (budget.shared() && (now == null || !now.shared())) {
                counters.remove(budget.id());
                decided.remove(budget.id());
                live.remove(budget.id());
                if (running && now == null) {
                    withdrawn.add(new ShareExchange.Withdrawn(budget.id(), BudgetState.kind(budget)));
                }
            }
        }
        defined = List.copyOf(definitions);
        told = false;
        wake();
        return holding();
    }

    private void take(Budget budget, @Nullable Budget before, boolean running) {
        String kind = BudgetState.kind(budget);
        @Nullable Counter counter = counters.get(budget.id());
        if (counter == null || !counter.kind().equals(kind)) {
            counters.put(budget.id(), new Counter(UUID.randomUUID().toString(), kind, 0));
            decided.remove(budget.id());
            fresh = true;
        }
        BudgetTerms after = BudgetTerms.of(budget);
        Optional<BudgetTerms> knew =
                before == null || !before.shared() ? Optional.empty() : Optional.of(BudgetTerms.of(before));
        if (running && !knew.equals(Optional.of(after))) {
            ShareExchange.@Nullable Decided holds = decided.get(budget.id());
            @Nullable BudgetTerms terms = live.get(budget.id());
            if (terms == null && holds != null && !holds.removed()) {
                terms = holds.terms();
            }
            live.put(budget.id(), terms == null ? after : terms.changed(knew, after));
        }
    }

    private static Map<String, Budget> byId(Collection<Budget> budgets) {
        Map<String, Budget> all = new HashMap<>();
        budgets.forEach(budget -> all.put(budget.id(), budget));
        return all;
    }

    /** All budgets as they hold. */
    List<Budget> holding() {
        List<Budget> holding = new ArrayList<>(defined.size());
        for (Budget budget : defined) {
            ShareExchange.@Nullable Decided terms = budget.shared() ? decided.get(budget.id()) : null;
            @Nullable BudgetTerms here = budget.shared() ? live.get(budget.id()) : null;
            if (here != null) {
                holding.add(budget.with(here));
            } else if (terms == null) {
                holding.add(budget);
            } else if (!terms.removed()) {
                holding.add(budget.with(terms.terms()));
            }
        }
        return holding;
    }

    /** Names of counters, for a restart. */
    Map<String, Counter> counters() {
        return Map.copyOf(counters);
    }

    /** Names that counters had in an earlier run. */
    void restore(Map<String, Counter> earlier) {
        fresh = false;
        counters.replaceAll((id, counter) -> {
            @Nullable Counter before = earlier.get(id);
            if (before != null && before.kind().equals(counter.kind())) {
                return before;
            }
            fresh = true;
            return counter;
        });
    }

    /** Whether a name was given that a restart would not know. */
    boolean fresh() {
        return fresh;
    }

    void kept() {
        fresh = false;
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
        share.key().or(() -> key(account)).ifPresent(key -> end(share, key, charged));
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

    /** How it is told; empty where it cannot be yet. */
    private Optional<ShareExchange.Key> key(BudgetAccount account) {
        @Nullable Counter counter = counters.get(account.budget.id());
        return counter == null || counter.generation() == 0
                ? Optional.empty()
                : Optional.of(new ShareExchange.Key(
                        account.budget.id(),
                        counter.kind(),
                        counter.generation(),
                        account.subject,
                        account.window,
                        counter.name()));
    }

    // ---- exchanges ----

    /** Whether the database has any part in this. */
    boolean any() {
        return !counters.isEmpty() || !ended.isEmpty() || !withdrawn.isEmpty();
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
        offered = defined;
        boolean writes = asks.stream().anyMatch(ask -> ask.what() != ShareExchange.What.LOOKS);
        return Optional.of(new ShareExchange(
                prepared,
                now,
                told ? List.of() : offers(),
                told ? List.of() : List.copyOf(withdrawn),
                seen,
                leased,
                !heard,
                writes || holdsAny() && validUntil - now < leaseMicros / 2,
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
            Optional<ShareExchange.Ask> ask = key(account).flatMap(key -> share.ask(key, ending, now));
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

    private List<ShareExchange.Offer> offers() {
        return defined.stream()
                .filter(Budget::shared)
                .map(budget -> new ShareExchange.Offer(
                        budget.id(), BudgetState.kind(budget), BudgetTerms.of(budget), live.containsKey(budget.id())))
                .toList();
    }

    /** It could not be done, or nobody knows whether it was. */
    void failed(ShareExchange exchange) {
        failed = exchange.number();
        asked.stream().filter(account -> account.share != null).forEach(due::add);
    }

    /**
     * The database has answered.
     *
     * @return whether which budgets there are, or what holds of them, has changed
     */
    boolean answered(ShareExchange exchange, ShareExchange.Reply reply, BudgetIndex index, long now) {
        answered = exchange.number();
        if (exchange.renews()) {
            validUntil = exchange.prepared() + leaseMicros - leaseMicros / MARGIN;
        }
        leased = reply.leased();
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
        if (reply.lapsed()) {
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
        if (reply.anew() || !known) {
            begin();
            return false;
        }
        if (offered == defined) {
            told = true;
            withdrawn.clear();
            live.clear();
        }
        if (!heard || !due.isEmpty()) {
            wake();
        }
        seen = reply.version();
        heard = true;
        boolean changed = false;
        for (ShareExchange.Decided each : reply.decided()) {
            changed |= decide(each, index);
        }
        reply.held().forEach(held -> held(held, index, now));
        return changed;
    }

    /** The database is another one, or was put back: it is told everything again. */
    private void begin() {
        LOG.warn("the ledger's database does not know of budgets that it knew; it is told of them again");
        seen = 0;
        heard = false;
        told = false;
        decided.clear();
        counters.replaceAll((id, counter) -> new Counter(counter.name(), counter.kind(), 0));
        members.forEach(account -> Objects.requireNonNull(account.share).forgotten());
        wake();
    }

    private boolean decide(ShareExchange.Decided each, BudgetIndex index) {
        @Nullable Counter counter = counters.get(each.budget());
        if (counter == null || !counter.kind().equals(each.kind())) {
            return false;
        }
        if (counter.generation() != each.generation()) {
            if (counter.generation() != 0) {
                index.forget(each.budget()); // it was removed and made again: it begins with nothing spent
            }
            counters.put(each.budget(), new Counter(counter.name(), counter.kind(), each.generation()));
        }
        ShareExchange.@Nullable Decided before = decided.put(each.budget(), each);
        if (each.removed()) {
            LOG.warn("the shared budget '{}' was removed on server {}: it holds no more", each.budget(), each.by());
        } else if (before == null || !before.terms().equals(each.terms())) {
            LOG.info("of the shared budget '{}' holds what was decided on server {}", each.budget(), each.by());
        }
        due.addAll(members);
        wake();
        return true;
    }

    /** What an earlier run was allotted and has not spent goes back, or is spent; what was undone is told. */
    private void held(ShareExchange.Held held, BudgetIndex index, long now) {
        @Nullable Counter counter = counters.get(held.key().budget());
        Optional<Budget> budget = index.definition(held.key().budget());
        if (counter == null
                || budget.isEmpty()
                || !counter.name().equals(held.key().counter())
                || counter.generation() != held.key().generation()) {
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

    /** Whether anything is allotted that is not spent. */
    boolean holdsAny() {
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
