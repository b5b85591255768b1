package dev.jeton.server.metrics;

import dev.jeton.accounting.Bookkeeper;
import dev.jeton.accounting.Budget;
import dev.jeton.accounting.BudgetStats;
import dev.jeton.accounting.BudgetView;
import dev.jeton.accounting.Payer;
import dev.jeton.accounting.ShareStats;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.ToDoubleFunction;

/**
 * How far budgets are. Of a budget with a counter for each key or task the fullest counts: whose it is, the API says.
 * Whoever can scrape must not learn of tenants what only they may know, so budgets of tenants that are no labels of
 * their own ({@code metrics.tenants}) are {@link CostMetrics#OTHER} together, by level, unit and window, and the
 * fullest of them counts. Tasks' own budgets are left out of the gauges, and counted together.
 */
final class BudgetMetrics {

    /** Most budgets with series of their own. */
    private static final int MOST = 1_000;
    /** How ids of tasks' own budgets begin, and how they are counted. */
    private static final String OF_TASKS = "task/";

    private static final String TASKS = "task";
    private static final double MICROS_PER_SECOND = 1e6;
    private static final double NANOS_PER_SECOND = 1e9;

    /** What a counter counts: name, budget's label, reason where there are several. */
    private record Counted(String name, String budget, String reason) {}

    /** A gauge's labels. */
    private record Series(String budget, String level, String unit, String window) {
        Tags tags() {
            return Tags.of("budget", budget, "level", level, "unit", unit, "window", window);
        }
    }

    private final MeterRegistry registry;
    private final Bookkeeper books;
    private final Set<String> tenants;
    private final MultiGauge used;
    private final MultiGauge reserved;
    private final MultiGauge forecast;
    private final MultiGauge allotted;
    /** Labels by id, also of budgets that are gone: their counts stay. */
    private final Map<String, String> labels = new HashMap<>();

    private final Set<Counted> registered = new HashSet<>();
    private volatile Map<Counted, Long> counts = Map.of();
    private volatile BudgetStats stats;
    private volatile ShareStats sharing;

    /** @param tenants ids of tenants that are labels of their own */
    BudgetMetrics(MeterRegistry registry, Bookkeeper books, Set<String> tenants) {
        this.registry = registry;
        this.books = books;
        this.tenants = Set.copyOf(tenants);
        stats = books.budgets().stats();
        sharing = books.sharing();
        allotted = gauge(
                "jeton.budget.allotted.ratio", "What this server may spend of a shared budget, of what all may spend");
        used = gauge("jeton.budget.used.ratio", "Spent and reserved of a budget, of what may be spent");
        reserved = gauge("jeton.budget.reserved.ratio", "Of that, what requests under way have reserved and not spent");
        forecast = gauge("jeton.budget.forecast.ratio", "What will be spent at the window's end as it goes of late");
        Gauge.builder("jeton.budget.waiting", this, m -> m.stats.waiting())
                .description("Requests that wait for what others have reserved of a budget")
                .register(registry);
        Gauge.builder("jeton.budget.counters", this, m -> m.stats.accounts())
                .description("Counters of budgets")
                .register(registry);
        shared();
    }

    private void shared() {
        Gauge.builder("jeton.budget.shared.counters", this, m -> m.sharing.counters())
                .description("Counters of budgets that servers share")
                .register(registry);
        Gauge.builder("jeton.budget.shared.differing", this, m -> m.sharing.differing())
                .description("Shared budgets that another server defines in another way, so that each has the limit")
                .register(registry);
        Gauge.builder("jeton.budget.lease.seconds", this, m -> m.sharing.leaseMicros() / MICROS_PER_SECOND)
                .description("For how long this server may spend shared budgets without the ledger's database")
                .register(registry);
        Gauge.builder("jeton.budget.unheard", this, m -> m.sharing.heard() ? 0 : 1)
                .description("1 while the ledger's database does not answer questions about shared budgets")
                .register(registry);
        FunctionCounter.builder("jeton.budget.exchanges", this, m -> m.sharing.exchanges())
                .description("Exchanges with the ledger's database about shared budgets")
                .tag("outcome", "answered")
                .register(registry);
        FunctionCounter.builder("jeton.budget.exchanges", this, m -> m.sharing.failures())
                .description("Exchanges with the ledger's database about shared budgets")
                .tag("outcome", "failed")
                .register(registry);
        FunctionCounter.builder("jeton.budget.exchange.seconds", this, m -> m.sharing.nanos() / NANOS_PER_SECOND)
                .description("Time that exchanges about shared budgets took")
                .register(registry);
    }

