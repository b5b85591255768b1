package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.server.config.Tenant;
import dev.jeton.server.config.Tenant.Former;
import dev.jeton.server.config.Tenant.Key;
import dev.jeton.server.config.Tenant.Scope;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class ApiKeysTest {

    private final AtomicLong now = new AtomicLong(1_000);

    private static Key key(String secret, long expires, boolean disabled, Former... formers) {
        return new Key("k", Key.digest(secret), "", Scope.TENANT, "", expires, disabled, List.of(formers));
    }

    private static Tenant tenant(boolean disabled, Key... keys) {
        return new Tenant("t", "t", "", List.of(), List.of(keys), disabled);
    }

    private ApiKeys keys(Tenant... tenants) {
        return new ApiKeys(List.of(), List.of(tenants), now::get);
    }

    private static Optional<String> bearer(String secret) {
        return Optional.of("Bearer " + secret);
    }

    private static void assertRefused(ApiKeys keys, String secret, int status, String message) {
        assertThatThrownBy(() -> keys.caller(bearer(secret)))
                .isInstanceOfSatisfying(
                        ApiException.class, e -> assertThat(e.status()).isEqualTo(status))
                .hasMessageContaining(message);
    }

    @Test
    void aKeyIsAcceptedUntilTheMicrosecondAtWhichItExpires() {
        ApiKeys keys = keys(tenant(false, key("s", 2_000, false)));
        now.set(1_999);
        assertThat(keys.caller(bearer("s")).payer().tenant()).isEqualTo("t");
        now.set(2_000);
        assertRefused(keys, "s", 401, "expired at 1970-01-01T00:00:00.002Z");
    }

    @Test
    void aFormerSecretIsTheSameKeyUntilTheOverlapEnds() {
        ApiKeys keys = keys(tenant(false, key("new", Key.NEVER, false, new Former(Key.digest("old"), 3_000))));
        assertThat(keys.caller(bearer("old"))).isEqualTo(keys.caller(bearer("new")));
        now.set(3_000);
        assertRefused(keys, "old", 401, "expired");
        assertThat(keys.caller(bearer("new")).payer().key()).isEqualTo("k");
    }

    @Test
    void aFormerSecretDoesNotOutliveItsKey() {
        ApiKeys keys = keys(tenant(false, key("new", 2_000, false, new Former(Key.digest("old"), 3_000))));
        now.set(2_500);
        assertRefused(keys, "old", 401, "expired");
    }

    @Test
    void disabledKeysAndTenantsAreRefused() {
        assertRefused(keys(tenant(false, key("s", Key.NEVER, true))), "s", 401, "'k' is disabled");
        assertRefused(keys(tenant(true, key("s", Key.NEVER, false))), "s", 403, "'t' is disabled");
    }

    @Test
    void aServerWhoseLastKeyIsGoneStaysClosed() {
        ApiKeys keys = keys();
        assertThat(keys.caller(Optional.empty())).isEqualTo(Caller.ANYONE);
        keys.replace(List.of(tenant(false, key("s", Key.NEVER, false))));
        assertThat(keys.caller(bearer("s")).operator()).isFalse();
        keys.replace(List.of());
        assertRefused(keys, "s", 401, "not one of this server's");
        assertThatThrownBy(() -> keys.caller(Optional.empty())).isInstanceOf(ApiException.class);
    }
}
