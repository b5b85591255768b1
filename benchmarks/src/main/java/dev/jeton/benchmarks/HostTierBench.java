package dev.jeton.benchmarks;

import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepTimeModel;
import dev.jeton.models.sim.SimClock;
import dev.jeton.models.sim.SimEngine;
import dev.jeton.scheduler.DeviceState;
import dev.jeton.scheduler.DispatcherStats;
import dev.jeton.scheduler.Generation;
import dev.jeton.scheduler.GenerationEvent;
import dev.jeton.scheduler.GenerationRequest;
import dev.jeton.scheduler.GenerationUsage;
import dev.jeton.scheduler.Scheduler;
import dev.jeton.scheduler.SchedulerConfig;
import dev.jeton.scheduler.StepListener;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.PriorityQueue;
import java.util.Random;

/**
 * What the host's tier saves, simulated: the production scheduler and cache on the sim engine, whose steps take what an
 * 8B model in 16 bits is predicted to take on an H200 (benchmarks/gpu/NOTES.md: weights read in 4 ms, 16 us of
 * arithmetic a token, 131 KB of K and V a token at 4.3 TB/s) and whose copies take what a bus of 50 GB/s does. Nothing
 * of it was measured on a GPU.
 *
 * <p>The work: people who chat about a document of their own. Each reads and types for a while, then sends the whole
 * chat again with 100 tokens more and gets 100. All chats together are four times what the device holds.
 *
 * <p>Argument: people (default 256). One line for each size of the host's tier, as a share of the device's.
 */
public final class HostTierBench {

    private static final int BLOCK = 16;
    private static final long BLOCK_BYTES = 131_072L * BLOCK;
    private static final int VOCABULARY = 128_256;
    private static final int CONTEXT = 8_192;
    private static final int LEAST_DOCUMENT = 2_000;
    private static final int MOST_DOCUMENT = 6_000;
    private static final int TURNS = 8;
    private static final int QUESTION = 100;
    private static final int ANSWER = 100;
    private static final double THINK_NANOS = 30e9;
    private static final StepTimeModel.Coefficients TIMES = new StepTimeModel.Coefficients(4e6, 16e3, 30);
    private static final double NANOS_PER_BYTE = 1 / 50.0;

    /** Somebody with a chat. */
    private static final class Person {
        final List<Integer> chat = new ArrayList<>();
        long asksAt;
        int turns;

        void add(Random random, int count) {
            for (int i = 0; i < count; i++) {
                chat.add(random.nextInt(VOCABULARY));
            }
        }
    }

    private record Asked(Person person, Generation generation) {}

    private final Random random = new Random(11);
    private final SimClock clock = new SimClock(0);
    private final SimEngine engine;
    private final Scheduler scheduler;
    private final PriorityQueue<Person> thinking = new PriorityQueue<>((a, b) -> Long.compare(a.asksAt, b.asksAt));
    private final List<Asked> asked = new ArrayList<>();
    private final List<Long> firstTokens = new ArrayList<>();
    private final GenerationEvent event = new GenerationEvent();
    private int requests;

    private HostTierBench(int people, int blocks, int hostBlocks) {
        engine = new SimEngine(
                VOCABULARY,
                CONTEXT,
                List.of(new LayerGroup(BLOCK, blocks, BLOCK_BYTES, 0, hostBlocks)),
                128,
                8_192,
                2,
                TIMES,
                NANOS_PER_BYTE,
                clock);
        SchedulerConfig config = new SchedulerConfig(128, 8_192, 1 << 16, 1_024, Long.MAX_VALUE / 4, 0, true, 1);
        scheduler = new Scheduler(engine, config, clock, 0, StepListener.NONE);
        for (int i = 0; i < people; i++) {
            Person person = new Person();
            person.add(random, LEAST_DOCUMENT + random.nextInt(MOST_DOCUMENT - LEAST_DOCUMENT));
            think(person);
        }
    }

    private void think(Person person) {
        person.add(random, QUESTION);
        person.asksAt = clock.getAsLong() + Math.round(-Math.log(1 - random.nextDouble()) * THINK_NANOS);
        thinking.add(person);
    }

    private void run() {
        while (!thinking.isEmpty() || !asked.isEmpty()) {
            while (!thinking.isEmpty() && thinking.element().asksAt <= clock.getAsLong()) {
                ask(thinking.remove());
            }
            if (!scheduler.turn()) {
                long next = thinking.isEmpty() ? Long.MAX_VALUE : thinking.element().asksAt;
                clock.advanceTo(Math.min(next, engine.nextCopy().orElse(next)));
            }
            hear();
        }
    }

    private void ask(Person person) {
        int[] prompt = person.chat.stream().mapToInt(Integer::intValue).toArray();
        GenerationRequest request = GenerationRequest.of("r" + requests++, prompt, ANSWER, SamplingParameters.GREEDY);
        asked.add(new Asked(person, scheduler.submit(request)));
    }

    private void hear() {
        for (int i = asked.size() - 1; i >= 0; i--) {
            Asked each = asked.get(i);
            while (each.generation.poll(event)) {
                if (!event.finished) {
                    each.person.chat.add(event.token);
                }
            }
            if (each.generation.done()) {
                asked.remove(i);
                GenerationUsage usage = each.generation.usage();
                firstTokens.add(usage.queueNanos() + usage.prefillNanos());
                if (++each.person.turns < TURNS) {
                    think(each.person);
                }
            }
        }
    }

    private String line(String name) {
        DispatcherStats stats = scheduler.stats();
        long[] waits = firstTokens.stream().mapToLong(Long::longValue).sorted().toArray();
        double whole = clock.getAsLong();
        return String.format(
                Locale.ROOT,
                "| %s | %,d | %.0f%% | %.0f%% | %,.0f | %,.0f | %.0f%% | %.1f%% | %.0f | %.0f |",
                name,
                stats.prefillTokens(),
                100.0 * (stats.prefixHitTokens() - stats.host().hitTokens()) / stats.prefixQueriedTokens(),
                100.0 * stats.host().hitTokens() / stats.prefixQueriedTokens(),
                waits[waits.length / 2] / 1e6,
                waits[waits.length * 95 / 100] / 1e6,
                100 * stats.deviceNanos()[DeviceState.STEP.ordinal()] / whole,
                100 * stats.deviceNanos()[DeviceState.COPY.ordinal()] / whole,
                stats.host().offloadedBytes() / 1e9,
                stats.host().loadedBytes() / 1e9);
    }

    /** Runs. */
    public static void main(String[] arguments) {
        int people = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 256;
        int mean = (LEAST_DOCUMENT + MOST_DOCUMENT) / 2 + TURNS * (QUESTION + ANSWER) / 2;
        int blocks = people * mean / BLOCK / 4;
        System.out.printf(Locale.ROOT, "%d people, %d blocks (%.0f GB)%n", people, blocks, blocks * BLOCK_BYTES / 1e9);
        System.out.println("| host's tier | tokens prefilled | found on the device | on the host"
                + " | first token p50, ms | p95 | in steps | in copies alone | GB put away | GB brought back |");
        System.out.println("|---|---|---|---|---|---|---|---|---|---|");
        for (double share : new double[] {0, 0.5, 1, 2, 4}) {
            HostTierBench bench = new HostTierBench(people, blocks, (int) (share * blocks));
            bench.run();
            bench.scheduler.verifyIntegrity();
            System.out.println(bench.line(share == 0 ? "none" : share + " times the device's"));
        }
    }
}
