package dev.jeton.benchmarks;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.Engines;
import dev.jeton.models.ModelException;
import dev.jeton.models.StepEngineProvider;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;
import java.util.function.LongSupplier;

/**
 * Times an engine through its port, with nothing around it: what a server on top of it can reach at best.
 *
 * <p>Arguments: folder, quantize (none, q8_0), threads, seconds per figure, clients of the closed loops (1,8,32; 0 for
 * none), engine (cpu), sequences that decode together (1).
 */
public final class EngineBench {

    private static final int PROMPT = 128;
    private static final int OUTPUT = 64;
    /** Longest context that is asked for. */
    static final int CONTEXT = 1024;

    private final Engine engine;
    private final StepBatch batch;
    private final int blockSize;
    private final int[] tokens;
    private final long nanos;
    private final int context;
    private final int prompt;
    private final int output;
    private int adapter;
    /** By which figures are taken; how long to go on is by the wall's. */
    private LongSupplier clock = System::nanoTime;

    /**
     * Prompts of {@value #PROMPT} tokens and {@value #OUTPUT} after them, or what of that a shorter context holds.
     *
     * @throws ModelException if it holds no prompt and answer at all
     */
    EngineBench(Engine engine, double seconds) {
        context = Math.min(CONTEXT, engine.info().contextLength());
        if (context < 2) {
            throw new ModelException("a context of one position has no room for a prompt and an answer");
        }
        output = Math.min(OUTPUT, context / 2);
        prompt = Math.min(PROMPT, context - output);
        this.engine = engine;
        this.nanos = (long) (seconds * 1e9);
        this.batch = new StepBatch(engine.info().groups().size());
        LayerGroup group = engine.info().groups().getFirst();
        this.blockSize = group.blockSize();
        this.tokens =
                new Random(1).ints(2 * CONTEXT, 5, engine.info().vocabulary()).toArray();
    }

    /** Prints one line of figures. */
    public static void main(String[] args) {
        Path folder = Path.of(args[0]);
        String quantize = args.length > 1 ? args[1] : "none";
        int threads = args.length > 2 ? Integer.parseInt(args[2]) : 0;
        double seconds = args.length > 3 ? Double.parseDouble(args[3]) : 3;
        String name = args.length > 5 ? args[5] : "cpu";
        String together = args.length > 6 ? args[6] : "1";
        StepEngineProvider provider = (StepEngineProvider) Engines.found().named(name);
        long start = System.nanoTime();
        EngineOptions options = new EngineOptions(CONTEXT, 1L << 30, 32, 512, 16, threads, quantize);
        try (Engine engine = provider.open(folder, options)) {
            double loaded = (System.nanoTime() - start) / 1e6;
            EngineBench bench = new EngineBench(engine, seconds);
            double first = bench.firstToken();
            System.out.printf(
                    Locale.ROOT,
                    "%s %s, %s %s: ready %.0f ms, first token %.0f ms, prefill 512: %.0f tok/s",
                    folder.getFileName(),
                    quantize,
                    name,
                    engine.info().devices(),
                    loaded,
                    first,
                    bench.prefill(512));
            for (String number : together.split(",")) {
                int rows = Integer.parseInt(number);
                System.out.printf(Locale.ROOT, ", decode %d: %.1f tok/s", rows, bench.decode(rows));
            }
            System.out.println();
            String loops = args.length > 4 ? args[4] : "1,8,32";
            for (String number : loops.split(",")) {
                int clients = Integer.parseInt(number);
                if (clients == 0) {
                    break;
                }
                System.out.printf(
                        Locale.ROOT,
                        "  %d clients, %d in, %d out: %.1f tok/s%n",
                        clients,
                        bench.prompt,
                        bench.output,
                        bench.closedLoop(clients));
            }
        }
    }

    /** The same work through an adapter of the model; 0 for none. */
    EngineBench through(int number) {
        adapter = number;
        return this;
    }

    /** The same by another clock, in nanoseconds. */
    EngineBench by(LongSupplier nanos) {
        clock = nanos;
        return this;
    }

    double firstToken() {
        long start = System.nanoTime();
        engine.open(0, spec(0));
        batch.clear();
        row(0, 0, prompt, true);
        engine.await(engine.launch(batch));
        engine.close(0);
        return (System.nanoTime() - start) / 1e6;
    }

    /** Sequences differ, since equal ones would go through the same experts. */
    private SequenceSpec spec(int slot) {
        int from = first(slot);
        return new SequenceSpec(
                SamplingParameters.GREEDY, Arrays.copyOfRange(tokens, from, from + prompt), prompt, prompt);
    }

    /** Where a slot's prompt begins among the tokens. */
    private int first(int slot) {
        return slot * 61 % (tokens.length - CONTEXT);
    }

