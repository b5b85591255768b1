package dev.jeton.server.metrics;

import dev.jeton.accounting.Bookkeeper;
import dev.jeton.accounting.Budget;
import dev.jeton.accounting.BudgetRefusal;
import dev.jeton.accounting.BudgetStats;
import dev.jeton.accounting.BudgetView;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.ToDoubleFunction;

/**
 * How far budgets are. Of a budget with a counter for each key or task the fullest counts: whose it is, the API says. Tasks'
 * own budgets are left out, as there are as many as there are tasks; refreshed when they are scraped.
 */
final class BudgetMetrics {

    /** Most budgets with series of their own. */
    private static final int MOST = 1_000;
    /** How ids of tasks' own budgets begin. */
    private static final String OF_TASKS = "task/";

    private final MeterRegistry registry;
    private final Bookkeeper books;
    private final MultiGauge used;
    private final MultiGauge reserved;
    private final MultiGauge forecast;
    private final Set<String> counted = new HashSet<>();
    private volatile BudgetStats stats;

    BudgetMetrics(MeterRegistry registry, Bookkeeper books) {
        this.registry = registry;
        this.books = books;
        stats = books.budgets().stats();
        used = gauge("jeton.budget.used.ratio", "Spent and reserved of a budget, of what may be spent");
        reserved = gauge("jeton.budget.reserved.ratio", "Of that, what requests under way have reserved and not spent");
        forecast = gauge("jeton.budget.forecast.ratio", "What will be spent at the window's end as it goes of late");
        Gauge.builder("jeton.budget.waiting", this, m -> m.stats.waiting())
                .description("Requests that wait for what others have reserved of a budget")
                .register(registry);
        Gauge.builder("jeton.budget.counters", this, m -> m.stats.accounts())
                .description("Counters of budgets")
                .register(registry);
    }

    private MultiGauge gauge(String name, String meaning) {
        return MultiGauge.builder(name).description(meaning).register(registry);
    }

    /** Looks at the budgets; one thread at a time. */
    synchronized void refresh() {
        stats = books.budgets().stats();
        Map<String, BudgetView> fullest = new LinkedHashMap<>();
        for (BudgetView view : books.budgets().views()) {
            String id = view.budget().id();
            if (!id.startsWith(OF_TASKS) && (fullest.size() < MOST || fullest.containsKey(id))) {
                fullest.merge(id, view, (a, b) -> a.usedRatio() >= b.usedRatio() ? a : b);
            }
        }
        used.register(rows(fullest, BudgetView::usedRatio), true);
        reserved.register(rows(fullest, BudgetView::reservedRatio), true);
        forecast.register(rows(fullest, BudgetView::forecastRatio), true);
        stats.refusals().keySet().forEach(this::refusal);
        stats.stops().keySet().forEach(this::stop);
        stats.shadowRefusals().keySet().forEach(this::shadow);
    }

    private static List<MultiGauge.Row<?>> rows(Map<String, BudgetView> views, ToDoubleFunction<BudgetView> value) {
        List<MultiGauge.Row<?>> rows = new ArrayList<>();
        views.values().forEach(view -> {
            Budget budget = view.budget();
            rows.add(MultiGauge.Row.of(
                    Tags.of(
                            "budget", budget.id(),
                            "level", budget.level().text(),
                            "unit", budget.unit().text(),
                            "window", budget.window().kind().text()),
                    value.applyAsDouble(view)));
        });
        return rows;
    }

    private void refusal(BudgetStats.Refused refused) {
        String budget = refused.budget();
        BudgetRefusal.Reason reason = refused.reason();
        if (counted.add("refusal " + reason + budget)) {
            FunctionCounter.builder(
                            "jeton.budget.refusals",
                            this,
                            m -> m.stats.refusals().getOrDefault(refused, 0L))
                    .description("Requests that a budget has refused")
                    .tag("budget", budget)
                    .tag("reason", reason.text())
                    .register(registry);
        }
    }

    private void stop(String budget) {
        if (counted.add("stop " + budget)) {
            FunctionCounter.builder(
                            "jeton.budget.stops", this, m -> m.stats.stops().getOrDefault(budget, 0L))
                    .description("Requests that a budget has ended in mid-generation")
                    .tag("budget", budget)
                    .register(registry);
        }
    }

    private void shadow(String budget) {
        if (counted.add("shadow " + budget)) {
            FunctionCounter.builder(
                            "jeton.budget.shadow.refusals",
                            this,
                            m -> m.stats.shadowRefusals().getOrDefault(budget, 0L))
                    .description("Requests that a budget in shadow mode would have refused")
                    .tag("budget", budget)
                    .register(registry);
        }
    }
}
