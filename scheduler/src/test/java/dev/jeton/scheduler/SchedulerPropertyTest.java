package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.scheduler.Simulation.Output;
import dev.jeton.scheduler.Simulation.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Random traffic on little memory, with one and with two tickets in flight: every sequence gets the tokens that it gets
 * alone, nothing hangs, and all books add up.
 */
class SchedulerPropertyTest {

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
    void sameTokensAloneAndInAnyBatch(int seed) {
        Random random = new Random(seed);
        int window = seed % 3 == 0 ? 10 : 0;
        Shape shape = new Shape()
                .blocks(24 + random.nextInt(40))
                .window(window)
                .hostBlocks(seed % 4 == 0 ? 0 : random.nextInt(160))
                .copyNanosPerByte(random.nextInt(1_000))
                .sequences(2 + random.nextInt(7))
                .tokens(8 + random.nextInt(40))
                .tickets(1 + seed % 2)
                .drafts(seed % 7 < 4 ? 1 + random.nextInt(8) : 0)
                .prefixCaching(seed % 5 != 0);
        Simulation simulation = new Simulation(shape);
        List<GenerationState> live = new ArrayList<>();
        List<Output> outputs = new ArrayList<>();
        List<Boolean> cancelled = new ArrayList<>();
        for (int turn = 0; turn < 1_500; turn++) {
            if (random.nextInt(12) == 0) {
                try {
                    live.add(simulation.submit(request(random, turn, shape)));
                    outputs.add(new Output(live.getLast().request().sequences()));
                    cancelled.add(false);
                } catch (RejectedException e) {
                    assertThat(e.reason()).isEqualTo(RejectedException.Reason.TOO_LARGE);
                }
            }
            if (!live.isEmpty() && random.nextInt(60) == 0) {
                int victim = random.nextInt(live.size());
                live.get(victim).cancel();
                cancelled.set(victim, true);
            }
            if (!simulation.scheduler.turn()) {
                simulation.clock.advance(random.nextInt(5_000_000));
            }
            for (int i = 0; i < live.size(); i++) {
                Simulation.take(live.get(i), outputs.get(i));
            }
            if (turn % 20 == 0) {
                simulation.scheduler.verifyIntegrity();
            }
        }
        simulation.run();
        for (int i = 0; i < live.size(); i++) {
            Simulation.take(live.get(i), outputs.get(i));
            assertThat(live.get(i).done()).isTrue();
            check(live.get(i), outputs.get(i), cancelled.get(i), window);
        }
        checkBooks(simulation, live);
    }

    /** With a prediction, mostly, where anything is drafted. */
    private static GenerationRequest request(Random random, int id, Shape shape) {
        GenerationRequest request = Traffic.request(random, id);
        return shape.drafts > 0 && random.nextInt(4) > 0 ? Traffic.predicted(random, request, shape.window) : request;
    }

    private static void check(GenerationState generation, Output output, boolean cancelled, int window) {
        Output alone = Simulation.alone(generation.request(), window);
        for (int s = 0; s < generation.request().sequences(); s++) {
            List<Integer> expected = alone.tokens.get(s);
            List<Integer> actual = output.tokens.get(s);
            if (cancelled || output.reasons.get(s) == FinishReason.LENGTH && actual.size() < expected.size()) {
                assertThat(expected.subList(0, actual.size())).isEqualTo(actual);
            } else {
                assertThat(actual).isEqualTo(expected);
                assertThat(output.reasons.get(s)).isEqualTo(alone.reasons.get(s));
            }
        }
    }

