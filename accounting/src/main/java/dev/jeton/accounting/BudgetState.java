package dev.jeton.accounting;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * All that budgets know at one of the journal's facts, as bytes: which budgets there were, their counters, tasks' own
 * budgets, and the requests under way with what they are charged.
 *
 * @param at when it was taken, microseconds since 1970
 * @param known ids of the budgets that there were: of others nothing was counted before
 * @param tasks budgets that tasks brought along
 * @param accounts counters, those of requests' own budgets left out
 * @param holds requests under way
 * @param steps of tasks that are reserved
 * @param shared names of counters of budgets that servers share, by budget
 */
record BudgetState(
        long at,
        List<String> known,
        Map<BudgetIndex.TaskKey, List<Budget>> tasks,
        List<Counter> accounts,
        List<Open> holds,
        List<Step> steps,
        Map<String, SharedDefinitions.Counter> shared) {

    /** A counter, with what tells whether a definition of today is still the same budget's. */
    record Counter(
            BudgetIndex.Key key,
            String kind,
            long from,
            long charged,
            long live,
            int told,
            boolean forecastTold,
            long takenOfLimit,
            long debt,
            Map<String, Long> taken) {}

    /** A request under way. */
    record Open(Fact.Opened opened, long granted, long confirmed, List<Charge> charges) {}

    /** A step that is reserved, with what is charged for it. */
    record Step(StepHold.Key key, List<Charge> charges) {}

    /** What a request under way or a step is charged to a counter. */
    record Charge(BudgetIndex.Key key, long charged, long base) {}

    /** Where nothing is shared: what earlier versions read, too. */
    private static final int PLAIN = 1;

    private static final int VERSION = 2;
    private static final int MOST = 10_000_000;

    /** What a definition must not change so that what was counted still holds. */
    static String kind(Budget budget) {
        return "%s %s %s %s %s"
                .formatted(
                        budget.unit(),
                        budget.window().kind(),
                        budget.window().zone(),
                        budget.level(),
                        budget.currency());
    }

    /** Copies what there is; called with the budgets' lock. */
    static BudgetState of(BudgetIndex index, Collection<BudgetHold> open, StepHolds reserved, long now) {
        List<Counter> counters = new ArrayList<>();
        for (BudgetAccount a : index.accounts()) {
            counters.add(new Counter(
                    new BudgetIndex.Key(a.budget.id(), a.subject),
                    kind(a.budget),
                    a.window.from(),
                    a.charged,
                    a.live.get(),
                    a.told,
                    a.forecastTold,
                    a.takenOfLimit,
                    a.debt,
                    Map.copyOf(a.taken)));
        }
        List<Open> holds = new ArrayList<>();
        for (BudgetHold hold : open) {
            List<Charge> charges = new ArrayList<>();
            for (int i = 0; i < hold.accounts.length; i++) {
                BudgetAccount account = hold.accounts[i];
                if (account.budget.level() != Budget.Level.REQUEST && !account.removed) {
                    charges.add(new Charge(
                            new BudgetIndex.Key(account.budget.id(), account.subject), hold.charged[i], hold.base[i]));
                }
            }
            holds.add(new Open(hold.opened, hold.granted, hold.confirmed, charges));
        }
        List<Step> steps = new ArrayList<>();
        reserved.all()
                .forEach((key, hold) -> steps.add(new Step(
                        key,
                        hold.charges().stream()
                                .map(charge -> new Charge(
                                        new BudgetIndex.Key(
                                                charge.account().budget.id(), charge.account().subject),
                                        charge.amount(),
                                        0))
                                .toList())));
        List<String> known = index.definitions().stream().map(Budget::id).toList();
        return new BudgetState(
                now,
                known,
                new LinkedHashMap<>(index.tasks()),
                counters,
                holds,
                steps,
                index.shares().definitions.counters());
    }

    // ---- as bytes ----

    byte[] encode() {
        WireWriter out = new WireWriter(1 << 28);
        out.octet(shared.isEmpty() ? PLAIN : VERSION);
        out.number(at);
        out.count("budgets", known.size(), MOST);
        known.forEach(id -> name(out, id));
        out.count("tasks", tasks.size(), MOST);
        tasks.forEach((task, budgets) -> {
            name(out, task.tenant());
            name(out, task.task());
            out.count("budgets of a task", budgets.size(), MOST);
            for (Budget budget : budgets) {
                out.octet(budget.unit().ordinal());
                out.number(budget.limit());
                name(out, budget.currency());
            }
        });
        out.count("counters", accounts.size(), MOST);
        accounts.forEach(counter -> counter(out, counter));
        out.count("requests under way", holds.size(), MOST);
        for (Open hold : holds) {
            byte[] opened = FactCodec.encode(hold.opened());
            out.bytes(opened);
            out.number(hold.granted());
            out.number(hold.confirmed());
            charges(out, hold.charges());
        }
        out.count("steps", steps.size(), MOST);
        for (Step step : steps) {
            name(out, step.key().tenant());
            name(out, step.key().task());
            name(out, step.key().step());
            charges(out, step.charges());
        }
        if (!shared.isEmpty()) {
            out.count("shared budgets", shared.size(), MOST);
            shared.forEach((budget, counter) -> {
                name(out, budget);
                name(out, counter.name());
                name(out, counter.kind());
                out.number(counter.generation());
            });
        }
        return out.toBytes();
    }

    private static void charges(WireWriter out, List<Charge> charges) {
        out.count("charges", charges.size(), MOST);
        for (Charge charge : charges) {
            key(out, charge.key());
            out.number(charge.charged());
            out.number(charge.base());
        }
    }

    private static void counter(WireWriter out, Counter counter) {
        key(out, counter.key());
        name(out, counter.kind());
        out.number(counter.from());
        out.number(counter.charged());
        out.number(counter.live());
        out.number(counter.told());
        out.octet(counter.forecastTold() ? 1 : 0);
        out.number(counter.takenOfLimit());
        out.number(counter.debt());
        out.count("top-ups", counter.taken().size(), MOST);
        counter.taken().forEach((id, amount) -> {
            name(out, id);
            out.number(amount);
        });
    }

    private static void key(WireWriter out, BudgetIndex.Key key) {
        name(out, key.budget());
        out.text("a subject", key.subject(), 3 * Fact.MAX_NAME);
    }

    private static void name(WireWriter out, String name) {
        out.text("a name", name, 2 * Fact.MAX_NAME);
    }

    /** @throws AccountingException if they are not what this version writes */
    static BudgetState decode(byte[] bytes) {
        WireReader in = new WireReader(ByteBuffer.wrap(bytes));
        int version = in.octet();
        if (version != PLAIN && version != VERSION) {
            throw new AccountingException(
                    "the budgets' state has version %d, this program knows %d; start the version that wrote it"
                            .formatted(version, VERSION));
        }
        long at = in.number();
        List<String> known = new ArrayList<>();
        for (int i = in.count(MOST); i > 0; i--) {
            known.add(name(in));
        }
        Map<BudgetIndex.TaskKey, List<Budget>> tasks = new LinkedHashMap<>();
        for (int i = in.count(MOST); i > 0; i--) {
            BudgetIndex.TaskKey task = new BudgetIndex.TaskKey(name(in), name(in));
            List<Budget> budgets = new ArrayList<>();
            for (int j = in.count(MOST); j > 0; j--) {
                budgets.add(Budget.ofTask(
                        task.tenant(), task.task(), in.constant(BudgetUnit.values()), in.number(), name(in)));
            }
            tasks.put(task, budgets);
        }
        List<Counter> counters = new ArrayList<>();
        for (int i = in.count(MOST); i > 0; i--) {
            counters.add(counter(in));
        }
        List<Open> holds = new ArrayList<>();
        for (int i = in.count(MOST); i > 0; i--) {
            Fact.Opened opened = (Fact.Opened) FactCodec.decode(ByteBuffer.wrap(in.bytes(FactCodec.MAX_BYTES)));
            long granted = in.number();
            long confirmed = in.number();
            holds.add(new Open(opened, granted, confirmed, charges(in)));
        }
        List<Step> steps = new ArrayList<>();
        for (int i = in.count(MOST); i > 0; i--) {
            steps.add(new Step(new StepHold.Key(name(in), name(in), name(in)), charges(in)));
        }
        Map<String, SharedDefinitions.Counter> shared = new HashMap<>();
        for (int i = version == PLAIN ? 0 : in.count(MOST); i > 0; i--) {
            shared.put(name(in), new SharedDefinitions.Counter(name(in), name(in), in.number()));
        }
        in.end();
        return new BudgetState(at, known, tasks, counters, holds, steps, shared);
    }

    private static List<Charge> charges(WireReader in) {
        List<Charge> charges = new ArrayList<>();
        for (int j = in.count(MOST); j > 0; j--) {
            charges.add(new Charge(key(in), in.number(), in.number()));
        }
        return charges;
    }

    private static Counter counter(WireReader in) {
        BudgetIndex.Key key = key(in);
        String kind = name(in);
        long from = in.number();
        long charged = in.number();
        long live = in.number();
        int told = in.small();
        boolean forecastTold = in.flag();
        long takenOfLimit = in.number();
        long debt = in.number();
        Map<String, Long> taken = new HashMap<>();
        for (int i = in.count(MOST); i > 0; i--) {
            taken.put(name(in), in.number());
        }
        return new Counter(key, kind, from, charged, live, told, forecastTold, takenOfLimit, debt, taken);
    }

    private static BudgetIndex.Key key(WireReader in) {
        return new BudgetIndex.Key(name(in), in.text(3 * Fact.MAX_NAME));
    }

    private static String name(WireReader in) {
        return in.text(2 * Fact.MAX_NAME);
    }
}
