package dev.jeton.server.admin;

import dev.jeton.accounting.Bookkeeper;
import dev.jeton.accounting.Budget;
import dev.jeton.accounting.PriceBook;
import dev.jeton.server.api.Route;
import dev.jeton.server.config.ConfigException;
import dev.jeton.server.config.Configuration;
import dev.jeton.server.config.Configuration.AdminSettings;
import dev.jeton.server.config.Configuration.HttpSettings;
import dev.jeton.server.config.Tenant;
import dev.jeton.server.http.HttpListener;
import dev.jeton.server.http.ListenException;
import dev.jeton.server.json.JsonWriter;
import dev.jeton.server.tls.Tls;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The policy of a running server and, where the configuration wants one, the listener of the admin API. */
public final class Administration implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Administration.class);

    private static final int MAX_CONNECTIONS = 64;
    private static final int MAX_STREAMS = 16;
    private static final int MAX_PIPELINED = 4;
    /** A price book of the greatest size, and some. */
    private static final int MAX_BODY = 2 << 20;

    private final PolicyStore store;
    private final List<Route> routes;
    private final Optional<HttpListener> listener;

    /**
     * Opens the policy, tells the listener what it is, and listens.
     *
     * @param tls what connections are encrypted by; empty for plain text
     * @param books whose folder has the audit log; empty where no books are kept
     * @param ofFile the price book of the configuration's files
     * @param models names of served models
     * @param policy told what is decided, now and later
     * @param adapters serves those that were loaded before, and others
     * @param webhooks writes how the webhooks are, as one value
     * @throws ConfigException where the files contradict one another
     * @throws PolicyException where the audit log cannot be used
     */
    public Administration(
            Configuration configuration,
            Optional<Tls> tls,
            Optional<Bookkeeper> books,
            PriceBook ofFile,
            Set<String> models,
            PolicyListener policy,
            AdapterHost adapters,
            Consumer<JsonWriter> webhooks) {
        AdminSettings settings = configuration.admin();
        check(configuration, ofFile, models);
        Optional<Path> folder =
                books.map(Bookkeeper::folder).filter(place -> settings.port() > 0 || PolicyStore.exists(place));
        store = new PolicyStore(
                folder,
                new PolicyFiles(configuration.tenants(), configuration.budgets(), ofFile),
                settings.logBytes(),
                () -> TimeUnit.MILLISECONDS.toMicros(System.currentTimeMillis()));
        if (folder.isPresent()) {
            store.follow(policy);
        } else {
            policy.budgets(configuration.budgets());
        }
        adapters.restore(store.policy().adapters());
        if (settings.port() == 0) {
            routes = List.of();
            listener = Optional.empty();
            return;
        }
        AdminApi api = new AdminApi(
                settings,
                store,
                models,
                () -> books.map(Bookkeeper::prices).orElse(ofFile),
                () -> books.map(open -> open.budgets().views()).orElse(List.of()),
                adapters,
                webhooks,
                new SecureRandom());
        routes = api.routes();
        listener = Optional.of(listen(configuration, tls, api));
    }

    private HttpListener listen(Configuration configuration, Optional<Tls> tls, AdminApi api) {
        AdminSettings settings = configuration.admin();
        if (tls.isEmpty()) {
            warnOfPlainText(settings.host());
        }
        try {
            return new HttpListener(
                    settings.host(),
                    settings.port(),
                    bounded(configuration.http()),
                    configuration.stream().stallTimeout(),
                    tls,
                    api);
        } catch (ListenException e) {
            store.close();
            throw new ListenException("the admin API (admin.host, admin.port): " + e.getMessage(), e);
        }
    }

    private static void warnOfPlainText(String host) {
        try {
            if (!InetAddress.getByName(host).isLoopbackAddress()) {
                LOG.warn(
                        "the admin API listens on {}, and its keys come in plain text: set tls.certificate, or let only a"
                                + " proxy with TLS reach it",
                        host);
            }
        } catch (UnknownHostException e) {
            LOG.debug("listening will say what is wrong with {}", host, e);
        }
    }

    /** Few connections and small bodies: people and scripts, not traffic. */
    private static HttpSettings bounded(HttpSettings usual) {
        return new HttpSettings(
                MAX_CONNECTIONS,
                MAX_STREAMS,
                MAX_PIPELINED,
                MAX_BODY,
                (long) MAX_BODY * MAX_STREAMS,
                usual.maxUri(),
                usual.maxHeader(),
                usual.headerTimeout(),
                usual.bodyTimeout(),
                usual.idleTimeout(),
                usual.writeBuffer(),
                usual.sendBuffer(),
                1);
    }

    private static void check(Configuration configuration, PriceBook ofFile, Set<String> models) {
        String currency = ofFile.currency().getCurrencyCode();
        for (Budget budget : configuration.budgets()) {
            if (!budget.currency().isEmpty() && !budget.currency().equals(currency)) {
                throw new ConfigException(
                        "budget '%s' is in %s and the price book in %s: a budget cannot be held against"
                                        .formatted(budget.id(), budget.currency(), currency)
                                + " what is spent in another currency");
            }
            for (Budget.Rung rung : budget.ladder()) {
                if (rung instanceof Budget.Rung.Cheaper cheaper && !models.contains(cheaper.model())) {
                    throw new ConfigException(
                            "budget '%s' has the cheaper model '%s', which is not served; there are: %s"
                                    .formatted(budget.id(), cheaper.model(), String.join(", ", models)));
                }
            }
        }
        Map<String, String> keys = configuration.admin().keys();
        for (Tenant tenant : configuration.tenants()) {
            for (Tenant.Key key : tenant.keys()) {
                refuseShared(keys, key.sha256(), "key '%s' of tenant '%s'".formatted(key.id(), tenant.id()));
            }
        }
        configuration
                .server()
                .apiKeys()
                .forEach(key -> refuseShared(keys, Tenant.Key.digest(key), "a key of server.api-keys"));
    }

    private static void refuseShared(Map<String, String> adminKeys, String digest, String other) {
        String admin = adminKeys.get(digest);
        if (admin != null) {
            throw new ConfigException(
                    "the admin key '%s' is also %s: keys that administer must be others".formatted(admin, other));
        }
    }

    /** What is decided. */
    public PolicyStore store() {
        return store;
    }

    /** What the admin API answers; nothing where there is none. */
    public List<Route> routes() {
        return routes;
    }

    /** The port of the admin API; empty where there is none. */
    public Optional<Integer> port() {
        return listener.map(HttpListener::port);
    }

    @Override
    public void close() {
        listener.ifPresent(HttpListener::close);
        store.close();
    }
}