    /**
     * The same with everything that may befall a request: readers slower than their small rings, stops, cancels,
     * deadlines, allowances that pause and end. What was delivered is the beginning of what it gets alone, each end is
     * told once, and everything ends.
     */
    @ParameterizedTest(name = "seed {0}")
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24})
    void everySequenceEndsOnceWhateverBefallsIt(int seed) {
        Random random = new Random(seed);
        int window = seed % 3 == 0 ? 10 : 0;
        int tokens = 4 + random.nextInt(40);
        Shape shape = new Shape()
                .blocks(24 + random.nextInt(40))
                .window(window)
                .hostBlocks(seed % 4 == 0 ? 0 : random.nextInt(160))
                .copyNanosPerByte(random.nextInt(1_000))
                .sequences(2 + random.nextInt(7))
                .tokens(tokens)
                .ring(1 + random.nextInt(12))
                .tickets(1 + seed % 2)
                .drafts(seed % 7 < 4 ? 1 + random.nextInt(8) : 0)
                .prefixCaching(seed % 5 != 0);
        Simulation simulation = new Simulation(shape);
        List<Reader> readers = new ArrayList<>();
        for (int turn = 0; turn < 1_500; turn++) {
            if (random.nextInt(10) == 0) {
                try {
                    GenerationRequest plain = request(random, turn, shape);
                    readers.add(new Reader(simulation, plain, random));
                } catch (RejectedException e) {
                    assertThat(e.reason()).isEqualTo(RejectedException.Reason.TOO_LARGE);
                }
            }
            if (!simulation.scheduler.turn()) {
                simulation.clock.advance(random.nextInt(5_000_000));
            }
            for (Reader reader : readers) {
                reader.act(random);
            }
            if (turn % 20 == 0) {
                simulation.scheduler.verifyIntegrity();
            }
        }
        for (Reader reader : readers) {
            reader.purse.left = 1_000_000;
        }
        for (int i = 0; i < 5_000 && !simulation.scheduler.idle(); i++) {
            simulation.run();
            readers.forEach(Reader::read);
        }
        readers.forEach(Reader::read);
        readers.forEach(reader -> reader.check(window));
        checkBooks(simulation, readers.stream().map(reader -> reader.generation).toList());
    }

    /** A random client of one request. */
    private static final class Reader {
        final GenerationRequest plain;
        final GenerationState generation;
        final Purse purse = new Purse(0);
        final Output output;
        final boolean[] stopped;
        private int taken;
        final int slowness;
        boolean cancelled;

        Reader(Simulation simulation, GenerationRequest request, Random random) {
            plain = request;
            slowness = 1 + (random.nextBoolean() ? 0 : random.nextInt(40));
            purse.left = random.nextInt(4) == 0 ? random.nextInt(20) : 1_000_000;
            purse.closed = random.nextInt(3) == 0;
            long deadline =
                    random.nextInt(8) == 0 ? simulation.clock.getAsLong() + random.nextInt(60_000_000) : Long.MAX_VALUE;
            GenerationRequest bounded = new GenerationRequest(
                            request.id(),
                            request.prompt(),
                            request.sequences(),
                            request.maxTokens(),
                            request.sampling(),
                            request.stopTokens(),
                            random.nextInt(8) == 0,
                            request.priority(),
                            deadline,
                            request.salt(),
                            purse)
                    .through(request.adapter())
                    .predicting(request.prediction());
            generation =
                    simulation.submit(request.grammar().map(bounded::guided).orElse(bounded));
            output = new Output(request.sequences());
            stopped = new boolean[request.sequences()];
        }

        void act(Random random) {
            if (random.nextInt(slowness) == 0) {
                read();
            }
            if (random.nextInt(2_000) == 0) {
                cancelled = true;
                generation.cancel();
            }
            int index = random.nextInt(stopped.length);
            if (random.nextInt(800) == 0 && !output.tokens.get(index).isEmpty()) {
                stopped[index] = true;
                generation.stop(index);
            }
            purse.left += random.nextInt(30) == 0 ? 1 : 0;
        }

        void read() {
            GenerationEvent event = new GenerationEvent();
            while (generation.poll(event)) {
                assertThat(stopped[event.sequence] && event.token >= 0)
                        .as("a token follows a stop")
                        .isFalse();
                taken += event.token >= 0 ? 1 : 0;
                assertThat(output.reasons.get(event.sequence))
                        .as("nothing follows an end")
                        .isNull();
                if (event.finished) {
                    output.reasons.set(event.sequence, event.reason);
                } else {
                    output.tokens.get(event.sequence).add(event.token);
                }
            }
        }

        void check(int window) {
            assertThat(generation.done()).as(plain.id() + " ends").isTrue();
            Output alone = Simulation.alone(plain, window);
            for (int s = 0; s < stopped.length; s++) {
                List<Integer> expected = alone.tokens.get(s);
                List<Integer> actual = output.tokens.get(s);
                FinishReason reason = output.reasons.get(s);
                assertThat(actual.size()).isLessThanOrEqualTo(expected.size());
                assertThat(expected.subList(0, actual.size())).isEqualTo(actual);
                if (reason == FinishReason.STOP && !stopped[s]) {
                    assertThat(actual).isEqualTo(expected);
                }
                if (reason == FinishReason.CANCELLED) {
                    assertThat(cancelled).isTrue();
                }
                assertThat(reason).isNotIn(FinishReason.ERROR, FinishReason.SHUTDOWN);
            }
            GenerationUsage usage = generation.usage();
            assertThat(usage.completionTokens()).isEqualTo(taken);
            assertThat(usage.drafts().accepted()).isLessThanOrEqualTo(taken);
            assertThat(purse.lent).as("lent and not settled").isZero();
        }
    }

    private static void checkBooks(Simulation simulation, List<GenerationState> live) {
        Scheduler scheduler = simulation.scheduler;
        scheduler.verifyIntegrity();
        assertThat(scheduler.idle()).isTrue();
        assertThat(simulation.queued()).isZero();
        assertThat(simulation.queuedTokens()).isZero();
        DispatcherStats stats = scheduler.stats();
        assertThat(stats.blocksHeld() + stats.blocksComputing()).isZero();
        assertThat(simulation.stepSums).allMatch(rest -> rest == 0);
        long attributed = live.stream()
                .mapToLong(g -> g.totals.tenantNanos + g.totals.houseNanos)
                .sum();
        assertThat(attributed).isEqualTo(scheduler.timeline().nanos(DeviceState.STEP));
        assertThat(scheduler.timeline().imbalance(simulation.clock.getAsLong())).isZero();
    }
}