    /** Adds inputs of the sequence in a slot; each slot has blocks of its own. */
    private void row(int slot, int position, int count, boolean given) {
        boolean ends = position + count >= prompt;
        if (given) {
            batch.addRow(slot, ends ? StepBatch.SAMPLE : 0, position, tokens, first(slot) + position, count);
        } else {
            batch.addLastTokenRow(slot, StepBatch.SAMPLE, position);
        }
        batch.useAdapter(adapter);
        int perSlot = Math.ceilDiv(context, blockSize);
        int needed = (position + count + blockSize - 1) / blockSize;
        int blocks = engine.info().groups().getFirst().blockCount();
        int[] table = new int[needed];
        for (int i = 0; i < needed; i++) {
            table[i] = (slot * perSlot + i) % blocks;
        }
        for (int g = 0; g < batch.groups(); g++) {
            batch.addBlocks(g, table, 0, needed);
        }
    }

    /** Opens a slot, and computes so much of its prompt. */
    private void begin(int slot, int count) {
        engine.open(slot, spec(slot));
        batch.clear();
        row(slot, 0, count, true);
        engine.await(engine.launch(batch));
    }

    /** Steps of decodes right behind prompts. */
    double decode(int rows) {
        for (int slot = 0; slot < rows; slot++) {
            begin(slot, prompt);
        }
        double best = 0;
        long end = System.nanoTime() + nanos;
        while (System.nanoTime() < end) {
            long start = clock.getAsLong();
            for (int i = 0; i < output; i++) {
                batch.clear();
                for (int slot = 0; slot < rows; slot++) {
                    row(slot, prompt + i, 1, false);
                }
                engine.await(engine.launch(batch));
            }
            best = Math.max(best, rows * output * 1e9 / (clock.getAsLong() - start));
            for (int slot = 0; engine.info().supports(Capability.STATE) && slot < rows; slot++) {
                // a state goes on where it ended
                engine.close(slot);
                begin(slot, prompt);
            }
        }
        for (int slot = 0; slot < rows; slot++) {
            engine.close(slot);
        }
        return best;
    }

    /** A prompt of so many tokens, or of what the context holds. */
    double prefill(int most) {
        int count = Math.min(most, context);
        double best = 0;
        long end = System.nanoTime() + nanos;
        while (System.nanoTime() < end) {
            engine.open(0, spec(0));
            long start = clock.getAsLong();
            batch.clear();
            row(0, 0, count, true);
            engine.await(engine.launch(batch));
            best = Math.max(best, count * 1e9 / (clock.getAsLong() - start));
            engine.close(0);
        }
        return best;
    }

    /**
     * Each client sends one request after the other, the clients evenly apart in their requests, so that prompts share
     * steps with decodes. Each window is as many tokens as all clients' requests hold, or a multiple, so that none has
     * fewer prompts than it must. Best of three windows.
     */
    double closedLoop(int clients) {
        int[] computed = new int[clients];
        boolean states = engine.info().supports(Capability.STATE);
        for (int slot = 0; slot < clients; slot++) {
            computed[slot] = slot * (prompt + output - 1) / clients;
            if (states && slot > 0) {
                // what is not computed cannot be passed over, and of an answer nothing is known yet
                computed[slot] = Math.min(computed[slot], prompt - 1);
                begin(slot, computed[slot]);
            } else {
                engine.open(slot, spec(slot));
            }
        }
        long round = (long) clients * output;
        for (long generated = 0; generated < round; ) {
            generated += loopStep(clients, computed);
        }
        double best = 0;
        for (int window = 0; window < 3; window++) {
            long generated = 0;
            long start = System.nanoTime();
            while (System.nanoTime() - start < nanos) {
                for (long until = generated + round; generated < until; ) {
                    generated += loopStep(clients, computed);
                }
            }
            best = Math.max(best, generated * 1e9 / (System.nanoTime() - start));
        }
        for (int slot = 0; slot < clients; slot++) {
            engine.close(slot);
        }
        return best;
    }

    private long loopStep(int clients, int[] computed) {
        batch.clear();
        int left = 512;
        for (int slot = 0; slot < clients; slot++) {
            if (computed[slot] >= prompt) {
                row(slot, computed[slot]++, 1, false);
                left--;
            }
        }
        for (int slot = 0; slot < clients; slot++) {
            int count = Math.min(left, prompt - computed[slot]);
            if (computed[slot] < prompt && count > 0) {
                row(slot, computed[slot], count, true);
                computed[slot] += count;
                left -= count;
            }
        }
        StepResult result = engine.await(engine.launch(batch));
        long generated = 0;
        for (int row = 0; row < batch.rows(); row++) {
            generated += result.accepted[row];
        }
        for (int slot = 0; slot < clients; slot++) {
            if (computed[slot] == prompt + output - 1) {
                engine.close(slot);
                engine.open(slot, spec(slot));
                computed[slot] = 0;
            }
        }
        return generated;
    }
}
