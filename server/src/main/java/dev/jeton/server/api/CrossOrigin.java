package dev.jeton.server.api;

import dev.jeton.server.http.Exchange;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Which web pages may read answers, as browsers ask for it (CORS; WHATWG Fetch, "HTTP-network-or-cache fetch"): each
 * answer to a page of an allowed origin says so, and the browser's question ahead of a request is answered. No cookies
 * are meant: keys come in a header that the page sets.
 */
final class CrossOrigin {

    /** The request's header. */
    static final String ORIGIN = "origin";

    private static final String ANY = "*";
    private static final String METHODS = "GET, POST, DELETE";
    /** Two hours: browsers keep it no longer. */
    private static final String MAX_AGE = "7200";

    private static final String EXPOSED = String.join(
            ", ",
            "x-request-id",
            "request-id",
            "x-jeton-request-id",
            "x-jeton-cost",
            "x-jeton-replayed",
            "x-jeton-fallback-from",
            "x-jeton-budget",
            "x-jeton-budget-reason",
            "x-jeton-budget-remaining",
            "x-jeton-as-of",
            "x-jeton-next",
            "x-should-retry",
            "retry-after",
            "content-disposition",
            "traceresponse");
    /** What {@link #headers} says. */
    private static final Set<String> SAID =
            Set.of("vary", "access-control-allow-origin", "access-control-expose-headers");

    private static final int MOST_HEADERS = 2_048;
    private static final Pattern HEADERS = Pattern.compile("[A-Za-z0-9!#$%&'*+.^_`|~, -]+");

    private final Set<String> named;
    private final boolean any;

    /** @param origins as {@code https://ui.example.org}, or {@code *} for any */
    CrossOrigin(List<String> origins) {
        Set<String> names = new HashSet<>();
        origins.forEach(origin -> names.add(asBrowsersSay(origin)));
        any = names.remove(ANY);
        named = Set.copyOf(names);
    }

    /** Without the port that a scheme has where none is said. */
    private static String asBrowsersSay(String origin) {
        String lower = origin.toLowerCase(Locale.ROOT);
        String port = lower.startsWith("https:") ? ":443" : lower.startsWith("http:") ? ":80" : "/";
        return lower.endsWith(port) ? lower.substring(0, lower.length() - port.length()) : lower;
    }

    /** Whether the request comes from a page of an origin that was named, and not only of any. */
    boolean named(Exchange exchange) {
        return named(exchange.header(ORIGIN));
    }

    private boolean named(Optional<String> from) {
        return from.filter(origin -> named.contains(origin.toLowerCase(Locale.ROOT)))
                .isPresent();
    }

    private boolean allowed(Optional<String> from) {
        return from.isPresent() && any || named(from);
    }

    /** What another answer says, without what it says of its own page. */
    static Map<String, String> without(Map<String, String> headers) {
        Map<String, String> left = new LinkedHashMap<>(headers);
        left.keySet().removeAll(SAID);
        return left;
    }

    /**
     * What every answer to a request says to the browser; nothing where pages are not spoken of.
     *
     * @param from the request's {@code Origin}
     */
    Map<String, String> headers(Optional<String> from) {
        if (named.isEmpty() && !any) {
            return Map.of();
        }
        Map<String, String> headers = new LinkedHashMap<>();
        // what is answered depends on it, also where it is missing: caches in between must know
        headers.put("vary", "Origin");
        if (allowed(from)) {
            headers.put("access-control-allow-origin", named(from) ? from.orElse("") : ANY);
            headers.put("access-control-expose-headers", EXPOSED);
        }
        return headers;
    }

    /** What answers a browser that asks ahead whether a page may; empty where none does. */
    Optional<Endpoint> preflight(Exchange exchange) {
        boolean asks = exchange.method().equals("OPTIONS")
                && exchange.header("access-control-request-method").isPresent();
        return asks && allowed(exchange.header(ORIGIN)) ? Optional.of(new Preflight()) : Optional.empty();
    }

    /** The headers that are asked for, if they are names of headers. */
    private static Optional<String> wanted(Exchange exchange) {
        return exchange.header("access-control-request-headers")
                .filter(names ->
                        names.length() <= MOST_HEADERS && HEADERS.matcher(names).matches());
    }

    private static final class Preflight implements Endpoint {

        @Override
        public String name() {
            return "preflight";
        }

        @Override
        public String method() {
            return "OPTIONS";
        }

        @Override
        public Guard guard() {
            return Guard.OPEN;
        }

        @Override
        public void handle(Call call) {
            Map<String, String> headers = new LinkedHashMap<>();
            headers.put("access-control-allow-methods", METHODS);
            wanted(call.exchange()).ifPresent(names -> headers.put("access-control-allow-headers", names));
            headers.put("access-control-max-age", MAX_AGE);
            // Chrome asks where a page of the internet wants to reach a private network.
            call.exchange()
                    .header("access-control-request-private-network")
                    .filter("true"::equals)
                    .ifPresent(yes -> headers.put("access-control-allow-private-network", "true"));
            call.answer(200, headers, new byte[0]);
        }
    }
}
