package dev.jeton.server.api;

import dev.jeton.server.config.Configuration.ServerSettings;
import dev.jeton.server.http.Exchange;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Keeps web pages from a server that asks for no key. A browser sends what a page has it send, to the user's own
 * machine, too: across sites a page can make work that it cannot read; and under a name of its own that it lets resolve
 * to 127.0.0.1 (DNS rebinding) it can read as well. Where keys are asked for, pages have none.
 *
 * <p>Across sites is told as in Go's {@code http.CrossOriginProtection}: by {@code Sec-Fetch-Site}, which pages cannot
 * set, or by {@code Origin} beside {@code Host} where a browser sends none.
 */
final class WebPages {

    private static final String ANY = "*";
    private static final Set<String> OWN = Set.of("same-origin", "none");
    private static final Pattern PORT = Pattern.compile(":[0-9]*$");
    private static final Pattern ADDRESS = Pattern.compile("[0-9.]+|\\[[0-9a-fA-F:.%]+]");

    private final CrossOrigin origins;
    private final boolean local;
    private final List<String> names;

    /** @param origins whose pages that are named may send what they like */
    WebPages(ServerSettings settings, CrossOrigin origins) {
        this.origins = origins;
        local = loopback(settings.host());
        names = settings.hosts().stream()
                .map(name -> name.toLowerCase(Locale.ROOT))
                .toList();
    }

    private static boolean loopback(String host) {
        try {
            return InetAddress.getByName(host).isLoopbackAddress();
        } catch (UnknownHostException e) {
            // Listening will say so.
            return false;
        }
    }

    /**
     * Refuses what may be another site's page.
     *
     * @throws ApiException 403
     */
    void refuse(Exchange exchange) {
        String host = exchange.header("host").orElse("");
        if (local && !expected(host)) {
            throw forbidden(
                    "unknown_host",
                    "This server asks for no key and listens on its own machine only, and is not known as '%s': a web"
                                    .formatted(ApiException.shown(host))
                            + " page may have made up that name. Name it in server.hosts, or set server.api-keys");
        }
        boolean reads = exchange.method().equals("GET") || exchange.method().equals("HEAD");
        if (!reads && acrossSites(exchange, host) && !origins.named(exchange)) {
            throw forbidden(
                    "cross_site",
                    "A web page of another site sent this, and this server asks for no key; set server.api-keys or name"
                            + " the page's origin in server.allowed-origins");
        }
    }

    /** Names without a dot, and those of this machine, are nobody's on the internet; addresses are not names. */
    private boolean expected(String host) {
        String name = PORT.matcher(host).replaceFirst("").toLowerCase(Locale.ROOT);
        return !name.contains(".") && !name.contains(":")
                || name.endsWith(".localhost")
                || name.endsWith(".internal")
                || ADDRESS.matcher(name).matches()
                || names.contains(ANY)
                || names.contains(name);
    }

    private static boolean acrossSites(Exchange exchange, String host) {
        Optional<String> site = exchange.header("sec-fetch-site");
        if (site.isPresent()) {
            return !OWN.contains(site.get());
        }
        return exchange.header("origin")
                .filter(origin -> !authority(origin).equalsIgnoreCase(host))
                .isPresent();
    }

    private static String authority(String origin) {
        try {
            return Optional.ofNullable(URI.create(origin).getRawAuthority()).orElse("");
        } catch (IllegalArgumentException e) {
            return "";
        }
    }

    private static ApiException forbidden(String code, String message) {
        return new ApiException(403, "permission_error", "", code, message);
    }
}
