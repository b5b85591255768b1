package dev.jeton.server.api;

import dev.jeton.server.api.Endpoint.Guard;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Which endpoints answer which path, at most one a method. Filled at start, then only read. */
final class Routes {

    /** A path with a part that may be anything. */
    private record Template(String before, String after) {

        boolean matches(String path) {
            return path.startsWith(before) && path.endsWith(after) && path.length() >= before.length() + after.length();
        }
    }

    private final Map<String, List<Endpoint>> exact = new LinkedHashMap<>();
    private final Map<Template, List<Endpoint>> templates = new LinkedHashMap<>();
    private final List<Route> all = new ArrayList<>();

    /**
     * Adds an endpoint.
     *
     * @param path one with a part in braces stands for every path that has anything there
     */
    Routes add(String path, Endpoint endpoint) {
        int open = path.indexOf('{');
        List<Endpoint> endpoints;
        if (open < 0) {
            endpoints = exact.computeIfAbsent(path, added -> new ArrayList<>());
        } else {
            Template template = new Template(path.substring(0, open), path.substring(path.indexOf('}') + 1));
            endpoints = templates.computeIfAbsent(template, added -> new ArrayList<>());
        }
        endpoints.add(endpoint);
        all.add(new Route(endpoint.method(), path, endpoint.guard() != Guard.OPEN));
        return this;
    }

    /** What answers a path that was asked for, by the template that says most about its end; empty for nothing. */
    List<Endpoint> of(String path) {
        List<Endpoint> endpoints = exact.get(path);
        if (endpoints != null) {
            return endpoints;
        }
        List<Endpoint> found = List.of();
        int most = -1;
        for (Map.Entry<Template, List<Endpoint>> entry : templates.entrySet()) {
            Template template = entry.getKey();
            if (template.matches(path) && template.after().length() > most) {
                found = entry.getValue();
                most = template.after().length();
            }
        }
        return found;
    }

    /** All of them. */
    List<Route> all() {
        return List.copyOf(all);
    }
}
