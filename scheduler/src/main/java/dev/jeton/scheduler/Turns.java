package dev.jeton.scheduler;

import dev.jeton.models.engine.PreparedAdapter;
import java.nio.file.Path;

/**
 * What a {@link DispatchLoop} drives. Owned by the loop's thread, but for {@link #check} and {@link #contextLength}.
 */
interface Turns extends AutoCloseable {

    /** Most tokens of a sequence. Any thread. */
    int contextLength();

    /**
     * Checks that a request could ever run. Any thread.
     *
     * @throws RejectedException if not
     */
    void check(GenerationRequest request);

    /** Queues a request that was checked. */
    void submit(GenerationState generation);

    /** Does what a request's reader has asked for since. */
    void obey(GenerationState generation);

    /** What it can say of a prompt now. */
    Quote quote(int[] prompt, long salt, int adapter);

    /** Reads an adapter for the engine. Any thread. */
    default PreparedAdapter prepareAdapter(Path folder, long mostBytes) {
        throw new RejectedException(RejectedException.Reason.UNSUPPORTED, "the engine has no adapters");
    }

    /** Hands an adapter to the engine. */
    default void addAdapter(int number, PreparedAdapter adapter) {
        throw new RejectedException(RejectedException.Reason.UNSUPPORTED, "the engine has no adapters");
    }

    /** Has the engine give up an adapter that no sequence goes through any more; steps in flight may. */
    default void removeAdapter(int number) {
        throw new RejectedException(RejectedException.Reason.UNSUPPORTED, "the engine has no adapters");
    }

    /**
     * Does what can be done now.
     *
     * @return false where there is nothing to do until a command, a deadline, a reader or the engine changes something
     */
    boolean turn();

    /** Whether nothing runs or waits. */
    boolean idle();

    /** Whether copies are under way that go on without sequences, and lead to others. */
    default boolean copying() {
        return false;
    }

    /** Ends everything, for a shutdown. */
    void endEverything(FinishReason reason, String message);

    /** Every request fails, and from now on there are none. */
    void loseEverything(String message);

    /** What time without work is booked as from now on. */
    void restState(DeviceState next);

    /** Gauges and counters now. */
    DispatcherStats stats();

    /** Closes the engine. */
    @Override
    void close();
}
