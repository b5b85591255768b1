package dev.jeton.scheduler;

import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepTimeModel;
import dev.jeton.models.sim.SimClock;
import dev.jeton.models.sim.SimEngine;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.UnaryOperator;

/** The production scheduler on the sim engine and a simulated clock, turned by hand. */
final class Simulation {

    static final int BLOCK = 4;
    static final int VOCABULARY = 1000;
    static final StepTimeModel.Coefficients TIME = new StepTimeModel.Coefficients(1_000_000, 20_000, 50);

    final SimClock clock = new SimClock(1_000);
    final SimEngine engine;
    final Scheduler scheduler;
    final List<Long> stepSums = new ArrayList<>();
    private final QueuedRequests queued = new QueuedRequests();
    private int ids;

    Simulation(Shape shape) {
        this(shape, record -> {});
    }

    Simulation(Shape shape, StepListener listener) {
        this(shape, listener, engine -> engine);
    }

    /** With something around the engine, such as one that fails. */
    Simulation(Shape shape, StepListener listener, UnaryOperator<Engine> around) {
        List<LayerGroup> groups = new ArrayList<>();
        groups.add(new LayerGroup(BLOCK, shape.blocks, 1024, 0, shape.hostBlocks));
        if (shape.window > 0) {
            groups.add(new LayerGroup(BLOCK, shape.blocks, 1024, shape.window, shape.hostBlocks));
        }
        engine = shape.states
                ? SimEngine.withStates(
                        VOCABULARY, shape.context, groups, shape.sequences, shape.tokens, shape.tickets, TIME, clock)
                : new SimEngine(
                        VOCABULARY,
                        shape.context,
                        groups,
                        shape.sequences,
                        shape.tokens,
                        shape.tickets,
                        TIME,
                        shape.copyNanosPerByte,
                        clock);
        SchedulerConfig config = new SchedulerConfig(
                        shape.sequences,
                        shape.tokens,
                        64,
                        shape.ring,
                        1_000_000_000L,
                        shape.stepTarget,
                        shape.prefixCaching,
                        7)
                .drafting(shape.drafts);
        scheduler = new Scheduler(
                around.apply(engine),
                config,
                clock,
                clock.getAsLong(),
                new StepListener() {
                    @Override
                    public void onState(DeviceState state, long now) {
                        listener.onState(state, now);
                    }

                    @Override
                    public void onStep(StepRecord record) {
                        long sum = 0;
                        for (int i = 0; i < record.rows(); i++) {
                            sum += record.nanos[i];
                        }
                        stepSums.add(record.endNanos - record.startNanos - sum);
                        listener.onStep(record);
                    }
                },
                queued);
    }

    /** Sizes of a simulated engine. */
    static final class Shape {
        int blocks = 256;
        int hostBlocks;
        double copyNanosPerByte = 20;
        int window;
        int context = 512;
        int sequences = 8;
        int tokens = 64;
        int tickets = 1;
        int ring = 1024;
        long stepTarget;
        boolean prefixCaching = true;
        int drafts;
        boolean states;

        Shape blocks(int value) {
            blocks = value;
            return this;
        }

        /** A host's tier of so many blocks, 20 us a block. */
        Shape hostBlocks(int value) {
            hostBlocks = value;
            return this;
        }

        /** The same, where a byte takes another time than 20 ns. */
        Shape copyNanosPerByte(double value) {
            copyNanosPerByte = value;
            return this;
        }

        Shape window(int value) {
            window = value;
            return this;
        }

        Shape sequences(int value) {
            sequences = value;
            return this;
        }

        Shape tokens(int value) {
            tokens = value;
            return this;
        }

        Shape tickets(int value) {
            tickets = value;
            return this;
        }

        Shape ring(int value) {
            ring = value;
            return this;
        }

        Shape stepTarget(long nanos) {
            stepTarget = nanos;
            return this;
        }

        Shape drafts(int value) {
            drafts = value;
            return this;
        }

        Shape prefixCaching(boolean value) {
            prefixCaching = value;
            return this;
        }

        /** With a state in each slot. */
        Shape withStates() {
            states = true;
            return this;
        }
    }

    GenerationState submit(int[] prompt, int maxTokens) {
        return submit(GenerationRequest.of("r" + ids++, prompt, maxTokens, SamplingParameters.GREEDY));
    }

    GenerationState submit(GenerationRequest request) {
        return (GenerationState) scheduler.submit(request);
    }

    int queued() {
        return queued.requests();
    }

    /** Tokens of the prompts of those. */
    long queuedTokens() {
        return queued.tokens();
    }

    /** Turns until there is nothing to do, and waits for copies between the tiers. */
    void run() {
        for (int i = 0; i < 1_000_000; i++) {
            if (!scheduler.turn()) {
                OptionalLong copied = engine.nextCopy();
                if (copied.isEmpty()) {
                    return;
                }
                clock.advanceTo(copied.getAsLong());
            }
        }
        throw new IllegalStateException("the scheduler does not come to rest");
    }

    /** What a generation has produced so far, taken by its reader. */
    static Output take(GenerationState generation) {
        Output output = new Output(generation.request().sequences());
        take(generation, output);
        return output;
    }

    static void take(GenerationState generation, Output output) {
        GenerationEvent event = new GenerationEvent();
        while (generation.poll(event)) {
            if (event.finished) {
                output.reasons.set(event.sequence, event.reason);
                output.messages.set(event.sequence, event.message);
            } else {
                output.tokens.get(event.sequence).add(event.token);
            }
        }
    }

    /** Tokens and ends by sequence. */
    static final class Output {
        final List<List<Integer>> tokens = new ArrayList<>();
        final List<FinishReason> reasons = new ArrayList<>();
        final List<String> messages = new ArrayList<>();

        Output(int sequences) {
            for (int i = 0; i < sequences; i++) {
                tokens.add(new ArrayList<>());
                reasons.add(null);
                messages.add("");
            }
        }

        List<Integer> only() {
            return tokens.getFirst();
        }

        FinishReason reason() {
            return reasons.getFirst();
        }
    }

    /** The tokens that this request gets when nothing else runs and memory is plenty. */
    static Output alone(GenerationRequest request, int window) {
        return alone(request, new Shape().window(window));
    }

    /** The same on an engine of this shape, but for its bounds. */
    static Output alone(GenerationRequest request, Shape shape) {
        Simulation simulation = new Simulation(shape.blocks(2048).sequences(64).tokens(512));
        GenerationState generation = simulation.submit(request);
        simulation.run();
        return take(generation);
    }

    static int[] tokens(int from, int count) {
        int[] tokens = new int[count];
        for (int i = 0; i < count; i++) {
            tokens[i] = (from + i) % VOCABULARY;
        }
        return tokens;
    }
}
