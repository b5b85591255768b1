package dev.jeton.server.admin;

import dev.jeton.accounting.Budget;
import dev.jeton.accounting.PriceBook;
import dev.jeton.server.config.Tenant;
import java.util.List;
import java.util.Optional;

/**
 * Everything that was decided, at one moment.
 *
 * @param version the number of the last change; 0 before the first
 * @param tenants who pays
 * @param budgets limits on what they may spend
 * @param prices by which requests are priced
 * @param adapters that are served beside those of the configuration
 */
public record Policy(
        long version, List<Tenant> tenants, List<Budget> budgets, PriceBook prices, List<AdapterPolicy> adapters) {

    /** With lists of its own. */
    public Policy {
        tenants = List.copyOf(tenants);
        budgets = List.copyOf(budgets);
        adapters = List.copyOf(adapters);
    }

    /** A tenant by its id. */
    public Optional<Tenant> tenant(String id) {
        return tenants.stream().filter(tenant -> tenant.id().equals(id)).findFirst();
    }

    /** A budget by its id. */
    public Optional<Budget> budget(String id) {
        return budgets.stream().filter(budget -> budget.id().equals(id)).findFirst();
    }

    /** An adapter by its name. */
    public Optional<AdapterPolicy> adapter(String name) {
        return adapters.stream().filter(adapter -> adapter.name().equals(name)).findFirst();
    }

    /** Keys of all tenants. */
    public int keys() {
        return tenants.stream().mapToInt(tenant -> tenant.keys().size()).sum();
    }
}
