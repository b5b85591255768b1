package dev.jeton.models.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class EngineInfoTest {

    private static EngineInfo info(int hostBlocks, Capability... capabilities) {
        LayerGroup group = new LayerGroup(4, 8, 64, 0, hostBlocks);
        return new EngineInfo("test", 10, 32, List.of("none"), List.of(group), 4, 4, 16, 1, Set.of(capabilities));
    }

    @Test
    void anEngineWithAStateInSlotsHasNoDrafts() {
        assertThatThrownBy(() -> info(0, Capability.STATE, Capability.DRAFTS))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("drafts");
    }

    @Test
    void anEngineWithAStateInSlotsHasNoHostTier() {
        assertThatThrownBy(() -> info(8, Capability.STATE, Capability.HOST_TIER))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("host's tier");
    }

    @Test
    void anEngineWithAStateInSlotsMayHaveAllElse() {
        EngineInfo info = info(
                0,
                Capability.STATE,
                Capability.ADAPTERS,
                Capability.MASKS,
                Capability.LOG_PROBABILITIES,
                Capability.PROMPT_LOG_PROBABILITIES);
        assertThat(info.supports(Capability.STATE)).isTrue();
    }
}
