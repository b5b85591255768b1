package dev.jeton.models.engine;

/**
 * What executes steps on one device group.
 *
 * <p>Single-threaded: every method is called by the one thread that owns the step loop. At most {@link
 * EngineInfo#maxTickets()} tickets (never more than two) are in flight; an engine that completes at once (the cpu
 * engine) does all its work in {@link #await}. Tickets complete in the order of their launch.
 *
 * <p>Blocks named in a step in flight are neither freed nor rewritten by the caller before its {@link #await} returned.
 */
public interface Engine extends AutoCloseable {

    /** What this engine is and can do; constant over its life. */
    EngineInfo info();

    /**
     * Gives {@code slot} to a sequence. A resumed sequence (after preemption) opens a slot anew with the tokens it had
     * generated, so that penalties, {@code minTokens} and the random position go on where they were.
     *
     * @param slot 0 until {@link EngineInfo#maxSlots()}, not open
     * @throws EngineException if a parameter is outside what the engine supports; the slot stays closed
     */
    void open(int slot, SequenceSpec spec);

    /** Ends the slot's use. Allowed while a ticket with a row of this slot is in flight: its result is then ignored. */
    void close(int slot);

    /**
     * Starts a step and returns without waiting. The batch may be refilled by the caller as soon as this returns.
     *
     * @throws EngineException if the batch is outside the engine's bounds; nothing was started then
     */
    StepTicket launch(StepBatch batch);

    /**
     * Hands in grammar masks for a ticket that was launched with rows marked {@link StepBatch#MASKED}: they may arrive
     * after launch and before sampling. Engines without {@link Capability#MASKS} refuse.
     */
    void masks(StepTicket ticket, TokenMasks masks);

    /**
     * Waits for the oldest ticket in flight, which must be {@code ticket}, and returns what came out. The result is
     * owned by the engine and valid until the second launch after this call.
     *
     * @throws DeviceLostException if the device is gone: every sequence on it has failed
     */
    StepResult await(StepTicket ticket);

    /**
     * Copies blocks between or within tiers, ordered after every step launched before and ahead of every step launched
     * after. Used for forks (a copied tail block) and for offloading.
     *
     * @param group layer group whose blocks are copied
     * @param from block ids, tier included
     * @param to block ids, tier included, same length
     * @param count how many of the two arrays count
     */
    void transfer(int group, int[] from, int[] to, int count);

    @Override
    void close();
}
