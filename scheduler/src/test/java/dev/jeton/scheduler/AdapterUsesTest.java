package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class AdapterUsesTest {

    private final AdapterUses uses = new AdapterUses();

    @Test
    void givesUpOneThatIsToLeaveOnceItsLastRequestHasEnded() {
        uses.add(3);
        assertThat(uses.begin(3)).isTrue();
        assertThat(uses.begin(3)).isTrue();
        uses.leave(3);
        assertThat(uses.takeUnused()).isZero();
        uses.end(3);
        assertThat(uses.takeUnused()).isZero();
        uses.end(3);
        assertThat(uses.takeUnused()).isEqualTo(3);
        assertThat(uses.takeUnused()).isZero();
    }

    @Test
    void beginsNothingThroughOneThatIsToLeaveOrWasNeverThere() {
        uses.add(1);
        uses.leave(1);
        uses.leave(1);
        assertThat(uses.begin(1)).isFalse();
        assertThat(uses.begin(2)).isFalse();
        assertThat(uses.takeUnused()).isEqualTo(1);
        assertThat(uses.begin(1)).isFalse();
    }

    @Test
    void keepsOneThatNobodyUsesUntilItIsToLeave() {
        uses.add(1);
        uses.begin(1);
        uses.end(1);
        assertThat(uses.takeUnused()).isZero();
    }

    @Test
    void neverGivesUpOneThatARequestHasBegunWith() throws InterruptedException {
        AtomicInteger taken = new AtomicInteger();
        for (int adapter = 1; adapter <= 200; adapter++) {
            int number = adapter;
            uses.add(number);
            AtomicInteger under = new AtomicInteger();
            AtomicInteger wrong = new AtomicInteger();
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                threads.add(Thread.ofPlatform().start(() -> {
                    while (uses.begin(number)) {
                        under.incrementAndGet();
                        wrong.addAndGet(taken.get() == number ? 1 : 0);
                        under.decrementAndGet();
                        uses.end(number);
                    }
                }));
            }
            uses.leave(number);
            while (taken.get() != number) {
                int unused = uses.takeUnused();
                if (unused != 0) {
                    assertThat(unused).isEqualTo(number);
                    assertThat(under).hasValue(0);
                    taken.set(unused);
                }
            }
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(wrong).hasValue(0);
        }
    }
}
