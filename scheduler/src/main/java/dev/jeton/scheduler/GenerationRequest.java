package dev.jeton.scheduler;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.TokenGrammar;
import java.util.Optional;

/**
 * What is asked of a dispatcher: one prompt, one or several sampled continuations.
 *
 * @param id the request's id as in logs and responses
 * @param prompt token ids, at least one; not changed by anyone after submit
 * @param sequences continuations to sample ({@code n}), each its own sequence after one common prefill
 * @param maxTokens most tokens to generate per sequence, 0 where the prompt is only computed
 * @param sampling how tokens are chosen; sequence k uses a seed derived from the given one and k
 * @param stopTokens ids that end a sequence; empty with {@code ignore_eos}
 * @param promptLogProbabilities whether log-probabilities of the prompt's tokens are wanted ({@code echo} with
 *     {@code logprobs}): such a request does not use the prefix cache
 * @param pooled whether the prompt's vector is wanted, and nothing is generated
 * @param priority smaller is sooner; 0 is usual
 * @param deadlineNanos time on the scheduler's clock by which it must have ended; {@link Long#MAX_VALUE} for none
 * @param adapter of the engine's, that the sequences go through; 0 for none
 * @param salt separates prefix caches (the tenant's): blocks are shared only under the same salt
 * @param allowance what the sequences may spend
 * @param grammar what each sequence must spell, if that is bound: it ends where nothing may follow, and its stop tokens
 *     are sampled only where the text may end, unless they are text of their own
 * @param prediction what the answer may be, in tokens; empty where nobody says. It costs what of it is computed in
 *     vain, and changes no answer
 */
public record GenerationRequest(
        String id,
        int[] prompt,
        int sequences,
        int maxTokens,
        SamplingParameters sampling,
        int[] stopTokens,
        boolean promptLogProbabilities,
        boolean pooled,
        int priority,
        long deadlineNanos,
        long salt,
        int adapter,
        Allowance allowance,
        Optional<TokenGrammar> grammar,
        int[] prediction) {

    /** Checks the bounds named above. */
    public GenerationRequest {
        if (prompt.length == 0) {
            throw new IllegalArgumentException("a prompt has at least one token");
        }
        if (sequences < 1 || maxTokens < 0) {
            throw new IllegalArgumentException("sequences %d, max tokens %d".formatted(sequences, maxTokens));
        }
        if (pooled && (sequences > 1 || maxTokens > 0)) {
            throw new IllegalArgumentException("a vector is of one sequence, and nothing is generated");
        }
    }

    /** The same, where each sequence must spell what a grammar allows. */
    public GenerationRequest guided(TokenGrammar by) {
        return with(adapter, Optional.of(by), prediction);
    }

    /** The same through an adapter of the engine's; 0 for none. */
    public GenerationRequest through(int other) {
        return with(other, grammar, prediction);
    }

    /** The same, where the answer may be what is said here. */
    public GenerationRequest predicting(int[] answer) {
        return with(adapter, grammar, answer);
    }

    private GenerationRequest with(int itsAdapter, Optional<TokenGrammar> itsGrammar, int[] itsPrediction) {
        return new GenerationRequest(
                id,
                prompt,
                sequences,
                maxTokens,
                sampling,
                stopTokens,
                promptLogProbabilities,
                pooled,
                priority,
                deadlineNanos,
                salt,
                itsAdapter,
                allowance,
                itsGrammar,
                itsPrediction);
    }

    /** A request for tokens, through no adapter. */
    public GenerationRequest(
            String id,
            int[] prompt,
            int sequences,
            int maxTokens,
            SamplingParameters sampling,
            int[] stopTokens,
            boolean promptLogProbabilities,
            int priority,
            long deadlineNanos,
            long salt,
            Allowance allowance) {
        this(
                id,
                prompt,
                sequences,
                maxTokens,
                sampling,
                stopTokens,
                promptLogProbabilities,
                false,
                priority,
                deadlineNanos,
                salt,
                0,
                allowance,
                Optional.empty(),
                new int[0]);
    }

    /** A request for a prompt's vector, through no adapter. */
    public static GenerationRequest pooled(
            String id, int[] prompt, int priority, long deadlineNanos, long salt, Allowance allowance) {
        return new GenerationRequest(
                id,
                prompt,
                1,
                0,
                SamplingParameters.GREEDY,
                new int[0],
                false,
                true,
                priority,
                deadlineNanos,
                salt,
                0,
                allowance,
                Optional.empty(),
                new int[0]);
    }

    /** A plain request: one sequence, usual priority, no deadline, no salt, unlimited. */
    public static GenerationRequest of(String id, int[] prompt, int maxTokens, SamplingParameters sampling) {
        return new GenerationRequest(
                id, prompt, 1, maxTokens, sampling, new int[0], false, 0, Long.MAX_VALUE, 0, Allowance.UNLIMITED);
    }
}
