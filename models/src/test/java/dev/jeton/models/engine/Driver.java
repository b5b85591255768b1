package dev.jeton.models.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;

/** The plainest user of an engine: sequences with block tables, steps made by hand. */
public final class Driver {

    /** One sequence and what came of it. */
    public static final class Sequence {
        public final int slot;
        public final int promptLength;
        public int[] tokens;
        public int length;
        /** That its rows go through; 0 for none. */
        public int adapter;
        /** Tokens whose K and V are in blocks. */
        public int computed;

        public final int[][] table;
        /** The same blocks on the host, of those that were copied there. */
        public int[][] onHost;

        public final List<Float> logProbabilities = new ArrayList<>();
        public String failure = "";

        Sequence(int slot, int[] prompt, int groups) {
            this.slot = slot;
            this.promptLength = prompt.length;
            this.tokens = Arrays.copyOf(prompt, Math.max(16, 2 * prompt.length));
            this.length = prompt.length;
            this.table = new int[groups][0];
            this.onHost = new int[groups][0];
        }

        public int[] generated() {
            return Arrays.copyOfRange(tokens, promptLength, length);
        }

        void append(int token) {
            if (length == tokens.length) {
                tokens = Arrays.copyOf(tokens, 2 * length);
            }
            tokens[length++] = token;
        }
    }

    private final Engine engine;
    private final StepBatch batch;
    private final List<List<Integer>> free = new ArrayList<>();
    private boolean failuresExpected;

    public Driver(Engine engine) {
        this(engine, 0);
    }

    /** With a seed, blocks are handed out in a shuffled order. */
    public Driver(Engine engine, long seed) {
        this.engine = engine;
        this.batch = new StepBatch(engine.info().groups().size());
        for (LayerGroup group : engine.info().groups()) {
            List<Integer> ids = new ArrayList<>();
            for (int i = 0; i < group.blockCount(); i++) {
                ids.add(i);
            }
            if (seed != 0) {
                java.util.Collections.shuffle(ids, new java.util.Random(seed));
            }
            free.add(ids);
        }
    }

    /** From now on a row that fails is for the test to look at, and not an error. */
    public Driver expectingFailures() {
        failuresExpected = true;
        return this;
    }

    public Sequence open(int slot, int[] prompt, SamplingParameters sampling) {
        Sequence sequence = new Sequence(slot, prompt, batch.groups());
        engine.open(slot, new SequenceSpec(sampling, prompt, prompt.length, prompt.length));
        return sequence;
    }

    /** Gives the slot and all blocks back. */
    public void close(Sequence sequence) {
        engine.close(sequence.slot);
        for (int g = 0; g < batch.groups(); g++) {
            for (int block : sequence.table[g]) {
                if (block >= 0) {
                    free.get(g).add(block);
                }
            }
            sequence.table[g] = new int[0];
        }
        sequence.computed = 0;
    }

    public Driver begin() {
        batch.clear();
        return this;
    }

    public StepBatch batch() {
        return batch;
    }

    /**
     * Adds a row with the next {@code count} tokens that are not computed yet; if they end the sequence, one that
     * samples, or brings a vector where the engine does that.
     */
    public void add(Sequence sequence, int count, int flags) {
        int end = sequence.computed + count;
        reserve(sequence, end);
        boolean last = end == sequence.length;
        boolean vectors = engine.info().supports(Capability.POOLING);
        int all = flags | (!last ? 0 : vectors ? StepBatch.POOLED : StepBatch.SAMPLE);
        int row = batch.addRow(sequence.slot, all, sequence.computed, sequence.tokens, sequence.computed, count);
        if (!last) {
            batch.following[row] = sequence.tokens[end];
        }
        batch.useAdapter(sequence.adapter);
        tables(sequence);
    }

    /** Adds a decode of the slot's own last token. */
    public void addLast(Sequence sequence) {
        reserve(sequence, sequence.computed + 1);
        batch.addLastTokenRow(sequence.slot, StepBatch.SAMPLE, sequence.computed);
        batch.useAdapter(sequence.adapter);
        tables(sequence);
    }

    private void tables(Sequence sequence) {
        for (int g = 0; g < batch.groups(); g++) {
            batch.addBlocks(g, sequence.table[g], 0, sequence.table[g].length);
        }
    }

    /** Blocks up to a length; those wholly before the window of the next position are given back. */
    public void reserve(Sequence sequence, int tokens) {
        for (int g = 0; g < batch.groups(); g++) {
            LayerGroup group = engine.info().groups().get(g);
            int needed = (tokens + group.blockSize() - 1) / group.blockSize();
            int had = sequence.table[g].length;
            if (needed > had) {
                sequence.table[g] = Arrays.copyOf(sequence.table[g], needed);
                for (int i = had; i < needed; i++) {
                    assertThat(free.get(g)).as("free blocks").isNotEmpty();
                    sequence.table[g][i] = free.get(g).removeFirst();
                }
            }
            if (group.window() > 0) {
                int first = Math.max(0, sequence.computed - group.window() + 1) / group.blockSize();
                for (int i = 0; i < first; i++) {
                    if (sequence.table[g][i] >= 0) {
                        free.get(g).add(sequence.table[g][i]);
                        sequence.table[g][i] = -1;
                    }
                }
            }
        }
    }

    public StepResult run() {
        return engine.await(engine.launch(batch));
    }

    /** Books row {@code row}'s outcome. */
    public void apply(StepResult result, int row, Sequence sequence) {
        sequence.computed += batch.inputs(row);
        if (result.accepted[row] < 0) {
            sequence.failure = result.failure(row).orElseThrow();
            assertThat(failuresExpected)
                    .as("slot %d failed: %s", sequence.slot, sequence.failure)
                    .isTrue();
        }
        for (int i = 0; i < result.accepted[row]; i++) {
            sequence.append(result.tokens[result.tokenStart[row] + i]);
            sequence.logProbabilities.add(result.logProbabilities[result.tokenStart[row] + i]);
        }
    }

    /** Prefills in chunks and decodes until {@code count} tokens were generated. */
    public Sequence generate(int slot, int[] prompt, SamplingParameters sampling, int count, int chunk) {
        Sequence sequence = open(slot, prompt, sampling);
        while (sequence.length - sequence.promptLength < count && sequence.failure.isEmpty()) {
            begin();
            add(sequence, Math.min(chunk, sequence.length - sequence.computed), 0);
            apply(run(), 0, sequence);
        }
        return sequence;
    }

    /** The first tokens of an answer with two steps in flight, each taking its token from where the last leaves it. */
    public int[] generateWithTwoInFlight(int slot, int[] prompt, SamplingParameters parameters, int count) {
        Sequence sequence = open(slot, prompt, parameters);
        begin().add(sequence, prompt.length, 0);
        Deque<StepTicket> flying = new ArrayDeque<>(List.of(engine.launch(batch())));
        int computed = prompt.length;
        int[] tokens = new int[count];
        for (int i = 0; i < count; i++) {
            if (flying.size() < 2) {
                reserve(sequence, computed + 1);
                begin().batch().addLastTokenRow(slot, StepBatch.SAMPLE, computed++);
                for (int g = 0; g < sequence.table.length; g++) {
                    batch().addBlocks(g, sequence.table[g], 0, sequence.table[g].length);
                }
                flying.add(engine.launch(batch()));
            }
            StepResult result = engine.await(flying.remove());
            tokens[i] = result.tokens[result.tokenStart[0]];
        }
        while (!flying.isEmpty()) {
            engine.await(flying.remove());
        }
        return tokens;
    }
}
