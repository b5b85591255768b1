package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.EngineException;
import dev.jeton.natives.NativeException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RankThreadsTest {

    private final AtomicInteger givenUp = new AtomicInteger();

    private RankThreads threads(int ranks) {
        return new RankThreads(ranks, givenUp::incrementAndGet);
    }

    /** Round after round, so that threads sleep and spin in every order. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5})
    void doesAllWorkOfARoundBeforeTheNext(int ranks) {
        AtomicIntegerArray done = new AtomicIntegerArray(ranks);
        try (RankThreads threads = threads(ranks)) {
            for (int round = 1; round <= 500; round++) {
                threads.all(done::incrementAndGet);
                for (int rank = 0; rank < ranks; rank++) {
                    assertThat(done.get(rank)).isEqualTo(round);
                }
            }
        }
        assertThat(givenUp).hasValue(0);
    }

    @Test
    void everyRankHasAThreadAndTheFirstIsTheCallers() {
        Thread[] of = new Thread[3];
        Thread[] again = new Thread[3];
        try (RankThreads threads = threads(3)) {
            threads.all(rank -> of[rank] = Thread.currentThread());
            threads.all(rank -> again[rank] = Thread.currentThread());
        }
        assertThat(of).doesNotHaveDuplicates().isEqualTo(again);
        assertThat(of[0]).isSameAs(Thread.currentThread());
        assertThat(of[2].isAlive()).isFalse();
    }

    /** The second rank fails while the others wait for it, until they are given up. */
    @Test
    void whoFailsGivesUpThoseThatWaitForIt() {
        CountDownLatch free = new CountDownLatch(1);
        try (RankThreads threads = new RankThreads(3, free::countDown)) {
            assertThatThrownBy(() -> threads.all(rank -> {
                        if (rank == 1) {
                            throw new NativeException("the second fails");
                        }
                        await(free);
                        throw new NativeException("rank %d was given up".formatted(rank));
                    }))
                    .isInstanceOf(NativeException.class)
                    .hasMessage("the second fails");
            threads.all(rank -> {});
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(60, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void whatAllRefuseIsRefusedAndNothingMore() {
        try (RankThreads threads = threads(2)) {
            assertThatThrownBy(() -> threads.all(rank -> {
                        throw new EngineException("no");
                    }))
                    .isExactlyInstanceOf(EngineException.class)
                    .hasMessage("no");
            threads.all(rank -> {});
        }
        assertThat(givenUp).hasValue(0);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void whatOneRefusesAndAnotherDoesLeavesThemApart(int refusing) {
        try (RankThreads threads = threads(2)) {
            RankThreads.Work work = rank -> {
                if (rank == refusing) {
                    throw new EngineException("no");
                }
            };
            assertThatThrownBy(() -> threads.all(work))
                    .isInstanceOf(NativeException.class)
                    .hasMessageContaining("one of 2 GPUs refused")
                    .hasMessageContaining("no");
            assertThat(givenUp).hasValue(1);
            assertThatThrownBy(() -> threads.each(work)).isExactlyInstanceOf(EngineException.class);
            assertThat(givenUp).hasValue(1);
        }
    }
}
