package dev.jeton.scheduler;

import dev.jeton.models.engine.SamplingParameters;

/**
 * What a reader takes from a {@link Generation}: a token of one of its sequences, or a sequence's end. Owned by the
 * reader and filled anew by each {@link Generation#next}.
 */
public final class GenerationEvent {
    /** Which of the request's sequences, from 0. */
    public int sequence;
    /**
     * The token. At a sequence's end by {@link FinishReason#STOP} through a stop token, that token (computed, counted,
     * not part of the text); -1 at any other end.
     */
    public int token;
    /** The token's log-probability, or NaN where not asked for. */
    public float logProbability;
    /** How many alternatives follow. */
    public int topCount;
    /** Alternatives, most likely first. */
    public final int[] topTokens = new int[SamplingParameters.MAX_LOG_PROBABILITIES];
    /** Log-probabilities of the alternatives. */
    public final float[] topLogProbabilities = new float[SamplingParameters.MAX_LOG_PROBABILITIES];
    /** Whether this is the sequence's end. */
    public boolean finished;
    /** Why it ended; meaningless before. */
    public FinishReason reason = FinishReason.STOP;
    /** What failed, with {@link FinishReason#ERROR}; otherwise empty. */
    public String message = "";
}
