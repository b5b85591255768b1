package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.accounting.Payer;
import dev.jeton.server.config.Tenant;
import org.junit.jupiter.api.Test;

class AdmissionTest {

    private static final Caller RED = tenant("red", 1);
    private static final Caller BLUE = tenant("blue", 2);

    private final Admission admission = new Admission(4);

    private static Caller tenant(String id, long salt) {
        return new Caller(new Payer(id, "", "key"), Tenant.Scope.TENANT, "", salt);
    }

    private void enter(Caller caller, int count) {
        for (int i = 0; i < count; i++) {
            admission.enter(caller);
        }
    }

    @Test
    void keepsAPlaceForOtherTenants() {
        enter(RED, 3);

        assertThatThrownBy(() -> admission.enter(RED))
                .isInstanceOf(ApiException.class)
                .hasMessageContaining("as many requests of this tenant as it may, 3");
        assertThatCode(() -> admission.enter(BLUE)).doesNotThrowAnyException();
        assertThat(admission.running()).isEqualTo(4);
    }

    @Test
    void givesATenantItsPlacesBack() {
        enter(RED, 3);
        admission.leave(RED);

        assertThatCode(() -> admission.enter(RED)).doesNotThrowAnyException();
    }

    @Test
    void leavesAllPlacesToWhoIsNoTenant() {
        enter(Caller.ANYONE, 4);

        assertThatThrownBy(() -> admission.enter(BLUE)).isInstanceOf(ApiException.class);
    }
}
