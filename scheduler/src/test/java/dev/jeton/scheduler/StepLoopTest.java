package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.sim.SimClock;
import dev.jeton.models.sim.SimEngine;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The loop with real threads around it; the engine's time stays simulated. */
class StepLoopTest {

    @Test
    void manyReadersEachGetTheirOwnTokens() throws Exception {
        try (StepLoop loop = loop(1024);
                ExecutorService readers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<List<Integer>>> futures = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                GenerationRequest request = request(i, 20);
                futures.add(readers.submit((Callable<List<Integer>>) () -> read(loop.submit(request))));
            }
            for (int i = 0; i < futures.size(); i++) {
                assertThat(futures.get(i).get())
                        .isEqualTo(Simulation.alone(request(i, 20), 0).only());
            }
            assertThat(loop.idle()).isTrue();
        }
    }

    @Test
    void refusesPastTheWaitingBound() {
        try (StepLoop loop = loop(4)) {
            List<Generation> accepted = new ArrayList<>();
            assertThatThrownBy(() -> {
                        for (int i = 0; i < 10_000; i++) {
                            accepted.add(loop.submit(request(i, 400)));
                        }
                    })
                    .isInstanceOfSatisfying(
                            RejectedException.class,
                            e -> assertThat(e.reason()).isEqualTo(RejectedException.Reason.QUEUE_FULL));
            accepted.forEach(Generation::cancel);
        }
    }

    @Test
    void refusesWhileDrainingAndFinishesWhatRuns() throws Exception {
        try (StepLoop loop = loop(64)) {
            Generation running = loop.submit(request(1, 30));
            loop.drain();

            assertThatThrownBy(() -> loop.submit(request(2, 1)))
                    .isInstanceOfSatisfying(
                            RejectedException.class,
                            e -> assertThat(e.reason()).isEqualTo(RejectedException.Reason.DRAINING));
            assertThat(read(running)).hasSize(30);
        }
    }

    @Test
    void aQuoteKnowsWhatIsInTheCacheUnderTheSameSaltOnly() throws Exception {
        try (StepLoop loop = loop(64)) {
            GenerationRequest request = request(1, 5);
            assertThat(loop.quote(request.prompt(), 0, 0).cachedTokens()).isZero();
            read(loop.submit(request));

            int cached = loop.quote(request.prompt(), 0, 0).cachedTokens();

            assertThat(cached).isBetween(1, request.prompt().length - 1);
            assertThat(loop.quote(request.prompt(), 7, 0).cachedTokens()).isZero();
        }
    }

    @Test
    void aQuoteIsRefusedOnceTheLoopHasEnded() {
        StepLoop loop = loop(64);
        loop.close();
        assertThatThrownBy(() -> loop.quote(new int[] {1}, 0, 0))
                .isInstanceOfSatisfying(
                        RejectedException.class,
                        e -> assertThat(e.reason()).isEqualTo(RejectedException.Reason.ENGINE_DOWN));
    }

    @Test
    @Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void aPromptCountsFromWhenTheEngineHasIt() throws Exception {
        HeldEngine engine = new HeldEngine(engine());
        try (StepLoop loop = new StepLoop("test", engine, config(64), new SimClock(0), 0, StepListener.NONE)) {
            Generation given = loop.submit(request(0, 5));
            engine.awaitHeld();
            Generation waiting = loop.submit(request(1, 5));
            assertThat(given.usage().promptTokens()).isEqualTo(request(0, 5).prompt().length);
            assertThat(waiting.usage().promptTokens()).isZero();
            engine.release();
            read(given);
            read(waiting);
            assertThat(waiting.usage().promptTokens()).isEqualTo(request(1, 5).prompt().length);
        }
    }

    @Test
    @Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void timeWithoutWorkIsBookedWhileItPasses() {
        SimClock clock = new SimClock(0);
        try (StepLoop loop = new StepLoop("test", engine(), config(64), clock, 0, StepListener.NONE)) {
            clock.advance(5_000_000_000L);
            while (loop.stats().deviceNanos()[DeviceState.IDLE.ordinal()] < 5_000_000_000L) {
                Thread.yield();
            }
            assertThat(loop.idle()).isTrue();
        }
    }

    @Test
    void closeEndsWhatStillRuns() throws Exception {
        StepLoop loop = loop(64);
        Generation generation = loop.submit(request(1, 400));
        loop.close();

        GenerationEvent event = new GenerationEvent();
        while (generation.next(event)) {
            assertThat(event.finished || event.token >= 0).isTrue();
        }
        assertThat(event.reason).isIn(FinishReason.SHUTDOWN, FinishReason.LENGTH);
    }

    @Test
    void anEngineThatFailsFailsItsRequestsAndRefusesNewOnes() throws Exception {
        SimClock clock = new SimClock(0);
        SimEngine broken = new SimEngine(
                Simulation.VOCABULARY, 512, List.of(new LayerGroup(4, 64, 64, 0)), 4, 64, 1, Simulation.TIME, clock);
        try (StepLoop loop = new StepLoop("test", broken, config(64), clock, 0, record -> {
            throw new IllegalStateException("made to fail");
        })) {
            Generation generation = loop.submit(request(1, 5));
            GenerationEvent event = new GenerationEvent();
            while (generation.next(event)) {
                assertThat(event.finished).isTrue();
            }
            assertThat(event.reason).isEqualTo(FinishReason.ERROR);
            assertThat(event.message).contains("made to fail");
            assertThat(loop.up()).isFalse();
            assertThatThrownBy(() -> loop.submit(request(2, 1)))
                    .isInstanceOfSatisfying(
                            RejectedException.class,
                            e -> assertThat(e.reason()).isEqualTo(RejectedException.Reason.ENGINE_DOWN));
        }
    }

    @Test
    @Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void aGrantThatComesWhileTheLoopRestsWakesIt() throws Exception {
        SimClock clock = new SimClock(0);
        SimEngine engine = new SimEngine(
                Simulation.VOCABULARY, 512, List.of(new LayerGroup(4, 64, 64, 0)), 8, 64, 2, Simulation.TIME, clock);
        long never = Long.MAX_VALUE;
        int tokens = 2_000;
        AtomicInteger purse = new AtomicInteger();
        Allowance allowance = new Allowance() {
            @Override
            public int grant(int wanted) {
                int taken = Math.min(wanted, purse.get());
                purse.addAndGet(-taken);
                return taken;
            }

            @Override
            public boolean exhausted() {
                return false;
            }
        };
        GenerationRequest plain = request(3, 200);
        try (StepLoop loop = new StepLoop("test", engine, config(64), clock, 0, StepListener.NONE, never)) {
            for (int done = 0; done < tokens; done += 200) {
                Generation generation = loop.submit(withAllowance(plain, allowance));
                GenerationEvent event = new GenerationEvent();
                for (int i = 0; i < 200; i++) {
                    // each token is granted while the loop goes to rest, or rests already
                    purse.incrementAndGet();
                    loop.wake();
                    assertThat(generation.next(event)).isTrue();
                    assertThat(event.finished).isFalse();
                }
                assertThat(generation.next(event)).isTrue();
                assertThat(event.reason).isEqualTo(FinishReason.LENGTH);
            }
        }
    }

    @Test
    @Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void nobodyWaitsToCancelOrStopWhileTheLoopIsHeldUp() throws Exception {
        int requests = 20_000;
        int threads = 8;
        HeldEngine engine = new HeldEngine(engine());
        try (StepLoop loop = new StepLoop("test", engine, config(requests), new SimClock(0), 0, StepListener.NONE)) {
            List<Generation> all = new ArrayList<>();
            all.add(loop.submit(request(0, 400)));
            engine.awaitHeld();
            for (int i = 1; i < requests; i++) {
                all.add(loop.submit(request(i, 400)));
            }
            try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
                List<Future<?>> tellers = new ArrayList<>();
                for (int t = 0; t < threads; t++) {
                    int own = t;
                    tellers.add(pool.submit(() -> tellAll(all, own, threads)));
                }
                for (Future<?> teller : tellers) {
                    teller.get();
                }
            }
            assertThat(engine.held()).isTrue();

            engine.release();
            for (Generation generation : all) {
                assertThat(ends(generation)).isEqualTo(1);
            }
            assertThat(loop.idle()).isTrue();
        }
    }

    /** Cancels every request, and before stops those whose reader this thread is. */
    private static void tellAll(List<Generation> all, int own, int threads) {
        for (int i = 0; i < all.size(); i++) {
            if (i % threads == own) {
                all.get(i).stop(0);
            }
            all.get(i).cancel();
        }
    }

    private static int ends(Generation generation) throws InterruptedException {
        GenerationEvent event = new GenerationEvent();
        int ends = 0;
        while (generation.next(event)) {
            ends += event.finished ? 1 : 0;
        }
        return ends;
    }

    @Test
    @Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void refusesPromptsPastTheBoundOfTokensThatWait() throws Exception {
        HeldEngine engine = new HeldEngine(engine());
        SchedulerConfig config = new SchedulerConfig(8, 64, 100, 50, 1024, 1_000_000_000_000L, 0, true, 0, 7);
        try (StepLoop loop = new StepLoop("test", engine, config, new SimClock(0), 0, StepListener.NONE)) {
            List<Generation> accepted = new ArrayList<>();
            accepted.add(loop.submit(request(0, 5)));
            engine.awaitHeld();
            accepted.add(loop.submit(prompt("the first may be longer than all that may wait", 60)));
            assertThatThrownBy(() -> loop.submit(prompt("one token more", 1)))
                    .isInstanceOfSatisfying(RejectedException.class, e -> {
                        assertThat(e.reason()).isEqualTo(RejectedException.Reason.QUEUE_FULL);
                        assertThat(e)
                                .hasMessageContaining("60 tokens are waiting")
                                .hasMessageContaining("50 may wait");
                    });
            engine.release();
            for (Generation generation : accepted) {
                read(generation);
            }
            // neither what was refused nor what was admitted is counted any more
            assertThat(read(loop.submit(prompt("as many as may wait", 50)))).hasSize(2);
        }
    }

    private static GenerationRequest prompt(String id, int tokens) {
        return GenerationRequest.of(id, Simulation.tokens(3, tokens), 2, SamplingParameters.GREEDY);
    }

    @Test
    @Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void refusesPastTheWaitingBoundAtOnceWhileTheLoopIsHeldUp() throws Exception {
        HeldEngine engine = new HeldEngine(engine());
        try (StepLoop loop = new StepLoop("test", engine, config(3), new SimClock(0), 0, StepListener.NONE)) {
            List<Generation> accepted = new ArrayList<>();
            accepted.add(loop.submit(request(0, 5)));
            engine.awaitHeld();
            for (int i = 1; i <= 3; i++) {
                accepted.add(loop.submit(request(i, 5)));
            }
            assertThatThrownBy(() -> loop.submit(request(4, 5)))
                    .isInstanceOfSatisfying(
                            RejectedException.class,
                            e -> assertThat(e.reason()).isEqualTo(RejectedException.Reason.QUEUE_FULL));

            engine.release();
            for (Generation generation : accepted) {
                assertThat(read(generation)).hasSize(5);
            }
        }
    }

    private static SimEngine engine() {
        return new SimEngine(
                Simulation.VOCABULARY,
                512,
                List.of(new LayerGroup(4, 512, 64, 0)),
                8,
                64,
                2,
                Simulation.TIME,
                new SimClock(0));
    }

    private static GenerationRequest withAllowance(GenerationRequest r, Allowance allowance) {
        return new GenerationRequest(
                r.id(),
                r.prompt(),
                r.sequences(),
                r.maxTokens(),
                r.sampling(),
                r.stopTokens(),
                r.promptLogProbabilities(),
                r.priority(),
                r.deadlineNanos(),
                r.salt(),
                allowance);
    }

    private static List<Integer> read(Generation generation) throws InterruptedException {
        List<Integer> tokens = new ArrayList<>();
        GenerationEvent event = new GenerationEvent();
        while (generation.next(event)) {
            if (!event.finished) {
                tokens.add(event.token);
            }
        }
        return tokens;
    }

    private static GenerationRequest request(int i, int maxTokens) {
        return GenerationRequest.of("r" + i, Simulation.tokens(i, 10 + i % 30), maxTokens, SamplingParameters.GREEDY);
    }

    private static StepLoop loop(int maxWaiting) {
        SimClock clock = new SimClock(0);
        SimEngine engine = new SimEngine(
                Simulation.VOCABULARY, 512, List.of(new LayerGroup(4, 512, 64, 0)), 8, 64, 2, Simulation.TIME, clock);
        return new StepLoop("test", engine, config(maxWaiting), clock, 0, StepListener.NONE);
    }

    private static SchedulerConfig config(int maxWaiting) {
        return new SchedulerConfig(8, 64, maxWaiting, 1024, 1_000_000_000_000L, 0, true, 7);
    }
}
