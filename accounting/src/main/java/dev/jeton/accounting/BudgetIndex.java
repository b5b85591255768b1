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
    private Map<String, Budget> budgets = Map.of();
    private Map<String, List<Budget>> byTenant = Map.of();
    private List<Budget> ofAny = List.of();
    private final Map<TaskKey, List<Budget>> ofTasks = new LinkedHashMap<>();
    private final Map<Key, BudgetAccount> accounts = new HashMap<>();

    /** @param most counters at a time */
    BudgetIndex(int most) {
        this.most = most;
    }

    /** Replaces all definitions but those of tasks; counters of budgets that are still there stay. */
    void define(Collection<Budget> definitions, long now) {
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
                account.define(after, now);
            } else {
                account.removed = true;
                account.liveLimit = Long.MAX_VALUE;
                i.remove();
            }
        }
    }

    private static boolean isOfTask(Budget budget) {
        return budget.id().startsWith(TASK);
    }

    /** How ids of budgets begin that a task brought with it; others may not. */
    static final String TASK = "task/";

    /** A task brings budgets of its own. */
    void openTask(TaskKey task, List<Budget> limits) {
        if (!limits.isEmpty()) {
            ofTasks.put(task, List.copyOf(limits));
        }
    }

    /** Forgets a task's budgets, but for requests under way, which they still bind. */
    void endTask(TaskKey task) {
        for (Budget budget : ofTasks.getOrDefault(task, List.of())) {
            accounts.remove(new Key(budget.id(), subject(budget, task)));
        }
        ofTasks.remove(task);
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

    private static String subject(Budget budget, TaskKey task) {
        return subject(budget, new Payer(task.tenant(), "", ""), task.task(), "");
    }

    /**
     * The counters of budgets, made where there are none.
     *
     * @throws AccountingException where there are too many
     */
    List<BudgetAccount> accounts(List<Budget> above, Fact.Opened opened, long now) {
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

    /** The counter of one budget. */
    BudgetAccount account(Budget budget, String subject, long now) {
        if (budget.level() == Budget.Level.REQUEST) {
            return new BudgetAccount(budget, subject, now); // nobody else's
        }
        Key key = new Key(budget.id(), subject);
        BudgetAccount account = accounts.get(key);
        if (account == null) {
            if (accounts.size() >= most) {
                sweep(now);
            }
            if (accounts.size() >= most) {
                throw new AccountingException(
                        ("there are %d counters of budgets, the most that are kept; end tasks that are done, define fewer"
                                        + " budgets of each key or task, or raise the bound")
                                .formatted(most));
            }
            account = new BudgetAccount(budget, subject, now);
            accounts.put(key, account);
        }
        return account;
    }

    /** Forgets counters that say nothing: of a window that is over, or of which nothing was spent. */
    void sweep(long now) {
        accounts.values()
                .removeIf(account -> account.holds.isEmpty()
                        && !account.prepaid()
                        && (now >= account.window.to() || account.used() == 0));
    }
}
