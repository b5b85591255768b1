package dev.jeton.models.engine;

import java.nio.file.Path;

/**
 * What executes steps on one device group.
 *
 * <p>Single-threaded: every method is called by the one thread that owns the step loop. At most
 * {@link EngineInfo#maxTickets()} tickets (never more than two) are in flight; an engine that completes at once (the
 * cpu engine) does all its work in {@link #await}. Tickets complete in the order of their launch.
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
     * Copies blocks within the device, ordered after every step launched before and ahead of every step launched after.
     * Used for forks (a copied tail block).
     *
     * @param group layer group whose blocks are copied
     * @param from block ids
     * @param to block ids, same length
     * @param count how many of the two arrays count
     */
    void transfer(int group, int[] from, int[] to, int count);

    // ---- states in slots, of engines with Capability.STATE ----

    /**
     * Gives a slot the state that another has after every step launched before, ordered as {@link #transfer} is: after
     * every step launched before and ahead of every step launched after. Used for forks, whose rows go on where those
     * of {@code from} have ended by now.
     *
     * @param from an open slot
     * @param to another open slot, which no step has seen
     * @throws EngineException if there is no state in slots, or either slot is not as said; nothing was copied then
     */
    default void copyState(int from, int to) {
        throw new EngineException("the %s engine has no state in slots".formatted(info().name()));
    }

    // ---- the host's tier, of engines with Capability.HOST_TIER ----

    /**
     * Starts copying blocks of the device to blocks of the host, beside the steps, and returns without waiting. What is
     * copied is what steps have written that were awaited, and transfers handed in before the last of these was
     * launched; the caller sees to it that nothing writes either block before the copy is complete.
     *
     * @param group layer group whose blocks are copied
     * @param blocks of the device
     * @param hostBlocks of the host, same length
     * @param count how many of the two arrays count; they may be refilled as soon as this returns
     * @throws EngineException if there is no host's tier, or a block is outside of it; nothing was started then
     */
    default void offload(int group, int[] blocks, int[] hostBlocks, int count) {
        throw withoutHostTier();
    }

    /**
     * Starts copying blocks of the host to blocks of the device, beside the steps but after every transfer handed in
     * before, and returns without waiting. No step in flight names the device's blocks, and none may be launched that
     * does before the copy is complete; what is copied is what offloads have written that are complete.
     *
     * @param group layer group whose blocks are copied
     * @param blocks of the device
     * @param hostBlocks of the host, same length
     * @param count how many of the two arrays count; they may be refilled as soon as this returns
     * @throws EngineException if there is no host's tier, or a block is outside of it; nothing was started then
     */
    default void onload(int group, int[] blocks, int[] hostBlocks, int count) {
        throw withoutHostTier();
    }

    /**
     * How many blocks have been offloaded by now, of all groups; they are complete in the order they were handed in.
     */
    default long offloaded() {
        return 0;
    }

    /** How many blocks have been onloaded by now, of all groups; they are complete in the order they were handed in. */
    default long onloaded() {
        return 0;
    }

    // ---- adapters that come and go, of engines with Capability.ADAPTER_LOADING ----

    /**
     * Reads an adapter of this engine's model, beside the steps. Any thread; the engine is open until this returns.
     *
     * @param folder as the model's own adapters are configured
     * @param mostBytes of memory that it may take
     * @throws AdapterMemoryException where it takes more
     * @throws RuntimeException of the engine's module, saying what is wrong with the folder
     * @throws EngineException if the engine takes adapters only when it is opened
     */
    default PreparedAdapter prepareAdapter(Path folder, long mostBytes) {
        throw withoutLoading();
    }

    /**
     * Takes an adapter that was prepared for it: rows may name it in every step launched from now on.
     *
     * @param number greater than {@link EngineInfo#adapters()} and any taken before: none is used twice
     * @throws EngineException if it cannot take it, which is then still the caller's to close
     */
    default void addAdapter(int number, PreparedAdapter adapter) {
        throw withoutLoading();
    }

    /**
     * Gives up an adapter that was added, of which no row of a step launched from now on may be. Steps in flight may
     * have rows of it: its memory is given back once they have been awaited.
     */
    default void removeAdapter(int number) {
        throw withoutLoading();
    }

    private EngineException withoutLoading() {
        return new EngineException(
                "the %s engine takes adapters only at its start: name them with --adapter".formatted(info().name()));
    }

    private EngineException withoutHostTier() {
        return new EngineException("the %s engine has no host's tier".formatted(info().name()));
    }

    @Override
    void close();
}
