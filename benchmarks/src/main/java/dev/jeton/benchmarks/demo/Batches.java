package dev.jeton.benchmarks.demo;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;

/**
 * An endless, seeded stream of training batches.
 *
 * <p>A pool of conversations is drawn, sorted by length and cut into batches of similar length, which are then
 * shuffled: little padding, and no batch sees two lengths far apart.
 */
final class Batches {
    private static final int POOL = 4_096;
    private static final int LENGTH_STEP = 8;
    private static final double PLAIN_TEXT = 0.03;

    private final Sampler sampler;
    private final ChatFormat format;
    private final int pad;
    private final int tokensPerBatch;
    private final int maxLength;
    private final SplittableRandom random;
    private final List<Batch> ready = new ArrayList<>();

    Batches(Sampler sampler, BytePairTokenizer tokenizer, int tokensPerBatch, int maxLength, long seed) {
        this.sampler = sampler;
        this.format = new ChatFormat(tokenizer);
        this.pad = tokenizer.id(SpecialToken.PAD);
        this.tokensPerBatch = tokensPerBatch;
        this.maxLength = maxLength;
        this.random = new SplittableRandom(seed);
    }

    Batch next() {
        if (ready.isEmpty()) {
            List<ChatFormat.Sequence> pool = new ArrayList<>();
            for (int i = 0; i < POOL; i++) {
                pool.add(draw().truncated(maxLength));
            }
            ready.addAll(cut(pool, pad, tokensPerBatch));
            Collections.shuffle(ready, Random.from(random));
        }
        return ready.removeLast();
    }

    private ChatFormat.Sequence draw() {
        return random.nextDouble() < PLAIN_TEXT
                ? format.plain(sampler.sentence(random), random.nextBoolean())
                : format.sequence(sampler.conversation(random));
    }

    /** Batches of at most about that many tokens, padding included. */
    static List<Batch> cut(List<ChatFormat.Sequence> sequences, int pad, int tokensPerBatch) {
        List<ChatFormat.Sequence> sorted = new ArrayList<>(sequences);
        sorted.sort(Comparator.comparingInt(sequence -> sequence.ids().length));
        List<Batch> batches = new ArrayList<>();
        List<ChatFormat.Sequence> open = new ArrayList<>();
        for (ChatFormat.Sequence sequence : sorted) {
            int length = paddedLength(sequence);
            if (!open.isEmpty() && length * (open.size() + 1) > tokensPerBatch) {
                batches.add(batch(open, pad));
                open.clear();
            }
            open.add(sequence);
        }
        if (!open.isEmpty()) {
            batches.add(batch(open, pad));
        }
        return batches;
    }

    /** One token is only a target, never an input; the rest is rounded up for the kernels' sake. */
    private static int paddedLength(ChatFormat.Sequence sequence) {
        return Math.ceilDiv(sequence.ids().length - 1, LENGTH_STEP) * LENGTH_STEP;
    }

    private static Batch batch(List<ChatFormat.Sequence> sequences, int pad) {
        int length = paddedLength(sequences.getLast());
        int size = sequences.size() * length;
        long[] inputs = new long[size];
        long[] targets = new long[size];
        float[] weights = new float[size];
        java.util.Arrays.fill(inputs, pad);
        java.util.Arrays.fill(targets, pad);
        for (int row = 0; row < sequences.size(); row++) {
            ChatFormat.Sequence sequence = sequences.get(row);
            for (int i = 0; i + 1 < sequence.ids().length; i++) {
                inputs[row * length + i] = sequence.ids()[i];
                targets[row * length + i] = sequence.ids()[i + 1];
                weights[row * length + i] = sequence.weights()[i + 1];
            }
        }
        return new Batch(sequences.size(), length, inputs, targets, weights);
    }
}
