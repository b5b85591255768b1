package dev.jeton.scheduler;

import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.PreparedAdapter;
import java.nio.file.Path;

/** Where a model's requests go: the step loop of a paged engine, or the loop around an engine that batches itself. */
public interface Dispatcher extends AutoCloseable {

    /**
     * Queues a request; any thread, which never waits for a step.
     *
     * @throws RejectedException if the waiting queue is full, the server drains, or the request can never fit
     */
    Generation submit(GenerationRequest request);

    /**
     * Something came that a sequence may wait for: its allowance has grown, or is exhausted now. Any thread; never
     * blocks, takes no lock.
     */
    void wake();

    /**
     * What can be said of a prompt before it is computed, by who knows: waits for the end of the step under way. Any
     * thread; changes nothing.
     *
     * @param salt as in {@link GenerationRequest}
     * @param adapter as in {@link GenerationRequest}
     * @throws RejectedException if too many ask at a time, or the engine can compute no more
     */
    Quote quote(int[] prompt, long salt, int adapter) throws InterruptedException;

    /**
     * Reads an adapter of the model, beside the steps; any thread.
     *
     * @param mostBytes of memory that it may take
     * @throws dev.jeton.models.engine.AdapterMemoryException where it takes more
     * @throws RuntimeException of the engine's, saying what is wrong with the folder
     * @throws RejectedException if the engine takes none while it runs, or can compute no more
     */
    PreparedAdapter prepareAdapter(Path folder, long mostBytes);

    /**
     * Has the engine take an adapter that was prepared for it, after the step under way. Any thread, which waits for
     * that.
     *
     * @return its number, for {@link GenerationRequest}: never that of another
     * @throws RejectedException if the engine can compute no more, or too many ask at a time; the adapter is closed
     *     then
     */
    int addAdapter(PreparedAdapter adapter) throws InterruptedException;

    /**
     * No request goes through an adapter that was added from now on; those that do end as they would, and then the
     * engine gives it up. Any thread, which waits for nothing.
     */
    void removeAdapter(int number);

    /** Most tokens of a sequence: the engine's context, or what its whole cache can hold if that is less. */
    int contextLength();

    /** The engine behind this dispatcher. */
    EngineInfo engine();

    /** Gauges and counters as of the last step; any thread. */
    DispatcherStats stats();

    /** Refuses new requests from now on; those running go on. */
    void drain();

    /** Whether the engine can still compute; once false it stays so. */
    boolean up();

    /** Whether nothing is running or waiting. */
    boolean idle();

    /** Cancels what still runs and ends the loop. */
    @Override
    void close();
}
