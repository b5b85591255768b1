package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * Brings budgets to where they were when the process ended: from a copy of their state, and the facts after it. Used
 * before anything else uses the budgets.
 *
 * <p>Tokens that were granted and not computed when the process died are counted as spent: they may have been
 * delivered, and a limit must hold; list money is what the policy bills. Nothing stays reserved, since every request
 * that was under way is ended at the start.
 */
final class BudgetReplay {

    private final BudgetIndex index;
    private final Map<String, BudgetHold> holds;
    private final Function<String, PriceBook> books;
    private final Tasks tasks;
    private final StepHolds steps;
    /**
     * Requests of the copy: of the window of device time that was under way then, a part is in their counters already.
     */
    private final Set<String> copied = new HashSet<>();
    /** When the process was last known to live. */
    private long lived;

    private final Set<String> known = new HashSet<>();
    /** All requests that were seen, ended or not: their device time may come after their end. */
    private final Map<String, BudgetHold> seen = new HashMap<>();

    private final long at;

    /**
     * Puts back what a copy has, as far as there are still such budgets.
     *
     * @param tasks as they were then; each fact is handed on to them
     * @param books price books by version
     */
    BudgetReplay(
            BudgetIndex index,
            Map<String, BudgetHold> holds,
            StepHolds steps,
            BudgetState state,
            Tasks tasks,
            Function<String, PriceBook> books) {
        this.tasks = tasks;
        this.steps = steps;
        this.index = index;
        this.holds = holds;
        this.books = books;
        at = state.at();
        index.shares().definitions.restore(state.shared());
        known.addAll(state.known());
        state.tasks().forEach(index::openTask);
        for (BudgetState.Counter counter : state.accounts()) {
            put(counter);
        }
        for (BudgetState.Open open : state.holds()) {
            put(open);
            copied.add(open.opened().request());
        }
        for (BudgetState.Step step : state.steps()) {
            List<StepHold.Charge> charges = new ArrayList<>();
            step.charges()
                    .forEach(charge -> index.account(
                                    charge.key().budget(), charge.key().subject())
                            .ifPresent(account -> charges.add(new StepHold.Charge(account, charge.charged()))));
            steps.put(step.key(), new StepHold(charges));
        }
        lived = at;
    }

    /** All facts were seen: time that passed since the last one is nobody's. */
    void end() {
        holds.values().forEach(hold -> hold.died = lived);
    }

    private void put(BudgetState.Counter counter) {
        for (Budget budget : candidates(counter.key())) {
            if (!BudgetState.kind(budget).equals(counter.kind())) {
                continue;
            }
            BudgetAccount account = index.made(budget, counter.key().subject(), counter.from());
            if (account.window.from() != counter.from()) {
                account.window = budget.window().at(at);
            }
            account.charged = counter.charged();
            account.live.set(counter.live());
            account.told = counter.told();
            account.forecastTold = counter.forecastTold();
            account.takenOfLimit = counter.takenOfLimit();
            account.debt = counter.debt();
            account.taken.putAll(counter.taken());
            account.settlePaid(at);
            account.limitLive(at);
            index.put(account);
        }
    }

    private List<Budget> candidates(BudgetIndex.Key key) {
        List<Budget> found = new ArrayList<>();
        index.definition(key.budget()).ifPresent(found::add);
        if (key.budget().startsWith(BudgetIndex.TASK) && key.budget().lastIndexOf('/') >= BudgetIndex.TASK.length()) {
            String task = key.budget()
                    .substring(BudgetIndex.TASK.length(), key.budget().lastIndexOf('/'));
            String tenant = key.subject().substring(0, Math.max(0, key.subject().length() - task.length() - 1));
            index.tasks().getOrDefault(new BudgetIndex.TaskKey(tenant, task), List.of()).stream()
                    .filter(budget -> budget.id().equals(key.budget()))
                    .forEach(found::add);
        }
        return found;
    }

