package dev.jeton.models.sampler;

import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.TokenMasks;
import java.util.Arrays;

/**
 * Chooses the next token of a row of logits, in the order that {@link SamplingParameters} gives.
 *
 * <p>The draw walks weights e^((logit - max)/T) until they reach a point u of their sum, u being draw k of the
 * sequence's seed. Without top-k, min-p and top-p the walk is over all ids, by chunks first. With them it is over
 * candidates: a first cut takes those within e^-7 of the most likely, which for peaked distributions holds all that can
 * be kept; if it does not, the cut is lowered to all that have a weight. Candidates go into a heap, most likely first
 * (of equal logits the lowest id), and are taken from it only as far as top-k and top-p reach.
 *
 * <p>One sampler serves one thread and any number of sequences; nothing is allocated per token. What {@link #sample}
 * found beside the token is read from the accessors until the next call.
 */
public final class Sampler {

    private static final float[] CUTS = {1e-3f, 1e-6f, Float.MIN_VALUE};

    private final int vocabulary;
    private final float[] weights;
    private final double[] sums;
    private final int[] topTokens = new int[SamplingParameters.MAX_LOG_PROBABILITIES];
    private final float[] topValues = new float[SamplingParameters.MAX_LOG_PROBABILITIES];
    private long[] heap = new long[0];

    private int topCount;
    private float logProbability;
    private String failure = "";

    /** For rows of {@code vocabulary} logits. */
    public Sampler(int vocabulary) {
        this.vocabulary = vocabulary;
        this.weights = new float[vocabulary + 64];
        this.sums = new double[vocabulary / Logits.CHUNK + 1];
    }

    /**
     * The next token, or -1 where there is none to choose (see {@link #failure}). The row is overwritten; the state is
     * read, not advanced.
     */
    public int sample(float[] logits, int offset, SequenceState state) {
        adjust(logits, offset, state);
        return choose(logits, offset, state);
    }

    /** As {@link #sample(float[], int, SequenceState)}, with only the tokens that a grammar allows. */
    public int sample(float[] logits, int offset, SequenceState state, TokenMasks masks, int position) {
        adjust(logits, offset, state);
        for (int t = 0; t < vocabulary; t++) {
            if (!masks.allows(position, t)) {
                logits[offset + t] = Float.NEGATIVE_INFINITY;
            }
        }
        return choose(logits, offset, state);
    }

    /**
     * The log-probability of {@code token} under an untouched row, with the {@code alternatives} most likely in the
     * accessors; NaN where the row has none (see {@link #failure}).
     */
    public float score(float[] logits, int offset, int token, int alternatives) {
        topCount = 0;
        float max = checkedMax(logits, offset);
        if (failure.isEmpty()) {
            takeLogProbabilities(logits, offset, token, max, alternatives);
            return logProbability;
        }
        return Float.NaN;
    }

    /** Why {@link #sample} returned -1 or {@link #score} NaN; else empty. */
    public String failure() {
        return failure;
    }

    /** Log-probability of the token, or NaN where the parameters ask for none. */
    public float logProbability() {
        return logProbability;
    }

    /** How many alternatives were taken. */
    public int topCount() {
        return topCount;
    }

    /** Token of alternative {@code i}, most likely first. */
    public int topToken(int i) {
        return topTokens[i];
    }

    /** Log-probability of alternative {@code i}. */
    public float topLogProbability(int i) {
        return topValues[i];
    }

    private int choose(float[] logits, int offset, SequenceState state) {
        SamplingParameters sampling = state.sampling();
        logProbability = Float.NaN;
        topCount = 0;
        float max = checkedMax(logits, offset);
        if (!failure.isEmpty()) {
            return -1;
        }
        int token = sampling.temperature() == 0
                ? Logits.indexOf(max, logits, offset, vocabulary)
                : draw(logits, offset, state, max);
        assert token >= 0 && token < vocabulary;
        if (sampling.logProbabilities() >= 0) {
            takeLogProbabilities(logits, offset, token, max, sampling.logProbabilities());
        }
        return token;
    }

    private float checkedMax(float[] logits, int offset) {
        float max = Logits.max(logits, offset, vocabulary);
        failure = "";
        if (Float.isNaN(max) || max == Float.POSITIVE_INFINITY) {
            failure = "the model's logits are not finite; its weights or the input are damaged";
        } else if (max == Float.NEGATIVE_INFINITY) {
            failure = "no token may be sampled: min_tokens, logit_bias or a grammar exclude all";
        }
        return max;
    }

