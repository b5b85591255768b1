package dev.jeton.scheduler;

/**
 * A request under way: its reader (one thread, the request's virtual thread) takes events from it until every sequence
 * has ended. The buffer is bounded (1,024 events); while it is full, the request's sequences are not scheduled.
 */
public interface Generation {

    /** The id of the request. */
    String id();

    /**
     * Waits for the next event and fills {@code event} with it.
     *
     * @return false once the end of the last sequence has been taken
     * @throws InterruptedException if the reader is interrupted; it should then {@link #cancel()}
     */
    boolean next(GenerationEvent event) throws InterruptedException;

    /** As {@link #next}, but returns false at once where nothing is there yet; see {@link #done()}. */
    boolean poll(GenerationEvent event);

    /** Whether the end of the last sequence has been taken. */
    boolean done();

    /**
     * The reader needs no more tokens of a sequence: it found a stop string. The sequence ends with
     * {@link FinishReason#STOP}, unless it has ended by itself already; tokens computed after the last one taken are
     * overrun, and are not given to the reader any more. An end event still follows. Never waits; the reader's thread.
     */
    void stop(int sequence);

    /**
     * The client has hung up: all sequences end within one step. Ends still follow; the reader need not take them. Any
     * thread; never waits, takes no lock.
     */
    void cancel();

    /**
     * Log-probabilities of the prompt's tokens from the second on; complete before the first event of a request that
     * asked for them, otherwise empty.
     */
    PromptLogProbabilities promptLogProbabilities();

    /** The prompt's vector; complete before the end of a request that asked for it, otherwise empty. */
    float[] pooled();

    /** What was used so far; complete after {@link #done()}. */
    GenerationUsage usage();
}
