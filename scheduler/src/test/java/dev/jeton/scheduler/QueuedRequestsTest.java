package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.SamplingParameters;
import org.junit.jupiter.api.Test;

class QueuedRequestsTest {

    private static final SchedulerConfig CONFIG = new SchedulerConfig(4, 64, 8, 800, 64, 1_000, 0, true, 0, 1);

    private final QueuedRequests queued = new QueuedRequests();

    private static GenerationRequest request(long tenant, int length) {
        return new GenerationRequest(
                "r",
                new int[length],
                1,
                1,
                SamplingParameters.GREEDY,
                new int[0],
                false,
                0,
                Long.MAX_VALUE,
                tenant,
                Allowance.UNLIMITED);
    }

    private void admit(int count, long tenant, int length) {
        for (int i = 0; i < count; i++) {
            queued.admit(request(tenant, length), CONFIG);
        }
    }

    @Test
    void keepsAQuarterOfThePlacesForOtherTenants() {
        admit(6, 1, 10);

        assertThatThrownBy(() -> admit(1, 1, 10))
                .isInstanceOf(RejectedException.class)
                .hasMessageContaining("6 requests of this tenant are waiting already");
        assertThatCode(() -> admit(2, 2, 10)).doesNotThrowAnyException();
        assertThat(queued.requests()).isEqualTo(8);
    }

    @Test
    void keepsAQuarterOfTheTokensForOtherTenants() {
        admit(2, 1, 300);

        assertThatThrownBy(() -> admit(1, 1, 10))
                .isInstanceOf(RejectedException.class)
                .hasMessageContaining("prompts of 600 tokens of this tenant are waiting already");
        assertThatCode(() -> admit(1, 2, 200)).doesNotThrowAnyException();
        assertThat(queued.tokens()).isEqualTo(800);
    }

    @Test
    void countsWhatIsPredictedLikeAPrompt() {
        GenerationRequest predicting = request(1, 10).predicting(new int[290]);
        queued.admit(predicting, CONFIG);
        queued.admit(predicting, CONFIG);

        assertThatThrownBy(() -> queued.admit(request(1, 10), CONFIG)).isInstanceOf(RejectedException.class);
        assertThat(queued.tokens()).isEqualTo(600);

        queued.remove(predicting);
        queued.remove(predicting);
        assertThat(queued.tokens()).isZero();
    }

    @Test
    void givesBackATenantsShareWithItsRequests() {
        admit(6, 1, 10);
        queued.remove(request(1, 10));

        assertThatCode(() -> admit(1, 1, 10)).doesNotThrowAnyException();
    }

    @Test
    void leavesAllPlacesToWhoIsNoTenant() {
        admit(8, 0, 100);

        assertThatThrownBy(() -> admit(1, 2, 1))
                .isInstanceOf(RejectedException.class)
                .hasMessageContaining("8 requests are waiting already");
    }

    @Test
    void admitsAPromptAloneHoweverLongItIs() {
        assertThatCode(() -> admit(1, 1, 2_000)).doesNotThrowAnyException();
    }
}
