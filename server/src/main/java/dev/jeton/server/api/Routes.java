package dev.jeton.server.api;

import dev.jeton.server.api.Endpoint.Guard;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Which endpoint answers which path. Filled at start, then only read. */
final class Routes {

    private final Map<String, Endpoint> exact = new LinkedHashMap<>();
    private final Map<String, Endpoint> below = new LinkedHashMap<>();
    private final List<Route> all = new ArrayList<>();

    /**
     * Adds a path.
     *
     * @param path one whose last part is in braces stands for everything below
     */
    Routes add(String path, Endpoint endpoint) {
        int brace = path.indexOf('{');
        if (brace < 0) {
            exact.put(path, endpoint);
        } else {
            below.put(path.substring(0, brace), endpoint);
        }
        all.add(new Route(endpoint.method(), path, endpoint.guard() != Guard.OPEN));
        return this;
    }

    /** What answers a path that was asked for. */
    Optional<Endpoint> of(String path) {
        Endpoint endpoint = exact.get(path);
        return endpoint != null
                ? Optional.of(endpoint)
                : below.entrySet().stream()
                        .filter(entry -> path.startsWith(entry.getKey()))
                        .map(Map.Entry::getValue)
                        .findFirst();
    }

    /** All of them. */
    List<Route> all() {
        return List.copyOf(all);
    }
}
