package dev.jeton.server.admin;

import dev.jeton.accounting.BudgetView;
import dev.jeton.accounting.PriceBook;
import dev.jeton.server.api.ApiException;
import dev.jeton.server.api.Route;
import dev.jeton.server.config.Configuration.AdminSettings;
import dev.jeton.server.config.Tenant;
import dev.jeton.server.http.Exchange;
import dev.jeton.server.http.RequestHandler;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonWriter;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The admin API over HTTP. It has a listener and keys of its own: tenants' keys are refused here as admin keys are
 * there. Called with one virtual thread a request.
 */
public final class AdminApi implements RequestHandler {

    private static final Logger LOG = LoggerFactory.getLogger(AdminApi.class);
    private static final String SCHEME = "Bearer ";

    private final AdminRoutes routes = new AdminRoutes();
    private final Map<String, String> keys;

    /**
     * Offers what a store decides.
     *
     * @param models names of served models
     * @param inForce the prices by which requests are priced just now
     * @param counters of all budgets, as they are now
     * @param adapters serves adapters
     * @param webhooks writes how the webhooks are, as one value
     * @param random of secrets: a secure one
     */
    public AdminApi(
            AdminSettings settings,
            PolicyStore store,
            Set<String> models,
            Supplier<PriceBook> inForce,
            Supplier<List<BudgetView>> counters,
            AdapterHost adapters,
            Consumer<JsonWriter> webhooks,
            RandomGenerator random) {
        keys = settings.keys();
        new TenantRoutes(store).addTo(routes);
        new KeyRoutes(store, random, keys.keySet()).addTo(routes);
        new BudgetRoutes(store, models, counters).addTo(routes);
        new BudgetOperations(store, settings).addTo(routes);
        new PriceRoutes(store, inForce).addTo(routes);
        new AdapterRoutes(store, adapters).addTo(routes);
        new AuditRoutes(store, webhooks).addTo(routes);
    }

    /** What it answers. */
    public List<Route> routes() {
        return routes.all();
    }

    @Override
    public byte[] refusal(int status, String path, String message) {
        JsonWriter out = new JsonWriter();
        ApiException.refusal(status, message).write(out);
        return out.toBytes();
    }

    @Override
    public void handle(Exchange exchange) {
        AdminReply reply;
        try {
            reply = answer(exchange);
        } catch (ApiException e) {
            reply = error(e);
        } catch (JsonException e) {
            reply = error(ApiException.of(e));
        } catch (RuntimeException | StackOverflowError e) {
            LOG.error("a call of the admin API failed", e);
            reply = error(ApiException.internal("The server failed on this request; its log says why"));
        }
        LOG.atDebug()
                .addKeyValue("method", exchange.method())
                .addKeyValue("path", ApiException.shown(exchange.path()))
                .addKeyValue("status", reply.status())
                .log("admin request");
        exchange.respond(reply.status(), reply.headers(), reply.content());
    }

    /** The key comes first: who has none learns nothing, not even which paths there are. */
    private AdminReply answer(Exchange exchange) {
        String who = who(exchange.header("authorization"));
        String method = exchange.method().equals("HEAD") ? "GET" : exchange.method();
        AdminRoutes.Found found = routes.find(method, exchange.path());
        return found.handler().answer(new AdminCall(exchange, who, found.path()));
    }

    private static AdminReply error(ApiException e) {
        JsonWriter out = new JsonWriter();
        e.write(out);
        return AdminReply.error(e.status(), out);
    }

    /** Found by digest, so the time it takes says nothing about a key. */
    private String who(Optional<String> authorization) {
        String given = authorization
                .filter(value -> value.regionMatches(true, 0, SCHEME, 0, SCHEME.length()))
                .map(value -> value.substring(SCHEME.length()).strip())
                .orElse("");
        String who = keys.get(Tenant.Key.digest(given));
        if (who == null) {
            throw new ApiException(
                    401,
                    ApiException.INVALID_REQUEST,
                    "",
                    "invalid_admin_key",
                    authorization.isEmpty()
                            ? "No admin key was given: send it as 'Authorization: Bearer KEY'"
                            : "The key is none of admin.keys; keys of tenants do not administer");
        }
        return who;
    }
}
