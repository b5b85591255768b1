package dev.jeton.server.api;

import dev.jeton.accounting.Payer;
import dev.jeton.accounting.Period;
import dev.jeton.server.config.Tenant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;

/**
 * Accepted keys and whose they are. Kept as digests, and found by digest: the time it takes says nothing about a key,
 * since nobody can choose a key whose digest is near another's. Asked by any thread; what is accepted is replaced
 * whole, so a call sees the keys of one moment.
 */
final class ApiKeys {

    private static final String SCHEME = "Bearer ";
    private static final int SHOWN_DIGITS = 8;
    /** Of a digest, as many as a long has. */
    private static final int SALT_DIGITS = 16;

    /**
     * A key that may be sent.
     *
     * @param until the first microsecond since 1970 at which it is not accepted any more
     * @param refused why it is not accepted at all
     */
    private record Entry(Caller caller, long until, Optional<ApiException> refused) {}

    private final List<String> plain;
    private final LongSupplier micros;
    private volatile Map<String, Entry> entries;
    private volatile boolean asked;

    /**
     * @param keys keys of {@code server.api-keys}: they work for the tenant {@code default}
     * @param tenants tenants with keys of their own
     * @param micros the time, microseconds since 1970
     */
    ApiKeys(List<String> keys, List<Tenant> tenants, LongSupplier micros) {
        this.plain = keys.stream().map(Tenant.Key::digest).toList();
        this.micros = micros;
        entries = entries(tenants);
        asked = !entries.isEmpty();
    }

    /** Accepts these tenants' keys from now on, and no call without one, even if there are none. */
    void replace(List<Tenant> tenants) {
        asked = true;
        entries = entries(tenants);
    }

    /** Whether calls need a key. */
    boolean asked() {
        return asked;
    }

    private Map<String, Entry> entries(List<Tenant> tenants) {
        Map<String, Entry> all = new HashMap<>();
        for (Tenant tenant : tenants) {
            long salt = salt(tenant.id());
            for (Tenant.Key key : tenant.keys()) {
                Payer payer = new Payer(tenant.id(), key.project(), key.id());
                Caller caller = new Caller(payer, key.scope(), tenant.zone(key), salt);
                Optional<ApiException> refused = refused(tenant, key);
                all.put(key.sha256(), new Entry(caller, key.expires(), refused));
                for (Tenant.Former former : key.formers()) {
                    all.put(former.sha256(), new Entry(caller, Math.min(former.until(), key.expires()), refused));
                }
            }
        }
        for (String digest : plain) {
            Payer payer = new Payer(Payer.NOBODY, "", digest.substring(0, SHOWN_DIGITS));
            all.putIfAbsent(
                    digest,
                    new Entry(new Caller(payer, Tenant.Scope.TENANT, "", 0), Tenant.Key.NEVER, Optional.empty()));
        }
        return all;
    }

    private static Optional<ApiException> refused(Tenant tenant, Tenant.Key key) {
        if (tenant.disabled()) {
            return Optional.of(new ApiException(
                    403,
                    "permission_error",
                    "",
                    "tenant_disabled",
                    "The tenant '%s' is disabled; its operator can enable it again".formatted(tenant.id())));
        }
        return key.disabled()
                ? Optional.of(unauthorized(
                        "disabled_api_key",
                        "The API key '%s' is disabled; its operator can enable it again".formatted(key.id())))
                : Optional.empty();
    }

    /**
     * Who sends an {@code Authorization} header.
     *
     * @throws ApiException 401, if keys are asked for and this is none of them, or not any more; 403 where its tenant
     *     is disabled
     */
    Caller caller(Optional<String> authorization) {
        if (!asked) {
            return Caller.ANYONE;
        }
        Entry entry = entries.get(Tenant.Key.digest(bearer(authorization)));
        if (entry == null) {
            throw unauthorized(
                    "invalid_api_key",
                    authorization.isEmpty()
                            ? "No API key was given: send it as 'Authorization: Bearer KEY'"
                            : "The API key is not one of this server's");
        }
        if (entry.refused().isPresent()) {
            throw entry.refused().get();
        }
        if (micros.getAsLong() >= entry.until()) {
            throw unauthorized(
                    "expired_api_key",
                    "The API key '%s' expired at %s"
                            .formatted(entry.caller().payer().key(), Period.text(entry.until())));
        }
        return entry.caller();
    }

    /**
     * Who sends a key in {@code X-Api-Key}, as Anthropic's clients do, or in {@code Authorization}.
     *
     * @param apiKey the header's value, not blank
     * @throws ApiException 401 also where two keys are sent: which of them pays is not to be guessed; otherwise as
     *     {@link #caller(Optional)}
     */
    Caller caller(Optional<String> authorization, Optional<String> apiKey) {
        if (!asked || apiKey.isEmpty() && authorization.isPresent()) {
            return caller(authorization);
        }
        String key = apiKey.orElseThrow(() -> unauthorized(
                        "invalid_api_key",
                        "No API key was given: send it as 'x-api-key: KEY' or 'Authorization: Bearer KEY'"))
                .strip();
        String bearer = bearer(authorization);
        if (!bearer.isEmpty() && !bearer.equals(key)) {
            throw unauthorized(
                    "two_api_keys",
                    "'x-api-key' and 'Authorization' have different keys; send one of them, or the same in both");
        }
        return caller(Optional.of(SCHEME + key));
    }

    /**
     * Who asks now for what was asked for before, by whose key.
     *
     * @throws ApiException 401 where that key is not accepted any more; 403 where its tenant is disabled
     */
    Caller caller(Payer payer) {
        if (!asked) {
            return Caller.ANYONE;
        }
        Entry found = entries.values().stream()
                .filter(entry -> entry.caller().payer().equals(payer) && micros.getAsLong() < entry.until())
                .findFirst()
                .orElseThrow(() -> unauthorized(
                        "invalid_api_key",
                        "The API key '%s', by which this was asked for, is not accepted any more"
                                .formatted(payer.key())));
        if (found.refused().isPresent()) {
            throw found.refused().get();
        }
        return found.caller();
    }

    /** The key in a header; empty where there is none. */
    private static String bearer(Optional<String> authorization) {
        return authorization
                .filter(value -> value.regionMatches(true, 0, SCHEME, 0, SCHEME.length()))
                .map(value -> value.substring(SCHEME.length()).strip())
                .orElse("");
    }

    private static ApiException unauthorized(String code, String message) {
        return new ApiException(401, ApiException.INVALID_REQUEST, "", code, message);
    }

    /** Cached prefixes are found under the same salt only, so that no tenant can time what others have asked. */
    private static long salt(String tenant) {
        return Long.parseUnsignedLong(Tenant.Key.digest("prefix cache of " + tenant), 0, SALT_DIGITS, 16) | 1;
    }
}