    private void adjust(float[] logits, int offset, SequenceState state) {
        SamplingParameters sampling = state.sampling();
        if (sampling.penalised()) {
            penalise(logits, offset, state);
        }
        LogitBias bias = sampling.bias();
        for (int i = 0; i < bias.tokens().length; i++) {
            logits[offset + bias.tokens()[i]] += bias.values()[i];
        }
        if (state.generated() < sampling.minTokens()) {
            for (int token : sampling.stopTokens()) {
                logits[offset + token] = Float.NEGATIVE_INFINITY;
            }
        }
    }

    private static void penalise(float[] logits, int offset, SequenceState state) {
        SamplingParameters sampling = state.sampling();
        float repetition = (float) sampling.repetitionPenalty();
        for (int i = 0; i < state.distinct(); i++) {
            int at = offset + state.token(i);
            float value = logits[at];
            value = value > 0 ? value / repetition : value * repetition;
            int count = state.count(i);
            if (count > 0) {
                value -= (float) (sampling.presencePenalty() + count * sampling.frequencyPenalty());
            }
            logits[at] = value;
        }
    }

    private int draw(float[] logits, int offset, SequenceState state, float max) {
        SamplingParameters sampling = state.sampling();
        double u = CounterRandom.uniform(sampling.seed(), state.generated());
        float inverse = (float) (1 / sampling.temperature());
        double total = Logits.weights(logits, offset, vocabulary, max, inverse, weights, sums);
        boolean all = sampling.topK() == 0 && sampling.topP() == 1 && sampling.minP() == 0;
        return all ? drawFromAll(u * total) : drawFromCandidates(logits, offset, sampling, u, total);
    }

    private int drawFromAll(double point) {
        double reached = 0;
        int chunk = 0;
        int chunks = (vocabulary + Logits.CHUNK - 1) / Logits.CHUNK;
        while (chunk < chunks - 1 && reached + sums[chunk] <= point) {
            reached += sums[chunk++];
        }
        int last = -1;
        for (int i = chunk * Logits.CHUNK; i < vocabulary; i++) {
            if (weights[i] > 0) {
                last = i;
                reached += weights[i];
                if (reached > point) {
                    return i;
                }
            }
        }
        return last >= 0 ? last : lastWithWeight();
    }

    /** Rounding may leave the point a hair past the end of a sum: then the last id with a weight is meant. */
    private int lastWithWeight() {
        int i = vocabulary - 1;
        while (weights[i] == 0) {
            i--;
        }
        return i;
    }

    private int drawFromCandidates(float[] logits, int offset, SamplingParameters sampling, double u, double total) {
        float floor = (float) sampling.minP();
        int count = 0;
        double mass = 0;
        for (float cut : CUTS) {
            float bound = Math.max(cut, floor);
            count = collect(logits, offset, bound);
            mass = mass(count);
            boolean complete = bound == floor || cut == Float.MIN_VALUE;
            boolean enough =
                    sampling.topK() > 0 ? count >= sampling.topK() : floor == 0 && mass >= sampling.topP() * total;
            if (complete || enough) {
                break;
            }
        }
        if (sampling.topK() > 0) {
            count = keepMostLikely(count, sampling.topK());
            mass = mass(count);
        } else if (floor == 0) {
            mass = total;
        }
        if (sampling.topP() < 1) {
            double wanted = sampling.topP() * mass;
            count = sampling.topK() > 0 ? prefix(count, wanted) : keepMass(count, wanted);
            mass = mass(count);
        }
        return walk(count, u * mass);
    }

    /** Fills the heap's array with candidates of at least {@code bound}, in order of id. */
    private int collect(float[] logits, int offset, float bound) {
        if (heap.length == 0) {
            heap = new long[vocabulary];
        }
        int count = 0;
        float below = Math.nextDown(bound);
        for (int i = Logits.nextAbove(below, weights, 0, 0, vocabulary);
                i < vocabulary;
                i = Logits.nextAbove(below, weights, 0, i + 1, vocabulary)) {
            heap[count++] = key(logits[offset + i], i);
        }
        return count;
    }

