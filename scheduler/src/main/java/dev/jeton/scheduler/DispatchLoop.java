package dev.jeton.scheduler;

import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.PreparedAdapter;
import java.nio.file.Path;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What dispatchers of both kinds of engine have in common: one platform thread owns the {@link Turns} and its engine
 * and turns as long as there is work. Other threads reach it through its {@link Inbox} and a few flags only, never
 * waiting for it, and read a snapshot of its statistics that it renews every few milliseconds.
 *
 * <p>An exception in a turn ends every request with an error and the loop with it: a scheduler whose books may be wrong
 * does not go on.
 */
abstract class DispatchLoop implements Dispatcher {

    private static final Logger LOG = LoggerFactory.getLogger(DispatchLoop.class);
    private static final long SNAPSHOT_NANOS = 5_000_000;
    private static final long DOWN_NANOS = 10_000_000;
    /** After how long a loop without work books the time it has been idle, so that metrics do not stand still. */
    private static final long IDLE_NANOS = 1_000_000_000;

    /** Quotes that may wait for the step under way to end. */
    private static final int MOST_ASKED = 64;

    /** A quote that somebody waits for. */
    private record Asked(int[] prompt, long salt, int adapter, CompletableFuture<Quote> answer) {}

    private final EngineInfo info;
    private final SchedulerConfig config;
    private final LongSupplier clock;
    private final Turns scheduler;
    private final QueuedRequests queued;
    private final AtomicInteger active = new AtomicInteger();
    private final AtomicBoolean parked = new AtomicBoolean();
    private final long blockedNanos;
    private final Inbox inbox = new Inbox();
    private final BlockingQueue<Asked> asked = new ArrayBlockingQueue<>(MOST_ASKED);
    private final AdapterCommands adapters;
    private final Thread thread;
    private volatile DispatcherStats stats;
    private volatile boolean draining;
    private volatile boolean closing;
    /** Set by those who wake the loop, cleared by the loop before it looks at what they may have changed. */
    private volatile boolean woken;

    private volatile boolean ended;
    private volatile @Nullable String down;
    private long snapshotAt;
    private boolean restsDraining;

    /**
     * A loop that is to be {@linkplain #begin begun} once its maker is done.
     *
     * @param name of the thread and in logs
     * @param scheduler driven by this loop alone from now on, and closed with it
     * @param queued requests that wait for their first admission, as the scheduler counts them
     * @param clock nanoseconds, monotonic
     * @param blockedNanos after how long to look whether a sequence that waits may go on
     */
    DispatchLoop(
            String name,
            EngineInfo info,
            Turns scheduler,
            QueuedRequests queued,
            SchedulerConfig config,
            LongSupplier clock,
            long blockedNanos) {
        this.blockedNanos = blockedNanos;
        this.info = info;
        this.scheduler = scheduler;
        this.queued = queued;
        this.config = config;
        this.clock = clock;
        adapters = new AdapterCommands(info.adapters());
        stats = scheduler.stats();
        thread = Thread.ofPlatform().name(name).daemon(true).unstarted(this::run);
    }

    /** The thread runs from now on. */
    final void begin() {
        thread.start();
    }

    @Override
    public int contextLength() {
        return scheduler.contextLength();
    }

    @Override
    public Generation submit(GenerationRequest request) {
        String lost = down;
        if (lost != null) {
            throw new RejectedException(RejectedException.Reason.ENGINE_DOWN, lost);
        }
        if (draining || closing) {
            throw new RejectedException(
                    RejectedException.Reason.DRAINING, "the server is draining and takes no new requests");
        }
        scheduler.check(request);
        adapters.begin(request);
        try {
            queued.admit(request, config);
        } catch (RuntimeException e) {
            adapters.end(request);
            throw e;
        }
        GenerationState generation = new GenerationState(
                request, config.ringCapacity(), clock.getAsLong(), () -> over(request), this::hearOf);
        active.incrementAndGet();
        generation.tell();
        if (ended) {
            refuseRest();
        }
        return generation;
    }

    private void over(GenerationRequest request) {
        active.decrementAndGet();
        adapters.end(request);
    }

    @Override
    public PreparedAdapter prepareAdapter(Path folder, long mostBytes) {
        requireUp();
        return scheduler.prepareAdapter(folder, mostBytes);
    }

    @Override
    public int addAdapter(PreparedAdapter adapter) throws InterruptedException {
        CompletableFuture<Integer> adding = adapters.add(adapter);
        wake();
        if (ended || !up()) {
            refuseAsked();
        }
        return AdapterCommands.number(adding);
    }

    @Override
    public void removeAdapter(int number) {
        adapters.leave(number);
        wake();
    }

    private void requireUp() {
        if (!up() || closing) {
            throw new RejectedException(RejectedException.Reason.ENGINE_DOWN, "the engine computes nothing any more");
        }
    }

