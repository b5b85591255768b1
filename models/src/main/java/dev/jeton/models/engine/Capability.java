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
    /** Rows whose output is a pooled hidden state. */
    POOLING,
    /** A host tier and transfers to and from it. */
    HOST_TIER
}