    /** Orders by logit, then by lower id. */
    private static long key(float logit, int id) {
        int bits = Float.floatToRawIntBits(logit);
        int ordered = bits ^ (bits >> 31 & Integer.MAX_VALUE);
        return (long) ordered << 32 | (~id & 0xFFFFFFFFL);
    }

    private static int id(long key) {
        return ~(int) key;
    }

    private double mass(int count) {
        double mass = 0;
        for (int i = 0; i < count; i++) {
            mass += weights[id(heap[i])];
        }
        return mass;
    }

    /** Leaves the {@code wanted} most likely candidates at the front, most likely first. */
    private int keepMostLikely(int count, int wanted) {
        heapify(count);
        int kept = Math.min(count, wanted);
        for (int i = 0; i < kept; i++) {
            pop(count - i);
        }
        frontFromBack(count, kept);
        return kept;
    }

    /** Leaves the fewest most likely candidates whose weights reach {@code wanted} at the front. */
    private int keepMass(int count, double wanted) {
        heapify(count);
        int kept = 0;
        double reached = 0;
        while (kept < count && (reached < wanted || kept == 0)) {
            pop(count - kept);
            kept++;
            reached += weights[id(heap[count - kept])];
        }
        frontFromBack(count, kept);
        return kept;
    }

    /** How many of the sorted candidates reach {@code wanted}. */
    private int prefix(int count, double wanted) {
        double reached = 0;
        for (int i = 0; i < count; i++) {
            reached += weights[id(heap[i])];
            if (reached >= wanted) {
                return i + 1;
            }
        }
        return count;
    }

    private int walk(int count, double point) {
        double reached = 0;
        for (int i = 0; i < count; i++) {
            reached += weights[id(heap[i])];
            if (reached > point) {
                return id(heap[i]);
            }
        }
        return id(heap[count - 1]);
    }

    private void heapify(int count) {
        for (int i = count / 2 - 1; i >= 0; i--) {
            sift(i, count);
        }
    }

    /** Moves the greatest of {@code count} to the place behind the rest. */
    private void pop(int count) {
        long top = heap[0];
        heap[0] = heap[count - 1];
        heap[count - 1] = top;
        sift(0, count - 1);
    }

    private void sift(int from, int count) {
        int at = from;
        long value = heap[at];
        while (true) {
            int child = 2 * at + 1;
            if (child >= count) {
                break;
            }
            if (child + 1 < count && heap[child + 1] > heap[child]) {
                child++;
            }
            if (heap[child] <= value) {
                break;
            }
            heap[at] = heap[child];
            at = child;
        }
        heap[at] = value;
    }

    /** Popped candidates lie at the back, the most likely last: turns them to the front, the most likely first. */
    private void frontFromBack(int count, int kept) {
        for (int i = 0; i < count / 2 && i < kept; i++) {
            long value = heap[i];
            heap[i] = heap[count - 1 - i];
            heap[count - 1 - i] = value;
        }
    }

    private void takeLogProbabilities(float[] logits, int offset, int token, float max, int alternatives) {
        double logTotal = max + Math.log(Logits.weights(logits, offset, vocabulary, max, 1f, weights, sums));
        logProbability = (float) (logits[offset + token] - logTotal);
        takeTop(logits, offset, Math.min(alternatives, vocabulary));
        for (int i = 0; i < topCount; i++) {
            topValues[i] = (float) (topValues[i] - logTotal);
        }
    }

    private void takeTop(float[] logits, int offset, int wanted) {
        topCount = 0;
        Arrays.fill(topValues, Float.NEGATIVE_INFINITY);
        if (wanted == 0) {
            return;
        }
        float bound = Float.NEGATIVE_INFINITY;
        for (int i = Logits.nextAbove(bound, logits, offset, 0, vocabulary);
                i < vocabulary;
                i = Logits.nextAbove(bound, logits, offset, i + 1, vocabulary)) {
            float value = logits[offset + i];
            int at = topCount < wanted ? topCount++ : wanted - 1;
            while (at > 0 && topValues[at - 1] < value) {
                topValues[at] = topValues[at - 1];
                topTokens[at] = topTokens[at - 1];
                at--;
            }
            topValues[at] = value;
            topTokens[at] = i;
            if (topCount == wanted) {
                bound = topValues[wanted - 1];
            }
        }
    }
}
