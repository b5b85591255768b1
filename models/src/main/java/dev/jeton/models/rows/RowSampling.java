package dev.jeton.models.rows;

import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.TokenMasks;
import dev.jeton.models.sampler.Sampler;
import dev.jeton.models.sampler.SequenceState;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What rows of logits become: log-probabilities of the prompt, sampled tokens, verified drafts.
 *
 * <p>A draft is verified by sampling: draw k depends on the seed, k and the logits alone, so the token sampled before a
 * draft is the one that would have been sampled without drafts; while it equals the draft, the next position's logits
 * count.
 *
 * <p>{@link #take} is called by compute threads, for different rows at once; it writes entries of its own row only.
 * {@link #result} gathers them in order.
 */
public final class RowSampling {

    private static final int TOP = SamplingParameters.MAX_LOG_PROBABILITIES;

    private final EngineInfo info;
    private final StepRows batch;
    private final SequenceState[] states;
    private final long[] epochs;
    private final StepResult[] results = {new StepResult(), new StepResult()};
    private int current;
    private StepResult result = results[0];

    /** By row: tokens accepted so far, and whether more may be. */
    private final int[] accepted;

    private final boolean[] ended;
    private final @Nullable String[] failures;
    private final int[] maskStart;
    /** By input token: what was sampled at it. */
    private final int[] token;

    private final float[] logProbability;
    private final int[] topCount;
    private int[] topTokens = new int[0];
    private float[] topLogProbabilities = new float[0];
    private int maskedPositions;
    private @Nullable TokenMasks masks;
    private int vectorWidth;

    /** For the steps of an engine, whose rows are put into {@code batch}. */
    public RowSampling(EngineInfo info, StepRows batch, HostSlots slots) {
        this.info = info;
        this.batch = batch;
        this.states = slots.states;
        this.epochs = slots.epochs;
        accepted = new int[info.maxRows()];
        ended = new boolean[info.maxRows()];
        failures = new String[info.maxRows()];
        maskStart = new int[info.maxRows()];
        token = new int[info.maxTokens()];
        logProbability = new float[info.maxTokens()];
        topCount = new int[info.maxTokens()];
    }

    /** Steps bring vectors of so many elements from now on. */
    void bringVectors(int width) {
        vectorWidth = width;
    }

    /** Where the vectors of the step's rows go. */
    float[] vectors() {
        return result.pooled;
    }

    /** Makes ready for the batch that was just copied. */
    public void begin() {
        current ^= 1;
        result = results[current];
        result.reset(batch.rows);
        if (vectorWidth > 0) {
            result.reservePooled(vectorWidth);
        }
        masks = null;
        maskedPositions = 0;
        boolean prompts = false;
        boolean promptTops = false;
        boolean tops = false;
        for (int row = 0; row < batch.rows; row++) {
            accepted[row] = 0;
            ended[row] = false;
            failures[row] = null;
            if (batch.has(row, StepBatch.MASKED)) {
                maskStart[row] = maskedPositions;
                maskedPositions += 1 + batch.drafts[row];
            }
            boolean top = states[batch.slot[row]].sampling().logProbabilities() > 0;
            boolean prompt = batch.has(row, StepBatch.PROMPT_LOG_PROBABILITIES);
            tops |= top && batch.has(row, StepBatch.SAMPLE);
            prompts |= prompt;
            promptTops |= prompt && top;
        }
        if (tops && topTokens.length == 0) {
            topTokens = new int[info.maxTokens() * TOP];
            topLogProbabilities = new float[info.maxTokens() * TOP];
        }
        if (prompts) {
            beginPrompts(promptTops);
        }
    }

    private void beginPrompts(boolean tops) {
        if (result.promptLogProbabilities.length < batch.tokenCount) {
            result.promptLogProbabilities = new float[info.maxTokens()];
        }
        Arrays.fill(result.promptLogProbabilities, Float.NaN);
        if (tops) {
            if (result.promptTopTokens.length < batch.tokenCount * TOP) {
                result.promptTopTokens = new int[info.maxTokens() * TOP];
                result.promptTopLogProbabilities = new float[info.maxTokens() * TOP];
            }
            Arrays.fill(result.promptTopTokens, -1);
            Arrays.fill(result.promptTopLogProbabilities, Float.NaN);
        }
    }

    /** Takes the grammar masks of the step in flight. */
    public void masks(TokenMasks given) {
        int words = (info.vocabulary() + 63) / 64;
        if (!given.fits(maskedPositions, words)) {
            throw new EngineException("masks of %d positions of %d words; the step has %d of %d"
                    .formatted(given.positions(), given.wordsPerMask(), maskedPositions, words));
        }
        masks = given;
    }

    /** Sampling cannot begin before the masks are here. */
    public void checkMasks() {
        if (maskedPositions > 0 && masks == null) {
            throw new EngineException("the step has masked rows; hand in masks before awaiting it");
        }
    }

    /**
     * Takes rows of logits of batch row {@code row}: entries [first, end) of {@link StepRows#logitToken}, which begin
     * at {@code offset}, {@code stride} apart, and which sampling changes.
     *
     * @param sampler the calling thread's own
     */
    public void take(int row, int first, int end, float[] logits, int offset, int stride, Sampler sampler) {
        if (batch.epoch[row] != epochs[batch.slot[row]]) {
            return;
        }
        boolean prompt = batch.has(row, StepBatch.PROMPT_LOG_PROBABILITIES);
        boolean sample = batch.has(row, StepBatch.SAMPLE);
        int at = offset;
        for (int i = first; i < end; i++, at += stride) {
            int input = batch.logitToken[i];
            if (prompt) {
                score(row, input, logits, at, sampler);
            }
            if (sample && input >= batch.firstSample(row) && !ended[row]) {
                sample(row, input, logits, at, sampler);
            }
        }
    }

    private void score(int row, int input, float[] logits, int at, Sampler sampler) {
        boolean last = input + 1 == batch.inputStart[row + 1];
        int following = last ? batch.following[row] : batch.tokens[input + 1];
        if (following < 0) {
            return;
        }
        int wanted = Math.max(0, states[batch.slot[row]].sampling().logProbabilities());
        result.promptLogProbabilities[input] = sampler.score(logits, at, following, wanted);
        if (!sampler.failure().isEmpty()) {
            failures[row] = sampler.failure();
            ended[row] = true;
            return;
        }
        for (int i = 0; i < sampler.topCount(); i++) {
            result.promptTopTokens[input * TOP + i] = sampler.topToken(i);
            result.promptTopLogProbabilities[input * TOP + i] = sampler.topLogProbability(i);
        }
    }

    private void sample(int row, int input, float[] logits, int at, Sampler sampler) {
        SequenceState state = states[batch.slot[row]];
        TokenMasks allowed = masks;
        int position = maskStart[row] + input - batch.firstSample(row);
        int sampled = allowed != null && batch.has(row, StepBatch.MASKED) && !allowed.any(position)
                ? sampler.sample(logits, at, state, allowed, position)
                : sampler.sample(logits, at, state);
        if (sampled < 0) {
            failures[row] = sampler.failure();
            ended[row] = true;
            return;
        }
        token[input] = sampled;
        logProbability[input] = sampler.logProbability();
        topCount[input] = sampler.topCount();
        for (int i = 0; i < sampler.topCount(); i++) {
            topTokens[input * TOP + i] = sampler.topToken(i);
            topLogProbabilities[input * TOP + i] = sampler.topLogProbability(i);
        }
        state.accept(sampled);
        accepted[row]++;
        boolean last = input + 1 == batch.inputStart[row + 1];
        ended[row] = last || batch.tokens[input + 1] != sampled;
    }

    /** Fails every row of the step, which then brings nothing. */
    public void failAll(String why) {
        Arrays.fill(failures, 0, batch.rows, why);
    }

    /** Fails a row of the step, which then brings nothing. */
    public void fail(int row, String why) {
        failures[row] = why;
    }

    /** The step's result, once all rows were taken. */
    public StepResult result() {
        for (int row = 0; row < batch.rows; row++) {
            result.beginRow(row);
            String failure = failures[row];
            if (failure != null) {
                result.fail(row, failure);
                continue;
            }
            int first = batch.firstSample(row);
            for (int i = 0; i < accepted[row]; i++) {
                int input = first + i;
                int index = result.addToken(token[input], logProbability[input]);
                copyTop(input, index);
            }
            result.accepted[row] = accepted[row];
        }
        return result;
    }

    private void copyTop(int input, int index) {
        int count = topCount[input];
        if (count > 0) {
            result.reserveTop(index);
            System.arraycopy(topTokens, input * TOP, result.topTokens, index * TOP, count);
            System.arraycopy(topLogProbabilities, input * TOP, result.topLogProbabilities, index * TOP, count);
            result.topCount[index] = count;
        }
    }
}
