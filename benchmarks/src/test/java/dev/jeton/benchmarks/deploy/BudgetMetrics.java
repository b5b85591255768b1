package dev.jeton.benchmarks.deploy;

/**
 * Metrics of budgets and their notices, as rules and dashboards use them: a server exports them once budgets are
 * configured.
 */
final class BudgetMetrics {

    static final String TEXT = """
            jeton_budget_used_ratio{budget="b",level="tenant",unit="list_money",window="month"} 0.5
            jeton_budget_reserved_ratio{budget="b",level="tenant",unit="list_money",window="month"} 0.1
            jeton_budget_forecast_ratio{budget="b",level="tenant",unit="list_money",window="month"} 0.9
            jeton_budget_refusals_total{budget="b",reason="spent"} 1
            jeton_budget_refusals_total{budget="b",reason="reserved_by_others"} 1
            jeton_budget_refusals_total{budget="b",reason="killed"} 1
            jeton_budget_stops_total{budget="b"} 1
            jeton_budget_shadow_refusals_total{budget="b"} 1
            jeton_webhook_deliveries_total{outcome="delivered"} 1
            jeton_webhook_deliveries_total{outcome="retried"} 1
            jeton_webhook_deliveries_total{outcome="given_up"} 1
            jeton_webhook_deliveries_total{outcome="dropped"} 1
            jeton_webhook_queue 0
            """;

    private BudgetMetrics() {}
}
