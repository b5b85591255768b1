package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which budgets this server shares, what holds of them, and under which names it tells of them. Guarded by the lock of
 * {@link Budgets}.
 *
 * <p><b>Terms</b> (limit, mode, kill switch, grace, top-ups) are those that were decided last, on any server. A change
 * here holds here at once, elsewhere at the next exchange.
 *
 * <p><b>Counters have names.</b> What this server has charged is told as a total, under the name of its counter, so
 * that being told twice is being told once. The name goes with the copy of the state beside the journal: who has lost
 * that counts from nothing under another one.
 */
final class SharedDefinitions {

    private static final int MOST_WARNED = 1_000;
    private static final Logger LOG = LoggerFactory.getLogger(SharedDefinitions.class);

    /**
     * Under which name a budget's counters are told.
     *
     * @param kind what it counts, as {@link BudgetState#kind}
     * @param generation of the budget in which it counts; 0 where the database was not heard yet
     */
    record Counter(String name, String kind, long generation) {}

    /** As this server defines them. */
    private List<Budget> defined = List.of();

    private final Map<String, ShareExchange.Decided> decided = new HashMap<>();
    private final Map<String, Counter> counters = new LinkedHashMap<>();
    /** Decided here and not told yet: what holds here until it is. */
    private final Map<String, BudgetTerms> live = new HashMap<>();

    private final Set<ShareExchange.Withdrawn> withdrawn = new LinkedHashSet<>();
    /** Whether the database knows all of it. */
    private boolean told;
    /** The definitions that are being told. */
    private List<Budget> offered = List.of();
    /** Version of the database's terms that was heard last. */
    private long seen;

    private boolean heard;
    private boolean fresh;
    /** What other servers define in another way. */
    private List<ShareExchange.Differing> differing = List.of();

    /** What was warned of: servers come and go, and it is no news each time. */
    private final Set<ShareExchange.Differing> warned = new HashSet<>();

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

    /** All budgets as they hold, also those that are not shared. */
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

    // ---- names ----

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

    /** How a counter is told; empty where it cannot be yet. */
    Optional<ShareExchange.Key> key(BudgetAccount account) {
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

    /** Whether a counter that the database has is one of this run. */
    boolean has(ShareExchange.Key key) {
        @Nullable Counter counter = counters.get(key.budget());
        return counter != null && counter.name().equals(key.counter()) && counter.generation() == key.generation();
    }

    // ---- exchanges ----

    /** Whether the database has any part in this. */
    boolean any() {
        return !counters.isEmpty() || !withdrawn.isEmpty();
    }

    /** What is to be told of the server's own definitions; empty where it was. */
    List<ShareExchange.Offer> offers() {
        offered = defined;
        return told
                ? List.of()
                : defined.stream()
                        .filter(Budget::shared)
                        .map(budget -> new ShareExchange.Offer(
                                budget.id(),
                                BudgetState.kind(budget),
                                BudgetTerms.of(budget),
                                live.containsKey(budget.id())))
                        .toList();
    }

    /** Budgets that were removed on this server, where that is to be told. */
    List<ShareExchange.Withdrawn> withdrawn() {
        return told ? List.of() : List.copyOf(withdrawn);
    }

    /** Version of the terms that was heard last. */
    long seen() {
        return seen;
    }

    /** Whether this process has heard anything yet. */
    boolean heard() {
        return heard;
    }

    /**
     * The database knows what it was told, and says what has changed.
     *
     * @param index forgets counters of budgets that were made again
     * @return whether something else holds now
     */
    boolean answered(ShareExchange.Reply reply, BudgetIndex index) {
        if (offered == defined) {
            told = true;
            withdrawn.clear();
            live.clear();
        }
        seen = reply.version();
        heard = true;
        reply.differing().ifPresent(this::compare);
        boolean changed = false;
        for (ShareExchange.Decided each : reply.decided()) {
            changed |= decide(each, index);
        }
        return changed;
    }

    private void compare(List<ShareExchange.Differing> now) {
        if (warned.size() > MOST_WARNED) {
            warned.clear();
        }
        for (ShareExchange.Differing each : now) {
            if (warned.add(each)) {
                LOG.warn(
                        "the shared budget '{}' counts '{}' here and '{}' on server {}: these are two budgets, and each"
                                + " has its limit; define it with the same level, unit, window, timezone and currency",
                        each.budget(),
                        each.kind(),
                        each.kindThere(),
                        each.node());
            }
        }
        differing = now;
    }

    /** How many budgets other servers define as another kind. */
    int differing() {
        return (int) differing.stream()
                .map(ShareExchange.Differing::budget)
                .distinct()
                .count();
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
        return true;
    }

    /** The database is another one, or was put back: it is told everything again. */
    void begin() {
        seen = 0;
        heard = false;
        told = false;
        decided.clear();
        counters.replaceAll((id, counter) -> new Counter(counter.name(), counter.kind(), 0));
    }
}