    @Override
    public Quote quote(int[] prompt, long salt, int adapter) throws InterruptedException {
        Asked question = new Asked(prompt, salt, adapter, new CompletableFuture<>());
        requireUp();
        if (!asked.offer(question)) {
            throw new RejectedException(
                    RejectedException.Reason.QUEUE_FULL,
                    "%d estimates are waiting already; try again later".formatted(MOST_ASKED));
        }
        wake();
        if (ended) {
            refuseAsked();
        }
        try {
            return question.answer().get();
        } catch (ExecutionException e) {
            throw new RejectedException(RejectedException.Reason.ENGINE_DOWN, "the engine computes nothing any more");
        }
    }

    private void refuseAsked() {
        for (Asked question = asked.poll(); question != null; question = asked.poll()) {
            question.answer().completeExceptionally(new IllegalStateException("the loop has ended"));
        }
        adapters.refuse();
    }

    /** The loop looks at a request in its next turn; any thread, which never waits. */
    private void hearOf(GenerationState generation) {
        inbox.add(generation);
        if (parked.get()) {
            LockSupport.unpark(thread);
        }
    }

    private void run() {
        try {
            while (!closing || !inbox.isEmpty()) {
                woken = false;
                obey();
                boolean did = scheduler.turn();
                snapshot(!did);
                if (!did) {
                    rest();
                }
            }
            scheduler.endEverything(FinishReason.SHUTDOWN, "the server is shutting down");
            while (!scheduler.idle()) {
                scheduler.turn();
            }
            snapshot(true);
        } catch (Throwable e) {
            fail(e);
        } finally {
            ended = true;
            refuseRest();
            refuseAsked();
            scheduler.close();
            snapshot(true);
        }
    }

    /**
     * Ends what was submitted while the loop was ending. Called by the loop's thread after its last turn, and by
     * whoever submits and then sees that the loop has ended: one of the two finds it.
     */
    private synchronized void refuseRest() {
        for (GenerationState generation = inbox.poll(); generation != null; generation = inbox.poll()) {
            refuse(generation, FinishReason.SHUTDOWN, "the server is shutting down");
        }
    }

    /** Ends a request that the loop has not taken yet; those that it had have ended already. */
    private void refuse(GenerationState generation, FinishReason reason, String message) {
        if (generation.begin()) {
            queued.remove(generation.request());
            generation.endUnstarted(reason, message, clock.getAsLong());
        }
    }

    private void fail(Throwable e) {
        LOG.error("the step loop has ended: every request of this model fails", e);
        down = "the engine has failed (" + e.getMessage() + "); restart the server";
        refuseAsked();
        scheduler.loseEverything("the engine has failed: " + e.getMessage());
        while (!closing) {
            GenerationState generation = inbox.poll();
            if (generation != null) {
                refuse(generation, FinishReason.ERROR, "the engine has failed");
            } else {
                refuseAsked();
                scheduler.restState(DeviceState.DOWN);
                snapshot(false);
                LockSupport.parkNanos(DOWN_NANOS);
            }
        }
    }

    private void obey() {
        if (draining && !restsDraining) {
            restsDraining = true;
            scheduler.restState(DeviceState.DRAINING);
        }
        for (GenerationState generation = inbox.poll(); generation != null; generation = inbox.poll()) {
            if (generation.begin()) {
                scheduler.submit(generation);
            }
            scheduler.obey(generation);
        }
        adapters.obey(scheduler);
        // one a turn: hashing a long prompt takes as long as a step
        Asked question = asked.poll();
        if (question != null) {
            question.answer().complete(scheduler.quote(question.prompt(), question.salt(), question.adapter()));
        }
    }

    private void snapshot(boolean now) {
        long time = clock.getAsLong();
        if (now || time - snapshotAt >= SNAPSHOT_NANOS) {
            stats = scheduler.stats();
            snapshotAt = time;
        }
    }

    /**
     * Parks until there is a request to look at or somebody wakes it, a second at most; with sequences whose readers
     * are slow, or while blocks are copied between the tiers, looks again every millisecond.
     */
    private void rest() {
        parked.set(true);
        if (inbox.isEmpty() && asked.isEmpty() && adapters.isEmpty() && !closing && !woken) {
            LockSupport.parkNanos(this, scheduler.idle() && !scheduler.copying() ? IDLE_NANOS : blockedNanos);
        }
        parked.set(false);
    }

    @Override
    public void wake() {
        woken = true;
        if (parked.get()) {
            LockSupport.unpark(thread);
        }
    }

    @Override
    public EngineInfo engine() {
        return info;
    }

    @Override
    public DispatcherStats stats() {
        return stats;
    }

    @Override
    public void drain() {
        draining = true;
        wake();
    }

    @Override
    public boolean up() {
        return down == null;
    }

    @Override
    public boolean idle() {
        return active.get() == 0;
    }

    @Override
    public void close() {
        closing = true;
        LockSupport.unpark(thread);
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
