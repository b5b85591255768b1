package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Which budgets there are, and their counters. Guarded by the lock of {@link Budgets}. */
final class BudgetIndex {

    /** Names a counter. */
    record Key(String budget, String subject) {}

    /** Names a task. */
    record TaskKey(String tenant, String task) {}

    private static final Comparator<Budget> ORDER =
            Comparator.comparing(Budget::level).thenComparing(Budget::id);

    private final int most;
    private final BudgetShares shares;
    private Map<String, Budget> budgets = Map.of();
    private Map<String, List<Budget>> byTenant = Map.of();
    private List<Budget> ofAny = List.of();
    private final Map<TaskKey, List<Budget>> ofTasks = new LinkedHashMap<>();
    private final Map<Key, BudgetAccount> accounts = new HashMap<>();

    /**
     * @param most counters at a time
     * @param shares of counters that servers share
     */
    BudgetIndex(int most, BudgetShares shares) {
        this.most = most;
        this.shares = shares;
    }

    /** Replaces all definitions but those of tasks; counters of budgets that are still there stay. */
    void define(Collection<Budget> definitions, Collection<BudgetHold> open, long now) {
        Map<String, Budget> all = new LinkedHashMap<>();
        Map<String, List<Budget>> tenants = new HashMap<>();
        List<Budget> any = new ArrayList<>();
        for (Budget budget : definitions.stream().sorted(ORDER).toList()) {
            if (all.put(budget.id(), budget) != null) {
                throw new AccountingException(
                        "there are two budgets '%s'; give each an id of its own".formatted(budget.id()));
            }
            if (budget.tenant().equals(Budget.ANY)) {
                any.add(budget);
            } else {
                tenants.computeIfAbsent(budget.tenant(), t -> new ArrayList<>()).add(budget);
            }
        }
        budgets = all;
        byTenant = tenants;
        ofAny = any;
        for (Iterator<Map.Entry<Key, BudgetAccount>> i = accounts.entrySet().iterator(); i.hasNext(); ) {
            BudgetAccount account = i.next().getValue();
            if (isOfTask(account.budget)) {
                continue;
            }
            @Nullable Budget after = budgets.get(account.budget.id());
            if (after != null && account.fits(after)) {
                define(account, after, now);
            } else {
                remove(account);
                i.remove();
            }
        }
        open.forEach(hold -> defineOwn(hold, now));
    }

    private void define(BudgetAccount account, Budget after, long now) {
        if (account.budget.shared() && !after.shared()) {
            shares.leave(account);
        }
        boolean joins = after.shared() && account.share == null;
        account.define(after, now);
        if (joins) {
            shares.join(account);
            account.limitLive(now);
        }
    }

    private void remove(BudgetAccount account) {
        shares.leave(account);
        account.removed = true;
        account.liveLimit = Long.MAX_VALUE;
    }

    /** The counters of a budget count no more; it begins anew. */
    void forget(String budget) {
        accounts.values().removeIf(account -> {
            boolean of = account.budget.id().equals(budget);
            if (of) {
                remove(account);
            }
            return of;
        });
    }

    /** Counters of one request each are in no map; the requests have them. */
    private void defineOwn(BudgetHold hold, long now) {
        for (BudgetAccount account : hold.accounts) {
            boolean configured = account.budget.level() == Budget.Level.REQUEST
                    && !account.budget.id().startsWith(REQUEST);
            if (configured) {
                @Nullable Budget after = budgets.get(account.budget.id());
                if (after != null && account.fits(after)) {
                    account.define(after, now);
                } else {
                    account.removed = true;
                    account.liveLimit = Long.MAX_VALUE;
                }
            }
        }
    }

    private static boolean isOfTask(Budget budget) {
        return budget.id().startsWith(TASK);
    }

    /** How ids of budgets begin that a task brought with it; others may not. */
    static final String TASK = "task/";
    /** How ids of budgets begin that a request brought with it. */
    static final String REQUEST = "request/";

    /** A task brings budgets of its own. */
    void openTask(TaskKey task, List<Budget> limits) {
        if (!limits.isEmpty()) {
            ofTasks.put(task, List.copyOf(limits));
        }
    }

    /** Forgets a task's budgets, but for requests under way, which they still bind. */
    void endTask(TaskKey task) {
        for (Budget budget : ofTask(task)) {
            Key key = new Key(budget.id(), subject(budget, new Payer(task.tenant(), "", ""), task.task(), ""));
            BudgetAccount account = accounts.get(key);
            if (account != null) {
                account.ended = true;
                if (unused(account)) {
                    accounts.remove(key);
                }
            }
        }
        ofTasks.remove(task);
    }

    /** Budgets with a counter of the task, whichever key's requests it counts. */
    private List<Budget> ofTask(TaskKey task) {
        List<Budget> found = new ArrayList<>(ofTasks.getOrDefault(task, List.of()));
        for (List<Budget> definitions : List.of(ofAny, byTenant.getOrDefault(task.tenant(), List.of()))) {
            definitions.stream()
                    .filter(budget -> budget.level() == Budget.Level.TASK)
                    .forEach(found::add);
        }
        return found;
    }

    private static boolean unused(BudgetAccount account) {
        return account.holds.isEmpty()
                && account.awaited == 0
                && account.reservedForSteps == 0
                && (account.share == null || account.share.settled(account.used()));
    }

    Map<TaskKey, List<Budget>> tasks() {
        return ofTasks;
    }

    Collection<Budget> definitions() {
        return budgets.values();
    }

