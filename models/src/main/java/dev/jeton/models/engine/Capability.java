package dev.jeton.models.engine;

/** What an engine may support beyond plain sampling. */
public enum Capability {
    /** Log-probabilities of the sampled token and of the most likely ones. */
    LOG_PROBABILITIES,
    /** Log-probabilities of the prompt's own tokens ({@link StepBatch#PROMPT_LOG_PROBABILITIES}). */
    PROMPT_LOG_PROBABILITIES,
    /** Grammar masks through {@link Engine#masks}. */
    MASKS,
    /** Rows with drafted tokens to verify. */
    DRAFTS,
    /** Rows that name an adapter other than 0. */
    ADAPTERS,
    /** Adapters that come and go between steps ({@link Engine#prepareAdapter}). */
    ADAPTER_LOADING,
    /**
     * Rows whose output is a vector ({@link StepBatch#POOLED}): an embedding, or logits of labels. Such an engine
     * samples nothing.
     */
    POOLING,
    /**
     * Only whole prompts (encoders, where each token sees all others): a row holds all tokens of a sequence, from
     * position 0. Nothing is kept of it, so there are no layer groups.
     */
    WHOLE_PROMPTS,
    /** A host's tier, and copies of blocks to and from it beside steps ({@link Engine#offload}). */
    HOST_TIER,
    /**
     * Beside blocks, each sequence has a state in its slot that its own steps make in order: a row begins where the
     * last one of its slot ended (at 0 after open), nothing that other sequences left in blocks can be continued from,
     * and drafts cannot be taken back. Such an engine has neither {@link #DRAFTS} nor a {@link #HOST_TIER}; a fork gets
     * its parent's state by {@link Engine#copyState}.
     */
    STATE
}
