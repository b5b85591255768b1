package dev.jeton.server.config;

import dev.jeton.accounting.Budget;
import dev.jeton.accounting.Payer;
import java.util.List;
import java.util.Optional;

/** Whether whose spending a budget limits is there. */
public final class BudgetSubjects {

    /**
     * What is not there.
     *
     * @param field {@code tenant}, {@code project} or {@code key}
     * @param message in words
     */
    public record Missing(String field, String message) {}

    private BudgetSubjects() {}

    /** What a budget names and nobody has; empty where all is there. The tenant {@code default} always is. */
    public static Optional<Missing> missing(Budget budget, List<Tenant> tenants) {
        if (budget.tenant().equals(Budget.ANY)) {
            return Optional.empty();
        }
        Optional<Tenant> tenant = tenants.stream()
                .filter(candidate -> candidate.id().equals(budget.tenant()))
                .findFirst();
        if (tenant.isEmpty()) {
            // Its keys are those of server.api-keys, and have no entries.
            return budget.tenant().equals(Payer.NOBODY)
                    ? Optional.empty()
                    : missing(
                            "tenant",
                            budget.tenant(),
                            "there is no tenant '%s'",
                            tenants.stream().map(Tenant::id).toList());
        }
        if (!budget.project().equals(Budget.ANY) && !tenant.get().projects().contains(budget.project())) {
            return missing(
                    "project",
                    budget.project(),
                    "the tenant has no project '%s'",
                    tenant.get().projects());
        }
        List<String> keys = tenant.get().keys().stream().map(Tenant.Key::id).toList();
        return budget.key().equals(Budget.ANY) || keys.contains(budget.key())
                ? Optional.empty()
                : missing("key", budget.key(), "the tenant has no key '%s'", keys);
    }

    private static Optional<Missing> missing(String field, String name, String message, List<String> known) {
        return Optional.of(new Missing(field, message.formatted(name) + Schema.suggestion(name, known)));
    }
}