    private void put(BudgetState.Open open) {
        List<BudgetAccount> accounts = new ArrayList<>();
        List<BudgetState.Charge> charges = new ArrayList<>();
        for (BudgetState.Charge charge : open.charges()) {
            index.account(charge.key().budget(), charge.key().subject()).ifPresent(account -> {
                accounts.add(account);
                charges.add(charge);
            });
        }
        BudgetHold hold = hold(open.opened(), accounts);
        for (int i = 0; i < charges.size(); i++) {
            hold.charged[i] = charges.get(i).charged();
            hold.base[i] = charges.get(i).base();
        }
        hold.granted = open.granted();
        hold.confirmed = open.confirmed();
        begin(hold);
    }

    private BudgetHold hold(Fact.Opened opened, List<BudgetAccount> accounts) {
        ListPricing pricing = new ListPricing(books.apply(opened.priceBook()));
        return new BudgetHold(
                opened,
                accounts,
                tokens -> pricing.dearest(
                        opened.model(), opened.payer().tenant(), opened.prompt(), tokens, opened.at(), opened.work()));
    }

    private void begin(BudgetHold hold) {
        if (!hold.empty()) {
            holds.put(hold.opened.request(), hold);
            seen.put(hold.opened.request(), hold);
            hold.enter();
        }
    }

    /** Takes the next fact after the copy. */
    void see(Fact fact) {
        roll(index.accounts(), fact.at());
        lived = Math.max(lived, fact.at());
        switch (fact) {
            case Fact.Opened f -> {
                List<Budget> above = index.above(f.payer(), f.tags().task()).stream()
                        .filter(budget -> budget.level() != Budget.Level.REQUEST)
                        .filter(budget ->
                                known.contains(budget.id()) || budget.id().startsWith(BudgetIndex.TASK))
                        .toList();
                BudgetHold hold = hold(f, index.accounts(above, f, f.at()));
                hold.charge(0, f.at());
                begin(hold);
            }
            case Fact.Granted f -> {
                BudgetHold hold = holds.get(f.request());
                if (hold != null) {
                    hold.charge(f.total(), f.at());
                    hold.confirmed = Math.max(hold.confirmed, f.confirmed());
                }
            }
            case Fact.Closed f -> {
                BudgetHold hold = holds.remove(f.request());
                if (hold != null) {
                    hold.settle(f, f.at());
                }
            }
            case Fact.Window f -> window(f);
            case Fact.Started f -> {}
            case Fact.Stopped f -> {}
            case Fact.Adopted f -> {}
            case Fact.PeriodClosed f -> {}
            case Fact.Recosted f -> {}
            case Fact.TaskOpened f ->
                index.openTask(
                        new BudgetIndex.TaskKey(f.payer().tenant(), f.task()), BudgetDefinitions.limits(f, currency()));
            case Fact.TaskStepped f -> steps.apply(f, tasks.ended(f), f.at(), this::counts);
            case Fact.TaskEnded f -> index.endTask(new BudgetIndex.TaskKey(f.tenant(), f.task()));
        }
        tasks.apply(fact);
    }

    /** A budget that is new since the copy counts nothing that was before. */
    private boolean counts(Budget budget) {
        return known.contains(budget.id()) || budget.id().startsWith(BudgetIndex.TASK);
    }

    private String currency() {
        return books.apply("").currency().getCurrencyCode();
    }

    private static void roll(Collection<BudgetAccount> accounts, long now) {
        accounts.forEach(account -> account.roll(now));
    }

    /** Of a window that was under way when the copy was made, the part after that. */
    private void window(Fact.Window window) {
        double part = window.from() >= at || window.at() <= window.from()
                ? 1
                : Math.max(0, (double) (window.at() - at) / (window.at() - window.from()));
        for (Line line : window.lines()) {
            BudgetHold hold = seen.get(line.request());
            if (hold != null) {
                long nanos = Math.round((copied.contains(line.request()) ? part : 1)
                        * (line.prefill() + line.decode() + line.cancelled()));
                for (BudgetAccount account : hold.accounts) {
                    if (account.measured() && !account.removed) {
                        account.live.addAndGet(nanos);
                    }
                }
            }
        }
    }
}
