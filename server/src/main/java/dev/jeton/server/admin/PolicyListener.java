package dev.jeton.server.admin;

import dev.jeton.accounting.Budget;
import dev.jeton.accounting.PriceBook;
import dev.jeton.server.config.Tenant;
import java.util.List;

/**
 * What a change is told to, after it is on disk and in the order of changes. Called by one thread at a time, which
 * answers the change only then; must not throw.
 */
public interface PolicyListener {

    /** These tenants, with these keys, from now on. */
    void tenants(List<Tenant> tenants);

    /** These budgets from now on. */
    void budgets(List<Budget> budgets);

    /** A budget's kill switch was thrown. */
    void killed(Budget budget, AuditEntry change);

    /** A budget may be exceeded for a while. */
    void graceGiven(Budget budget, AuditEntry change);

    /** These prices, for requests that come from now on. */
    void prices(PriceBook prices);
}
