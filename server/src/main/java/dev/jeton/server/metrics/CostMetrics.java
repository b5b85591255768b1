package dev.jeton.server.metrics;

import dev.jeton.accounting.Bill;
import dev.jeton.accounting.Money;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Money and device time of requests by tenant: for alerts, not for invoices, which the ledger makes. Tenants are labels
 * only where the configuration names them; all others are one.
 */
final class CostMetrics {

    /** Tenants that are not named. */
    static final String OTHER = "other";

    private static final double NANOS = 1e9;

    private final MeterRegistry registry;
    private final Set<String> tenants;
    private final Map<Key, Counters> counters = new ConcurrentHashMap<>();

    private record Key(String tenant, String model) {}

    private record Counters(Counter list, Counter metered, Counter device) {}

    /** @param tenants ids of the tenants that are labels of their own */
    CostMetrics(MeterRegistry registry, Set<String> tenants) {
        this.registry = registry;
        this.tenants = Set.copyOf(tenants);
    }

    /** Ids of the tenants that are labels of their own. */
    Set<String> tenants() {
        return tenants;
    }

    /** Counts a request that has ended; the tenant's label. */
    String ended(String tenant, String model, Bill bill) {
        String label = tenants.contains(tenant) ? tenant : OTHER;
        Counters of = counters.computeIfAbsent(new Key(label, model), key -> counters(key, bill.currency()));
        of.list().increment(Money.decimal(bill.list()).doubleValue());
        of.metered().increment(Money.decimal(bill.metered()).doubleValue());
        of.device().increment(bill.deviceNanos() / NANOS);
        return label;
    }

    private Counters counters(Key key, String currency) {
        return new Counters(
                counter("jeton.cost.list", "List money of requests that ended", key, currency),
                counter("jeton.cost.metered.estimate", "What their device time comes to", key, currency),
                counter("jeton.cost.device.seconds", "Device time of requests that ended", key, currency));
    }

    private Counter counter(String name, String meaning, Key key, String currency) {
        return Counter.builder(name)
                .description(meaning)
                .tag("tenant", key.tenant())
                .tag("model", key.model())
                .tag("currency", currency)
                .register(registry);
    }
}
