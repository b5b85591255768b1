package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.sim.SimClock;
import dev.jeton.models.sim.SimEngine;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Real threads against the ring and the loop, in many rounds; the time-outs only keep a hang from lasting for ever. */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class RacesTest {

    @ParameterizedTest(name = "ring of {0}")
    @ValueSource(ints = {1, 2, 7, 64})
    void theRingHandsOverEveryTokenInOrder(int ring) throws Exception {
        int tokens = 20_000;
        GenerationRequest request = request(0, 3, tokens);
        GenerationState generation = new GenerationState(request, ring, 0, () -> {}, g -> {});
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            Future<int[]> reader = threads.submit(() -> readInOrder(generation));
            Random random = new Random(ring);
            StepResult result = new StepResult();
            result.reset(1);
            result.addToken(0, 0);
            for (int i = 0; i < tokens; i++) {
                while (!generation.roomForOneMore(i)) {
                    generation.publish(i);
                    Thread.onSpinWait();
                }
                result.tokens[0] = i;
                generation.writeToken(i % 3, result, 0, 0, (byte) 0);
                if (random.nextInt(3) == 0) {
                    generation.publish(i);
                }
            }
            for (int s = 0; s < 3; s++) {
                generation.writeEnd(s, FinishReason.LENGTH, -1, "");
            }
            generation.publish(tokens);

            assertThat(reader.get()).containsExactly(6_667, 6_667, 6_666);
            assertThat(generation.usage().completionTokens()).isEqualTo(tokens);
        }
    }

    @ParameterizedTest(name = "ring of {0}")
    @ValueSource(ints = {1, 2, 7, 64})
    void noTokenOfASequenceComesOnceItsReaderHasStoppedIt(int ring) throws Exception {
        int tokens = 5_000;
        for (int round = 0; round < 20; round++) {
            GenerationRequest request = request(0, 2, tokens);
            GenerationState generation = new GenerationState(request, ring, 0, () -> {}, g -> {});
            int stopAfter = 1 + 100 * round;
            try (ExecutorService threads = Executors.newCachedThreadPool()) {
                Future<Integer> reader = threads.submit(() -> readUntilStopped(generation, stopAfter));
                StepResult result = new StepResult();
                result.reset(1);
                result.addToken(1, 0);
                for (int i = 0; i < tokens; i++) {
                    while (!generation.roomForOneMore(i) && !reader.isDone()) {
                        Thread.onSpinWait();
                    }
                    generation.writeToken(i % 2, result, 0, 1, (byte) 0);
                    generation.publish(i);
                }
                generation.writeEnd(0, FinishReason.LENGTH, 5, "");
                generation.writeEnd(1, FinishReason.LENGTH, 5, "");
                generation.publish(tokens);

                int taken = reader.get();
                GenerationUsage usage = generation.usage();
                assertThat(usage.completionTokens()).isEqualTo(taken);
                assertThat(usage.overrunTokens()).isEqualTo(tokens + 2 - taken);
                assertThat(usage.discardedNanos()).isEqualTo(tokens / 2 - stopAfter);
            }
        }
    }

    /** Stops the first sequence after so many of its tokens, and reads the other to its end. */
    private static int readUntilStopped(Generation generation, int stopAfter) throws InterruptedException {
        GenerationEvent event = new GenerationEvent();
        int ofFirst = 0;
        int taken = 0;
        while (generation.next(event)) {
            assertThat(event.sequence == 0 && ofFirst == stopAfter && event.token >= 0)
                    .as("a token follows a stop")
                    .isFalse();
            taken += event.token >= 0 ? 1 : 0;
            ofFirst += event.sequence == 0 && !event.finished ? 1 : 0;
            if (event.sequence == 0 && ofFirst == stopAfter && !event.finished) {
                generation.stop(0);
            }
        }
        return taken;
    }

    private static int[] readInOrder(Generation generation) throws InterruptedException {
        int[] taken = new int[3];
        int expected = 0;
        GenerationEvent event = new GenerationEvent();
        while (generation.next(event)) {
            if (event.finished) {
                assertThat(event.reason).isEqualTo(FinishReason.LENGTH);
            } else {
                assertThat(event.token).isEqualTo(expected);
                assertThat(event.sequence).isEqualTo(expected % 3);
                taken[event.sequence]++;
                expected++;
            }
        }
        return taken;
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
    void everyAcceptedRequestEndsThoughTheLoopIsClosedMeanwhile(int seed) throws Exception {
        races(seed, false);
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(ints = {1, 2, 3, 4, 5, 6})
    void everyAcceptedRequestEndsThoughTheEngineBreaksMeanwhile(int seed) throws Exception {
        races(seed, true);
    }

    @ParameterizedTest(name = "{0} threads")
    @ValueSource(ints = {1, 2, 4})
    void noStopIsLostOrHeardTwice(int threads) throws Exception {
        int requests = 1_000;
        int sequences = 200;
        Inbox inbox = new Inbox();
        int[] heard = new int[threads * requests * sequences];
        AtomicInteger readers = new AtomicInteger(threads);
        try (ExecutorService pool = Executors.newCachedThreadPool()) {
            List<Future<?>> done = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                int first = t * requests;
                done.add(pool.submit(() -> {
                    for (int i = first; i < first + requests; i++) {
                        GenerationState generation =
                                new GenerationState(request(i, sequences, 1), 1, 0, () -> {}, inbox::add);
                        for (int s = 0; s < sequences; s++) {
                            generation.stop(s);
                        }
                    }
                    readers.decrementAndGet();
                }));
            }
            while (readers.get() > 0 || !inbox.isEmpty()) {
                GenerationState generation = inbox.poll();
                if (generation != null) {
                    generation.heard();
                    int i = Integer.parseInt(generation.id().substring(1));
                    for (int s = 0; s < sequences; s++) {
                        heard[i * sequences + s] += generation.takeStop(s) ? 1 : 0;
                    }
                }
            }
            for (Future<?> each : done) {
                each.get();
            }
        }
        assertThat(heard).containsOnly(1);
    }

    private static void races(int seed, boolean breaking) throws Exception {
        SimClock clock = new SimClock(0);
        FaultyEngine engine = new FaultyEngine(new SimEngine(
                Simulation.VOCABULARY, 512, List.of(new LayerGroup(4, 64, 64, 0)), 8, 64, 2, Simulation.TIME, clock));
        SchedulerConfig config = new SchedulerConfig(8, 64, 100_000, 16, 1_000_000_000_000L, 0, true, 7);
        StepLoop loop = new StepLoop("test", engine, config, clock, 0, StepListener.NONE);
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Integer>> clients = new ArrayList<>();
            AtomicInteger submitted = new AtomicInteger();
            for (int i = 0; i < 6; i++) {
                Random random = new Random(100L * seed + i);
                clients.add(
                        threads.submit((Callable<Integer>) () -> submitUntilRefused(loop, threads, random, submitted)));
            }
            Random random = new Random(seed);
            awaitCount(submitted, random.nextInt(500));
            if (breaking) {
                engine.breaksOnOpen = true;
                awaitCount(submitted, random.nextInt(500));
            }
            loop.close();
            int accepted = 0;
            for (Future<Integer> client : clients) {
                accepted += client.get();
            }
            assertThat(accepted).isNotNegative();
        }
        assertThat(loop.idle()).isTrue();
    }

    /** Submits until the loop refuses, some requests cancelled at once, others while they are read; all are read. */
    private static int submitUntilRefused(
            StepLoop loop, ExecutorService threads, Random random, AtomicInteger submitted) throws Exception {
        List<Future<Boolean>> readers = new ArrayList<>();
        try {
            for (int i = 0; i < 5_000; i++) {
                Generation generation = loop.submit(request(i, 1 + random.nextInt(3), 1 + random.nextInt(30)));
                submitted.incrementAndGet();
                if (random.nextInt(3) == 0) {
                    generation.cancel();
                }
                readers.add(threads.submit((Callable<Boolean>) () -> readToTheEnd(generation)));
                if (random.nextBoolean()) {
                    // so that the loop also finds itself without commands
                    readers.getLast().get();
                }
            }
        } catch (RejectedException e) {
            assertThat(e.reason()).isIn(RejectedException.Reason.DRAINING, RejectedException.Reason.ENGINE_DOWN);
        }
        for (Future<Boolean> reader : readers) {
            assertThat(reader.get()).isTrue();
        }
        return readers.size();
    }

    private static boolean readToTheEnd(Generation generation) throws InterruptedException {
        GenerationEvent event = new GenerationEvent();
        int taken = 0;
        while (generation.next(event)) {
            if (++taken % 7 == 0 && ThreadLocalRandom.current().nextInt(4) == 0) {
                generation.cancel();
            }
        }
        return generation.done();
    }

    /** Waits until so many were submitted, or for a while where the loop refuses already. */
    private static void awaitCount(AtomicInteger submitted, int count) {
        for (int i = 0; i < 2_000_000 && submitted.get() < count; i++) {
            Thread.onSpinWait();
        }
    }

    private static GenerationRequest request(int i, int sequences, int maxTokens) {
        return new GenerationRequest(
                "r" + i,
                Simulation.tokens(i, 10 + i % 30),
                sequences,
                maxTokens,
                SamplingParameters.GREEDY,
                new int[0],
                false,
                i % 3,
                Long.MAX_VALUE,
                0,
                Allowance.UNLIMITED);
    }
}