    private MultiGauge gauge(String name, String meaning) {
        return MultiGauge.builder(name).description(meaning).register(registry);
    }

    /** Looks at the budgets; one thread at a time. */
    synchronized void refresh() {
        stats = books.budgets().stats();
        sharing = books.sharing();
        books.budgets().definitions().forEach(budget -> labels.put(budget.id(), label(budget)));
        Map<Series, BudgetView> fullest = new LinkedHashMap<>();
        for (BudgetView view : books.budgets().views()) {
            Series series = series(view.budget());
            boolean wanted = !view.budget().id().startsWith(OF_TASKS);
            if (wanted && (fullest.size() < MOST || fullest.containsKey(series))) {
                fullest.merge(series, view, (a, b) -> a.usedRatio() >= b.usedRatio() ? a : b);
            }
        }
        used.register(rows(fullest, BudgetView::usedRatio), true);
        reserved.register(rows(fullest, BudgetView::reservedRatio), true);
        forecast.register(rows(fullest, BudgetView::forecastRatio), true);
        Map<Series, BudgetView> shared = new LinkedHashMap<>(fullest);
        shared.values().removeIf(view -> view.shared().isEmpty());
        allotted.register(rows(shared, BudgetMetrics::allottedRatio), true);
        count();
    }

    private String label(Budget budget) {
        boolean named = budget.tenant().equals(Budget.ANY)
                || budget.tenant().equals(Payer.NOBODY)
                || tenants.contains(budget.tenant());
        return named ? budget.id() : CostMetrics.OTHER;
    }

    private Series series(Budget budget) {
        return new Series(
                label(budget),
                budget.level().text(),
                budget.unit().text(),
                budget.window().kind().text());
    }

    private static double allottedRatio(BudgetView view) {
        long part = view.shared().map(BudgetView.Share::allotted).orElse(0L);
        return view.limit() > 0 ? (double) part / view.limit() : 0;
    }

    private static List<MultiGauge.Row<?>> rows(Map<Series, BudgetView> views, ToDoubleFunction<BudgetView> value) {
        List<MultiGauge.Row<?>> rows = new ArrayList<>();
        views.forEach((series, view) -> rows.add(MultiGauge.Row.of(series.tags(), value.applyAsDouble(view))));
        return rows;
    }

    private void count() {
        Map<Counted, Long> sums = new HashMap<>();
        stats.refusals()
                .forEach((refused, count) -> sums.merge(
                        new Counted(
                                "jeton.budget.refusals",
                                counted(refused.budget()),
                                refused.reason().text()),
                        count,
                        Long::sum));
        stats.stops()
                .forEach((budget, count) ->
                        sums.merge(new Counted("jeton.budget.stops", counted(budget), ""), count, Long::sum));
        stats.shadowRefusals()
                .forEach((budget, count) ->
                        sums.merge(new Counted("jeton.budget.shadow.refusals", counted(budget), ""), count, Long::sum));
        counts = sums;
        sums.keySet().stream().filter(registered::add).forEach(this::register);
    }

    private String counted(String budget) {
        return budget.equals(TASKS) ? TASKS : labels.getOrDefault(budget, CostMetrics.OTHER);
    }

    private void register(Counted counted) {
        FunctionCounter.Builder<BudgetMetrics> counter = FunctionCounter.builder(
                        counted.name(), this, m -> m.counts.getOrDefault(counted, 0L))
                .description("Requests that a budget has refused, ended in mid-generation, or would have refused")
                .tag("budget", counted.budget());
        if (!counted.reason().isEmpty()) {
            counter.tag("reason", counted.reason());
        }
        counter.register(registry);
    }
}
