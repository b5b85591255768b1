package dev.jeton.server.admin;

import dev.jeton.accounting.Budget;
import dev.jeton.accounting.PriceBook;
import dev.jeton.server.config.BudgetFormat;
import dev.jeton.server.config.Tenant;
import dev.jeton.server.json.JsonWriter;
import java.util.List;
import java.util.Optional;

/**
 * What the configuration's files say: it is theirs, and changed there.
 *
 * @param tenants of {@code jeton.yaml}
 * @param budgets of {@code jeton.yaml}
 * @param prices the file of {@code books.prices}
 */
public record PolicyFiles(List<Tenant> tenants, List<Budget> budgets, PriceBook prices) {

    /** With lists of its own. */
    public PolicyFiles {
        tenants = List.copyOf(tenants);
        budgets = List.copyOf(budgets);
    }

    Optional<Tenant> tenant(String id) {
        return tenants.stream().filter(tenant -> tenant.id().equals(id)).findFirst();
    }

    boolean hasTenant(String id) {
        return tenant(id).isPresent();
    }

    boolean hasProject(String tenant, String project) {
        return tenant(tenant)
                .filter(found -> found.projects().contains(project))
                .isPresent();
    }

    boolean hasKey(String tenant, String key) {
        return tenant(tenant).stream()
                .flatMap(found -> found.keys().stream())
                .anyMatch(found -> found.id().equals(key));
    }

    boolean hasBudget(String id) {
        return budgets.stream().anyMatch(budget -> budget.id().equals(id));
    }

    /** Of all of it, so that a change of the files is seen. */
    String digest() {
        JsonWriter out = new JsonWriter().beginObject();
        out.name("prices").value(prices.version());
        out.name("budgets").beginArray();
        for (Budget budget : budgets) {
            BudgetFormat.write(out.beginObject(), budget);
            out.endObject();
        }
        out.endArray();
        out.name("tenants").beginArray();
        for (Tenant tenant : tenants) {
            out.value(tenant.toString());
        }
        return AuditEntry.digest(out.endArray().endObject().toBytes());
    }
}
