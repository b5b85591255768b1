package dev.jeton.server;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.Bookkeeper;
import dev.jeton.accounting.Budget;
import dev.jeton.accounting.PriceBook;
import dev.jeton.server.admin.AuditEntry;
import dev.jeton.server.admin.PolicyListener;
import dev.jeton.server.api.Api;
import dev.jeton.server.config.Tenant;
import dev.jeton.server.webhooks.WebhookEvent;
import dev.jeton.server.webhooks.Webhooks;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings what is decided to where it is needed.
 *
 * @param api accepts the keys
 * @param books price by the price book, and hold budgets against what is spent
 * @param webhooks tell what is done to budgets
 */
record LivePolicy(Api api, Optional<Bookkeeper> books, Webhooks webhooks) implements PolicyListener {

    private static final Logger LOG = LoggerFactory.getLogger(LivePolicy.class);

    @Override
    public void tenants(List<Tenant> tenants) {
        api.tenants(tenants);
    }

    @Override
    public void budgets(List<Budget> all) {
        books.ifPresent(open -> define(open, all));
    }

    @Override
    public void killed(Budget budget, AuditEntry change) {
        webhooks.send(new WebhookEvent.Killed(change.at(), budget, change.who(), change.reason()));
    }

    @Override
    public void graceGiven(Budget budget, AuditEntry change) {
        webhooks.send(new WebhookEvent.Grace(change.at(), budget, change.who(), change.reason()));
    }

    @Override
    public void prices(PriceBook prices) {
        books.ifPresent(open -> adopt(open, prices));
    }

    private static void define(Bookkeeper books, List<Budget> all) {
        try {
            books.define(all);
        } catch (AccountingException e) {
            LOG.error("the budgets hold, but a restart before this is mended will not know what they have counted", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void adopt(Bookkeeper books, PriceBook prices) {
        if (books.prices().version().equals(prices.version())) {
            return;
        }
        try {
            if (!books.adopt(prices)) {
                LOG.warn("price book {} comes into force once the journal takes it", prices.version());
            }
        } catch (AccountingException e) {
            LOG.error("price book {} could not be put in force; a restart tries again", prices.version(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
