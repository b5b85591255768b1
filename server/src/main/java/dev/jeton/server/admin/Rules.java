package dev.jeton.server.admin;

import dev.jeton.server.api.ApiException;
import dev.jeton.server.config.Names;
import dev.jeton.server.config.Tenant;
import dev.jeton.server.json.JsonObject;
import java.util.List;
import java.util.Locale;

/** What the groups of routes have in common: bounds, and words for what cannot be done. */
final class Rules {

    /** Most tenants, and most budgets. */
    static final int MAX_TENANTS = 10_000;
    /** Most keys of all tenants. */
    static final int MAX_KEYS = 10_000;
    /** Most projects of a tenant. */
    static final int MAX_PROJECTS = 1_000;

    private static final int MAX_NAME = 200;

    private Rules() {}

    /** An id that must be there. */
    static String id(JsonObject body, String field) {
        String id = body.text(field);
        if (!Names.fits(id)) {
            throw body.wrong(field, "'%s': %s".formatted(field, Names.EXPECTED));
        }
        return id;
    }

    /** A zone; empty text for none. */
    static String zone(JsonObject body, String otherwise) {
        String zone = body.optionalText("zone").orElse(otherwise);
        if (!zone.isEmpty() && !Names.fits(zone)) {
            throw body.wrong("zone", "'zone': " + Names.EXPECTED);
        }
        return zone;
    }

    /** A name in words. */
    static String name(JsonObject body, String otherwise) {
        String name = body.optionalText("name").orElse(otherwise);
        if (name.isBlank() || name.length() > MAX_NAME || name.chars().anyMatch(Character::isISOControl)) {
            throw body.wrong("name", "'name' must be 1 to %d printable characters".formatted(MAX_NAME));
        }
        return name;
    }

    /** The tenant of a path. */
    static Tenant tenant(Policy policy, String id) {
        return policy.tenant(id)
                .orElseThrow(() -> notFound(
                        "tenant", id, policy.tenants().stream().map(Tenant::id).toList()));
    }

    static ApiException notFound(String kind, String id, List<String> known) {
        String shown = ApiException.shown(id);
        return new ApiException(
                404,
                ApiException.INVALID_REQUEST,
                "",
                kind + "_not_found",
                "There is no %s '%s'%s".formatted(kind, shown, id.length() > 64 ? "" : Names.suggestion(id, known)));
    }

    static ApiException conflict(String code, String message) {
        return new ApiException(409, ApiException.INVALID_REQUEST, "", code, message);
    }

    static ApiException ofFile(String kind, String id) {
        return conflict(
                "defined_in_file", "%s '%s' is defined in jeton.yaml; change it there".formatted(capital(kind), id));
    }

    static ApiException exists(String kind, String id) {
        return conflict("already_exists", "There is a %s '%s' already".formatted(kind, id));
    }

    static void bound(int size, int most, String what) {
        if (size >= most) {
            throw conflict("too_many", "There are %,d %s, and more than %,d are not kept".formatted(size, what, most));
        }
    }

    private static String capital(String word) {
        return word.substring(0, 1).toUpperCase(Locale.ROOT) + word.substring(1);
    }
}
