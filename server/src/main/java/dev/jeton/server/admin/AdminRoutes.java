package dev.jeton.server.admin;

import dev.jeton.server.api.ApiException;
import dev.jeton.server.api.Route;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** Which code answers which method of which path. Filled at start, then only read. */
final class AdminRoutes {

    /** Answers one kind of call. */
    @FunctionalInterface
    interface Handler {
        /** Answers, or throws an {@link ApiException} or a {@link dev.jeton.server.json.JsonException}. */
        AdminReply answer(AdminCall call);
    }

    /** What was found for a request. */
    record Found(Handler handler, Map<String, String> path) {}

    private record Entry(String method, String path, List<String> parts, Handler handler) {}

    private static final String PREFIX = "/admin/v1/";

    private final List<Entry> entries = new ArrayList<>();

    /**
     * Adds a path.
     *
     * @param path below {@code /admin/v1/}; parts in braces stand for anything
     */
    AdminRoutes add(String method, String path, Handler handler) {
        entries.add(new Entry(method, PREFIX + path, List.of(path.split("/")), handler));
        return this;
    }

    /** All of them. */
    List<Route> all() {
        return entries.stream()
                .map(entry -> new Route(entry.method(), entry.path(), true))
                .toList();
    }

    /**
     * What answers a request.
     *
     * @throws ApiException 404 or 405
     */
    Found find(String method, String path) {
        List<String> parts = path.startsWith(PREFIX)
                ? List.of(path.substring(PREFIX.length()).split("/", -1))
                : List.of();
        Set<String> methods = new TreeSet<>();
        for (Entry entry : entries) {
            Optional<Map<String, String>> named = match(entry.parts(), parts);
            if (named.isPresent()) {
                if (entry.method().equals(method)) {
                    return new Found(entry.handler(), named.get());
                }
                methods.add(entry.method());
            }
        }
        if (methods.isEmpty()) {
            throw new ApiException(
                    404,
                    ApiException.INVALID_REQUEST,
                    "",
                    "unknown_url",
                    "Unknown request URL: %s %s".formatted(method, ApiException.shown(path)));
        }
        throw new ApiException(
                405,
                ApiException.INVALID_REQUEST,
                "",
                "method_not_allowed",
                "%s answers %s only, not %s".formatted(ApiException.shown(path), String.join(", ", methods), method));
    }

    private static Optional<Map<String, String>> match(List<String> pattern, List<String> parts) {
        if (pattern.size() != parts.size()) {
            return Optional.empty();
        }
        Map<String, String> named = new LinkedHashMap<>();
        for (int i = 0; i < pattern.size(); i++) {
            String part = pattern.get(i);
            if (part.startsWith("{")) {
                named.put(part.substring(1, part.length() - 1), parts.get(i));
            } else if (!part.equals(parts.get(i))) {
                return Optional.empty();
            }
        }
        return Optional.of(named);
    }
}
