package dev.jeton.server.api;

import dev.jeton.accounting.Payer;
import dev.jeton.server.config.Tenant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Accepted keys and whose they are. Kept as digests, and found by digest: the time it takes says nothing about a key,
 * since nobody can choose a key whose digest is near another's.
 */
final class ApiKeys {

    private static final String SCHEME = "Bearer ";
    private static final int SHOWN_DIGITS = 8;
    /** Of a digest, as many as a long has. */
    private static final int SALT_DIGITS = 16;

    private final Map<String, Caller> callers = new HashMap<>();

    /**
     * @param keys keys of {@code server.api-keys}: they work for the tenant {@code default}
     * @param tenants tenants with keys of their own
     */
    ApiKeys(List<String> keys, List<Tenant> tenants) {
        for (Tenant tenant : tenants) {
            long salt = salt(tenant.id());
            for (Tenant.Key key : tenant.keys()) {
                Payer payer = new Payer(tenant.id(), key.project(), key.id());
                callers.put(
                        key.sha256(), new Caller(payer, key.scope() == Tenant.Scope.OPERATOR, tenant.zone(key), salt));
            }
        }
        for (String key : keys) {
            String digest = Tenant.Key.digest(key);
            Payer payer = new Payer(Payer.NOBODY, "", digest.substring(0, SHOWN_DIGITS));
            callers.putIfAbsent(digest, new Caller(payer, false, "", 0));
        }
    }

    /**
     * Who sends an {@code Authorization} header.
     *
     * @throws ApiException 401, if keys are asked for and this is none of them
     */
    Caller caller(Optional<String> authorization) {
        if (callers.isEmpty()) {
            return Caller.ANYONE;
        }
        String given = Tenant.Key.digest(authorization
                .filter(value -> value.regionMatches(true, 0, SCHEME, 0, SCHEME.length()))
                .map(value -> value.substring(SCHEME.length()).strip())
                .orElse(""));
        Caller caller = callers.get(given);
        if (caller == null) {
            throw new ApiException(
                    401,
                    ApiException.INVALID_REQUEST,
                    "",
                    "invalid_api_key",
                    authorization.isEmpty()
                            ? "No API key was given: send it as 'Authorization: Bearer KEY'"
                            : "The API key is not one of this server's");
        }
        return caller;
    }

    /** Cached prefixes are found under the same salt only, so that no tenant can time what others have asked. */
    private static long salt(String tenant) {
        return Long.parseUnsignedLong(Tenant.Key.digest("prefix cache of " + tenant), 0, SALT_DIGITS, 16) | 1;
    }
}
