package dev.jeton.models;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.LayerGroup;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WindowGroupsTest {

    private static final int CONTEXT = 32_768;
    private static final int BLOCK = 16;
    private static final long LAYER = BLOCK * 1_024;
    private static final long WHOLE = CONTEXT / BLOCK;
    private static final EngineOptions OPTIONS = new EngineOptions(0, 0, 64, 512, BLOCK, 0, "none");

    /** As Gemma 3 has them: one layer of six sees everything. */
    private final WindowGroups groups = new WindowGroups(
            List.of(512, 0),
            IntStream.range(0, 24).mapToObj(i -> i % 6 == 5 ? 1 : 0).toList(),
            IntStream.range(0, 24).mapToObj(i -> i % 6 == 5 ? i / 6 : i - i / 6).toList());

    private static long bytes(List<LayerGroup> groups) {
        return groups.stream()
                .mapToLong(g -> g.blockCount() * g.bytesPerBlock())
                .sum();
    }

    @ParameterizedTest
    @ValueSource(doubles = {1, 1.1, 2, 5, 50})
    void holdsAWholeContextInEachGroupBeforeAnyGetsMore(double contexts) {
        long memory = (long) (contexts * WHOLE * 24 * LAYER);
        List<LayerGroup> divided = groups.divide(OPTIONS, CONTEXT, LAYER, memory);

        assertThat(divided).allMatch(group -> group.blockCount() >= WHOLE);
        assertThat(bytes(divided)).isLessThanOrEqualTo(memory);
    }

    @Test
    void holdsAWholeContextForOneSequence() {
        EngineOptions one = new EngineOptions(0, 0, 1, 512, BLOCK, 0, "none");

        assertThat(groups.divide(one, CONTEXT, LAYER, 2 * WHOLE * 24 * LAYER))
                .allMatch(group -> group.blockCount() == WHOLE);
    }

    @Test
    void dividesMemoryThatHoldsNoWholeContextInEqualNumbersOfBlocks() {
        assertThat(groups.divide(OPTIONS, CONTEXT, LAYER, 1_000 * 24 * LAYER))
                .allMatch(group -> group.blockCount() == 1_000);
    }

    @Test
    void dividesWhatIsLeftByWhatWindowsKeep() {
        List<LayerGroup> divided = groups.divide(OPTIONS, CONTEXT, LAYER, 200 * WHOLE * 4 * LAYER);

        long kept = (512 + 512 + BLOCK) / BLOCK;
        assertThat(divided.getFirst().blockCount()).isEqualTo((int) (64 * kept));
        assertThat(divided.getLast().blockCount()).isEqualTo((int) (64 * WHOLE));
    }
}