    Optional<Budget> definition(String id) {
        return Optional.ofNullable(budgets.get(id));
    }

    Collection<BudgetAccount> accounts() {
        return accounts.values();
    }

    Optional<BudgetAccount> account(String budget, String subject) {
        return Optional.ofNullable(accounts.get(new Key(budget, subject)));
    }

    /** Puts back a counter of an earlier run. */
    void put(BudgetAccount account) {
        accounts.put(new Key(account.budget.id(), account.subject), account);
    }

    /** Budgets above a request, from the tenant's down, those of a level by id: the order in which they are charged. */
    List<Budget> above(Payer payer, String task) {
        List<Budget> above = new ArrayList<>();
        for (Budget budget : ofAny) {
            if (holds(budget, payer, task)) {
                above.add(budget);
            }
        }
        for (Budget budget : byTenant.getOrDefault(payer.tenant(), List.of())) {
            if (holds(budget, payer, task)) {
                above.add(budget);
            }
        }
        if (!task.isEmpty()) {
            above.addAll(ofTasks.getOrDefault(new TaskKey(payer.tenant(), task), List.of()));
        }
        above.sort(ORDER);
        return above;
    }

    private static boolean holds(Budget budget, Payer payer, String task) {
        return switch (budget.level()) {
            case TENANT -> true;
            case PROJECT -> !payer.project().isEmpty() && fits(budget.project(), payer.project());
            case KEY -> !payer.key().isEmpty() && below(budget, payer);
            case TASK -> !task.isEmpty() && below(budget, payer);
            case REQUEST -> below(budget, payer);
        };
    }

    private static boolean below(Budget budget, Payer payer) {
        return fits(budget.project(), payer.project()) && fits(budget.key(), payer.key());
    }

    private static boolean fits(String pattern, String name) {
        return pattern.equals(Budget.ANY) || pattern.equals(name);
    }

    /** Whose counter it is. */
    static String subject(Budget budget, Payer payer, String task, String request) {
        return switch (budget.level()) {
            case TENANT -> payer.tenant();
            case PROJECT -> payer.tenant() + "/" + payer.project();
            case KEY -> payer.tenant() + "/" + payer.key();
            case TASK -> payer.tenant() + "/" + task;
            case REQUEST -> request;
        };
    }

    /**
     * The counters of budgets, made where there are none.
     *
     * @throws AccountingException where there are too many
     */
    List<BudgetAccount> accounts(List<Budget> above, Fact.Opened opened, long now) {
        makeRoom(above.size(), now);
        List<BudgetAccount> found = new ArrayList<>(above.size());
        for (Budget budget : above) {
            if (budget.unit() == BudgetUnit.TOOL_CALLS) {
                continue; // requests make none
            }
            String subject = subject(budget, opened.payer(), opened.tags().task(), opened.request());
            found.add(account(budget, subject, now));
        }
        return found;
    }

    /**
     * Forgets counters that say nothing where so many more do not fit; before any is taken, or it could be one of them.
     */
    void makeRoom(int more, long now) {
        if (accounts.size() + more > most) {
            sweep(now);
        }
    }

    /** Whether one more counter may be made. */
    boolean hasRoom() {
        return accounts.size() < most;
    }

    /** The counter of one budget. */
    BudgetAccount account(Budget budget, String subject, long now) {
        if (budget.level() == Budget.Level.REQUEST) {
            return new BudgetAccount(budget, subject, now); // nobody else's
        }
        Key key = new Key(budget.id(), subject);
        BudgetAccount account = accounts.get(key);
        if (account != null && account.ended && unused(account)) {
            accounts.remove(key); // of a task that ended: another one has its name now
            account = null;
        }
        if (account == null) {
            if (accounts.size() >= most) {
                throw new AccountingException(
                        ("there are %d counters of budgets, the most that are kept; end tasks that are done, define fewer"
                                        + " budgets of each key or task, or raise the bound")
                                .formatted(most));
            }
            account = made(budget, subject, now);
            accounts.put(key, account);
        }
        account.roll(now);
        return account;
    }

    /** A counter that is in no map yet. */
    BudgetAccount made(Budget budget, String subject, long now) {
        BudgetAccount account = new BudgetAccount(budget, subject, now);
        if (budget.shared()) {
            shares.join(account);
            account.limitLive(now);
        }
        return account;
    }

    /** What is shared. */
    BudgetShares shares() {
        return shares;
    }

    /** Takes a request's counters again where they were forgotten since they were found. */
    void keep(BudgetHold hold, long now) {
        for (int i = 0; i < hold.accounts.length; i++) {
            BudgetAccount account = hold.accounts[i];
            if (account.budget.level() != Budget.Level.REQUEST && !account.removed) {
                BudgetAccount kept = accounts.putIfAbsent(new Key(account.budget.id(), account.subject), account);
                hold.accounts[i] = kept == null ? account : kept;
                if (kept == null && account.budget.shared() && account.share == null) {
                    shares.join(account);
                }
            }
            hold.accounts[i].roll(now);
        }
    }

    /**
     * Forgets counters that say nothing: of a window that is over, of which nothing was spent, or of a task that ended.
     */
    void sweep(long now) {
        accounts.values().removeIf(account -> {
            boolean says = account.prepaid() || now < account.window.to() && account.used() != 0;
            boolean goes = unused(account) && (account.ended || !says);
            if (goes) {
                shares.leave(account);
            }
            return goes;
        });
    }
}
