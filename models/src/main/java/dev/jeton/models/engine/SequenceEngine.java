package dev.jeton.models.engine;

/**
 * An engine that batches by itself (TensorRT-LLM's executor, a remote upstream): it is given whole sequences.
 *
 * <p>{@link #submit} and {@link #cancel} may be called by any thread; the sink is called by one thread of the engine,
 * which may wait in it: what is told there is bounded.
 */
public interface SequenceEngine extends AutoCloseable {

    /** What this engine is and can do; layer groups describe the KV memory that it says it has. */
    EngineInfo info();

    /**
     * Tokens that may still be computed of a sequence, and must be booked as overrun, after {@link #cancel} returned.
     */
    int maxOverrun();

    /** Says who hears of sequences; once, before the first is submitted. */
    void start(Sink sink);

    /**
     * Starts a sequence, or queues it where {@link EngineInfo#maxSlots()} run.
     *
     * @param id the caller's, never used before
     * @param spec how its tokens are chosen; a stop token is told as the last token
     * @param maxTokens most new tokens, at least 1
     * @param priority smaller is sooner; 0 is usual
     * @throws EngineException if a parameter is outside what the engine supports; nothing was started then
     */
    void submit(long id, SequenceSpec spec, int maxTokens, int priority);

    /** Ends a sequence early; its sink hears {@link Sink#finished} once. Unknown ids are ignored. */
    void cancel(long id);

    /** Counters of the engine's own scheduler, for metrics. */
    Stats stats();

    /**
     * Ends all sequences, which the sink still hears of, and lets go of the device. Nothing may be called afterwards.
     */
    @Override
    void close();

    /** How a sequence ended. */
    enum Finish {
        /** At a stop token, which was told. */
        STOP,
        /** At its most tokens, or the context's end. */
        LENGTH,
        /** As {@link #cancel} wanted it. */
        CANCELLED,
        /** The engine could not go on with it. */
        FAILED
    }

    /** Hears of all sequences, in the order in which things happened. */
    interface Sink {
        /** Who took part in an iteration, before the tokens that came of it. The object is the engine's, and reused. */
        void iteration(Iteration iteration);

        /** A token was generated. */
        void token(long id, int token, float logProbability);

        /** Nothing more will come. */
        void finished(long id, Finish how, String message);

        /** The device is gone: nothing more will come of any sequence. */
        void lost(String message);
    }

    /**
     * Counters since start.
     *
     * @param running sequences in the engine's batch
     * @param waiting sequences that the engine has queued
     * @param busyNanos device time spent on iterations
     * @param iterations iterations run
     */
    record Stats(int running, int waiting, long busyNanos, long iterations) {}
}
