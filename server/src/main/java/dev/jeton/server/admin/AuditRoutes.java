package dev.jeton.server.admin;

import dev.jeton.server.api.ApiException;
import dev.jeton.server.json.JsonWriter;
import dev.jeton.server.metrics.PolicyStats;
import java.util.List;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@code /admin/v1/audit}, {@code /admin/v1/policy} and {@code /admin/v1/webhooks}: what there is to be read. */
final class AuditRoutes {

    private static final Logger LOG = LoggerFactory.getLogger(AuditRoutes.class);
    private static final int USUAL = 100;
    private static final int MOST = 1_000;
    private static final long MAX_PAGE = 4 << 20;

    private final PolicyStore store;
    private final Consumer<JsonWriter> webhooks;

    /** @param webhooks writes how the webhooks are, as one value */
    AuditRoutes(PolicyStore store, Consumer<JsonWriter> webhooks) {
        this.store = store;
        this.webhooks = webhooks;
    }

    void addTo(AdminRoutes routes) {
        routes.add("GET", "audit", this::audit)
                .add("GET", "policy", this::policy)
                .add("GET", "webhooks", this::webhooks);
    }

    /** Lines as they stand in the file, which were just held against one another. */
    private AdminReply audit(AdminCall call) {
        call.parameters(List.of("after", "limit"));
        long after = call.number("after", 0, 0, Long.MAX_VALUE - 1);
        int limit = (int) call.number("limit", USUAL, 1, MOST);
        List<byte[]> lines;
        try {
            lines = store.audit(after, limit, MAX_PAGE);
        } catch (PolicyException e) {
            LOG.error("the audit log does not hold", e);
            throw new ApiException(
                    500, "server_error", "", "audit_log_damaged", "The audit log was changed: " + e.getMessage());
        }
        long version = store.policy().version();
        long last = after + lines.size();
        JsonWriter out = new JsonWriter().beginObject().name("object").value("list");
        out.name("verified").value(true);
        out.name("next");
        if (last < version) {
            out.value(last);
        } else {
            out.nullValue();
        }
        out.name("data").beginArray();
        boolean first = true;
        for (byte[] line : lines) {
            out.restart().raw(first ? "" : ",").raw(line);
            first = false;
        }
        return AdminReply.json(200, version, out.endArray().endObject());
    }

    private AdminReply policy(AdminCall call) {
        call.parameters(List.of());
        Policy policy = store.policy();
        PolicyStats stats = store.stats();
        JsonWriter out = new JsonWriter().beginObject();
        out.name("object").value("policy");
        out.name("version").value(policy.version());
        out.name("tenants").value(policy.tenants().size());
        out.name("keys").value(policy.keys());
        out.name("budgets").beginArray();
        policy.budgets().forEach(budget -> BudgetRoutes.write(store, out, budget));
        out.endArray();
        out.name("price_book").value(policy.prices().version());
        out.name("currency").value(policy.prices().currency().getCurrencyCode());
        out.name("audit_log").beginObject();
        out.name("bytes").value(stats.bytes());
        out.name("bound").value(stats.bound());
        out.name("failed").value(stats.failed());
        return AdminReply.json(200, policy.version(), out.endObject().endObject());
    }

    private AdminReply webhooks(AdminCall call) {
        call.parameters(List.of());
        JsonWriter out = new JsonWriter();
        webhooks.accept(out);
        return AdminReply.json(200, store.policy().version(), out);
    }
}
