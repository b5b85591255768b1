package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class JournalSpaceTest {

    private final JournalSpace space = new JournalSpace(JournalConfig.of("node"), 0);

    private void open(String request, long sequence) {
        space.open(
                new Fact.Opened(1, request, Payer.UNKNOWN, "m", Map.of(), "", "", 1, Zones.UNKNOWN, Work.GENERATION),
                sequence,
                100,
                1_000);
    }

    private void close(String request, long sequence) {
        space.take(
                new Fact.Closed(2, request, Fact.Outcome.COMPLETED, Tokens.NONE, 0, 0, 0, 0, 0, 0, 0), sequence, 100);
    }

    @Test
    void aRequestHoldsItsBeginningUntilItsEndIsDurable() {
        open("a", 1);
        open("b", 2);
        close("a", 3);
        assertThat(space.oldestOpen()).isEqualTo(1);
        space.durable(2);
        assertThat(space.oldestOpen()).isEqualTo(1);
        space.durable(3);
        assertThat(space.oldestOpen()).isEqualTo(2);
    }

    @Test
    void nothingIsHeldOnceAllEndsAreDurable() {
        open("a", 1);
        open("b", 2);
        close("b", 3);
        close("a", 4);
        space.durable(4);
        assertThat(space.oldestOpen()).isEqualTo(Long.MAX_VALUE);
        assertThat(space.reserved()).isZero();
    }
}
