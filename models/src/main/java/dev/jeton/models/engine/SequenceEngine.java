package dev.jeton.models.engine;

/**
 * An engine that batches by itself (TensorRT-LLM's executor, a remote upstream): it is given whole sequences.
 *
 * <p>{@link #submit} and {@link #cancel} may be called by any thread; the sink is called by one thread of the engine.
 */
public interface SequenceEngine extends AutoCloseable {

    /** What this engine is and can do; layer groups describe the KV memory that it says it has. */
    EngineInfo info();

    /**
     * Tokens that may still be computed, and must be booked as overrun, after {@link #cancel} returned.
     */
    int maxOverrun();

    /** Starts a sequence of at most {@code maxTokens} new tokens. */
    void submit(long id, SequenceSpec spec, int maxTokens, Sink sink);

    /** Ends a sequence early; its sink sees {@link Sink#finished} once. Unknown ids are ignored. */
    void cancel(long id);

    /** Counters of the engine's own scheduler, for metrics and the meter. */
    Stats stats();

    @Override
    void close();

    /** Where a sequence's tokens go. */
    interface Sink {
        /** A token was generated. */
        void token(long id, int token, float logProbability);

        /** Nothing more will come; {@code failure} is empty when it ended well. */
        void finished(long id, String failure);
    }

    /**
     * Counters since start.
     *
     * @param running sequences in the engine's batch
     * @param waiting sequences that the engine has queued
     * @param busyNanos device time spent on steps
     * @param steps steps run
     */
    record Stats(int running, int waiting, long busyNanos, long steps) {}
}
