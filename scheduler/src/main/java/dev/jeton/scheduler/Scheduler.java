package dev.jeton.scheduler;

import dev.jeton.kvcache.BlockCopies;
import dev.jeton.kvcache.BlockState;
import dev.jeton.kvcache.KvCache;
import dev.jeton.kvcache.KvSequence;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.DeviceLostException;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.PreparedAdapter;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTimeModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;

/**
 * Continuous batching over one engine: every {@link #turn} plans a step, launches it, and applies the oldest one in
 * flight.
 *
 * <p>This class is the turn and the time it takes; each of its helpers is readable alone: {@link StepPlanner} decides
 * what runs next, {@link StepApplier} what a finished step means, {@link Admission} who comes in, {@link Timeouts}
 * whose time is up, and {@link Sequences} is what becomes of sequences in between: submitted, started, preempted,
 * ended.
 *
 * <ul>
 *   <li>There are no prefill and decode phases: a step carries the next token of every running sequence and then as
 *       much prefill as the token budget allows.
 *   <li>A sequence is admitted with all blocks that its known tokens need. When a running one needs a block and none is
 *       left, the sequence that is served last is preempted: its blocks are let go of (full ones stay cached), and it
 *       waits at the place it had, to be computed again.
 *   <li>All forks of a request are admitted together; the prompt up to its last token is computed once.
 * </ul>
 *
 * <p>Owned by one thread, which makes every call; there are no locks. Time comes from the injected clock and randomness
 * from the injected seed, so a simulated engine on a simulated clock replays the same decisions.
 */
public final class Scheduler implements Turns {

    private final Engine engine;
    private final EngineInfo info;
    private final SchedulerConfig config;
    private final LongSupplier clock;
    private final KvCache kv;
    private final Bounds bounds;
    private final DeviceTimeline timeline;
    private final StepTimeModel timeModel;
    private final StepPlanner planner;
    private final StepApplier applier;
    private final BlockCopies copies;
    private final TierCopies tiers;
    private final GrammarMasks masks;
    private final Sequences sequences;
    private final Timeouts timeouts;
    private final Counters counters = new Counters();
    private final QueuedRequests queued;
    private final StepListener listener;
    private boolean nothingToDo = true;
    private DeviceState restState = DeviceState.IDLE;
    /** What time without a step in flight is booked as. */
    private DeviceState between = DeviceState.IDLE;

    private DeviceState state = DeviceState.LOADING;

    /** Counts that only grow; read through {@link Scheduler#stats()}. */
    static final class Counters {
        long steps;
        long rows;
        long prefillTokens;
        long decodeTokens;
        long recomputedTokens;
        long overrunTokens;
        long draftTokens;
        long acceptedDraftTokens;
    }

    /**
     * A scheduler for an engine that nobody else drives.
     *
     * @param loadingSince when loading the engine began: time from then until now is booked as loading
     */
    public Scheduler(
            Engine engine, SchedulerConfig config, LongSupplier clock, long loadingSince, StepListener listener) {
        this(engine, config, clock, loadingSince, listener, new QueuedRequests());
    }

    /** The same, with the count of queued requests kept where those who submit can see it. */
    Scheduler(
            Engine engine,
            SchedulerConfig config,
            LongSupplier clock,
            long loadingSince,
            StepListener listener,
            QueuedRequests queued) {
        this.queued = queued;
        this.engine = engine;
        this.config = config;
        this.clock = clock;
        this.listener = listener;
        info = engine.info();
        boolean kept = !info.groups().isEmpty();
        int blockSize = kept ? info.groups().getFirst().blockSize() : 1;
        List<KvCache.Group> groups = new ArrayList<>();
        for (LayerGroup group : info.groups()) {
            if (group.blockSize() != blockSize) {
                throw new IllegalArgumentException("layer groups with different block sizes are not supported");
            }
            groups.add(new KvCache.Group(group.blockCount(), group.hostBlocks(), group.window()));
        }
        // blocks are not all that a sequence goes on from where it has a state in its slot
        boolean shared = kept && !info.supports(Capability.STATE) && config.prefixCaching();
        kv = new KvCache(blockSize, groups, config.seed(), shared);
        bounds = Bounds.of(config, info);
        timeline = new DeviceTimeline(loadingSince);
        timeModel = new StepTimeModel(new StepTimeModel.Coefficients(1e6, 1e4, 10));
        copies = new BlockCopies(groups.size());
        tiers = new TierCopies(engine, kv);
        sequences = new Sequences(engine, kv, copies, clock, timeModel, queued);
        masks = new GrammarMasks(sequences, info.vocabulary());
        timeouts = new Timeouts(sequences, config.stallNanos());
        applier = new StepApplier(sequences, kv, timeModel, timeline, listener, counters, bounds);
        Admission admission = new Admission(sequences, kv, bounds);
        int mostDrafts = info.supports(Capability.DRAFTS) ? config.maxDrafts() : 0;
        DraftPlanner drafts =
                new DraftPlanner(timeModel, masks, bounds, info.vocabulary(), mostDrafts, info.maxTickets() > 1);
        planner = new StepPlanner(
                sequences, admission, drafts, timeouts, kv, timeModel, bounds, config.stepTargetNanos());
        listener.onState(DeviceState.LOADING, loadingSince);
        long now = clock.getAsLong();
        applier.book(DeviceState.LOADING, now);
        enter(restState, now);
    }

    private void enter(DeviceState next, long now) {
        if (next != state) {
            state = next;
            listener.onState(next, now);
        }
    }

    /** Most tokens of a sequence: the engine's context, or what the whole cache can hold if that is less. */
    @Override
    public int contextLength() {
        return bounds.contextLength();
    }

    /** What it can say of a prompt now; the loop's thread. */
    @Override
    public Quote quote(int[] prompt, long salt, int adapter) {
        KvSequence probe = new KvSequence(kv.groups(), salt, adapter);
        return new Quote(
                kv.findable(probe, prompt, prompt.length),
                sequences.running().size(),
                bounds.maxTokens(),
                timeModel.coefficients());
    }

    /**
     * Checks that a request could ever run; any thread.
     *
     * @throws RejectedException if not
     */
    @Override
    public void check(GenerationRequest request) {
        boolean known = request.adapter() <= info.adapters() || info.supports(Capability.ADAPTER_LOADING);
        if (request.adapter() < 0 || !known) {
            throw new RejectedException(
                    RejectedException.Reason.UNSUPPORTED,
                    "adapter %d: the engine '%s' has %d".formatted(request.adapter(), info.name(), info.adapters()));
        }
        if (request.pooled() != info.supports(Capability.POOLING)) {
            throw new RejectedException(
                    RejectedException.Reason.UNSUPPORTED,
                    request.pooled()
                            ? "the engine '%s' gives no vectors of prompts".formatted(info.name())
                            : "the engine '%s' gives vectors of prompts only".formatted(info.name()));
        }
        GrammarMasks.check(request, info);
        int prompt = request.prompt().length;
        int needed = prompt + Math.min(1, request.maxTokens());
        if (needed > bounds.contextLength()) {
            throw new RejectedException(
                    RejectedException.Reason.TOO_LARGE,
                    "the prompt has %d tokens; prompt and completion together have room for %d (context %d, KV cache %d blocks of %d tokens)"
                            .formatted(
                                    prompt, bounds.contextLength(), info.contextLength(), kv.size(), kv.blockSize()));
        }
        if (request.sequences() > bounds.maxSequences() || !kv.fits(prompt, request.sequences() - 1)) {
            throw new RejectedException(
                    RejectedException.Reason.TOO_LARGE,
                    "n is %d: this server runs at most %d sequences at once, in %d KV blocks"
                            .formatted(request.sequences(), bounds.maxSequences(), kv.size()));
        }
    }

    @Override
    public PreparedAdapter prepareAdapter(Path folder, long mostBytes) {
        return engine.prepareAdapter(folder, mostBytes);
    }

    @Override
    public void addAdapter(int number, PreparedAdapter adapter) {
        engine.addAdapter(number, adapter);
    }

    @Override
    public void removeAdapter(int number) {
        engine.removeAdapter(number);
    }

    /**
     * Queues a request for whoever turns this scheduler by hand: simulations, the planner, benchmarks. Its reader must
     * be the same thread.
     *
     * @throws RejectedException if it can never run
     */
    public Generation submit(GenerationRequest request) {
        check(request);
        queued.add(request);
        GenerationState generation =
                new GenerationState(request, config.ringCapacity(), clock.getAsLong(), () -> {}, this::obey);
        submit(generation);
        return generation;
    }

    /** Queues a request that was {@linkplain #check checked}. */
    @Override
    public void submit(GenerationState generation) {
        sequences.submit(generation);
        timeouts.watch(generation.request().deadlineNanos());
    }

    /** Does what a request's reader has asked for since. */
    @Override
    public void obey(GenerationState generation) {
        generation.heard();
        for (int i = 0; i < generation.request().sequences(); i++) {
            if (generation.takeStop(i)) {
                sequences.stop(generation, i);
            }
        }
        if (generation.cancelled()) {
            sequences.endAll(generation, FinishReason.CANCELLED, "");
        }
    }

    /** Ends everything, for a shutdown. */
    @Override
    public void endEverything(FinishReason reason, String message) {
        sequences.endEverything(reason, message);
    }

    /**
     * The engine is gone or a turn broke off, so that no state but that of the requests can be trusted: every request
     * fails, and from now on there are none.
     */
    @Override
    public void loseEverything(String message) {
        long now = clock.getAsLong();
        sequences.loseEverything(message, now);
        applier.lose();
        applier.book(DeviceState.STALLED, now);
        nothingToDo = true;
        restState = DeviceState.DOWN;
        between = DeviceState.DOWN;
        enter(DeviceState.DOWN, now);
    }

    /** Whether nothing runs or waits. */
    @Override
    public boolean idle() {
        return sequences.isEmpty() && applier.inFlight() == 0;
    }

    @Override
    public boolean copying() {
        return tiers.copying();
    }

    /**
     * Does what can be done now: launches a step if the engine takes one more, and applies the oldest one when it does
     * not or when there is nothing to launch.
     *
     * @return false where there is nothing to do until a command, a deadline or a reader changes something
     */
    @Override
    public boolean turn() {
        long now = clock.getAsLong();
        bookTo(now, between);
        if (between == DeviceState.COPY || (nothingToDo && !idle())) {
            between = DeviceState.STALLED;
            enter(between, now);
        }
        tiers.poll();
        timeouts.expire(now);
        boolean did = advance(now);
        tiers.writeBehind();
        nothingToDo = idle();
        rest(nothingToDo ? restState : did || !tiers.copying() ? DeviceState.STALLED : DeviceState.COPY);
        return did;
    }

    /** What time without a step in flight is booked as from now on. */
    private void rest(DeviceState next) {
        if (next != between) {
            long ended = clock.getAsLong();
            bookTo(ended, between);
            between = next;
            enter(next, ended);
        }
    }

    private boolean advance(long now) {
        boolean launched = false;
        long before = sequences.departures();
        if (applier.inFlight() < info.maxTickets()) {
            launched = launch(now);
            if (launched && applier.inFlight() < info.maxTickets()) {
                return true;
            }
        }
        if (applier.inFlight() > 0) {
            awaitOldest();
            return true;
        }
        // what has left may have made room for others
        return launched || sequences.departures() != before;
    }

    private boolean launch(long now) {
        StepApplier.Flight flight = applier.nextFlight();
        boolean planned = planner.plan(flight, applier.inFlight() > 0, now);
        if (tiers.wantsLoads()) {
            // a fork may copy from a block that was given to one of these since
            transfer();
            tiers.load();
        }
        if (!planned) {
            return false;
        }
        transfer();
        enter(DeviceState.STEP, clock.getAsLong());
        flight.ticket = engine.launch(flight.batch);
        applier.launched();
        if (flight.masked > 0) {
            mask(flight);
        }
        return true;
    }

    /** What rows of the newest step may sample is known once the step before has landed; it computes meanwhile. */
    private void mask(StepApplier.Flight flight) {
        if (applier.inFlight() == 2) {
            awaitOldest();
        }
        engine.masks(flight.ticket, masks.of(flight));
    }

    private void transfer() {
        for (int g = 0; g < kv.groups(); g++) {
            if (copies.count(g) > 0) {
                long begin = clock.getAsLong();
                bookTo(begin, DeviceState.STALLED);
                if (applier.inFlight() == 0) {
                    enter(DeviceState.COPY, begin);
                }
                engine.transfer(g, copies.from(g), copies.to(g), copies.count(g));
                bookTo(clock.getAsLong(), DeviceState.COPY);
            }
        }
        copies.clear();
    }

    /** Books the time since the last span, unless a step in flight will cover it. */
    private void bookTo(long now, DeviceState state) {
        if (applier.inFlight() == 0) {
            applier.book(state, now);
        }
    }

    private void awaitOldest() {
        StepApplier.Flight flight = applier.oldest();
        StepResult result;
        try {
            result = engine.await(flight.ticket);
        } catch (DeviceLostException e) {
            applier.lose();
            throw e;
        }
        applier.apply(flight, result);
        if (applier.inFlight() == 0) {
            enter(DeviceState.STALLED, result.endNanos);
        }
        sequences.retire();
    }

    /** What time without work is booked as from now on. */
    @Override
    public void restState(DeviceState next) {
        long now = clock.getAsLong();
        bookTo(now, between);
        restState = next;
        if (nothingToDo) {
            between = next;
            enter(next, now);
        }
    }

    /** The device's books. */
    public DeviceTimeline timeline() {
        return timeline;
    }

    /** The step-time model in force. */
    public StepTimeModel timeModel() {
        return timeModel;
    }

    /** The sequences that it has. */
    Sequences sequences() {
        return sequences;
    }

    /** Gauges and counters now; the owning thread only. */
    @Override
    public DispatcherStats stats() {
        long[] states = new long[DeviceState.values().length];
        timeline.copyTo(states);
        return new DispatcherStats(
                sequences.running().size(),
                sequences.waiting().size(),
                config.maxWaiting(),
                queued.tokens(),
                kv.count(BlockState.FREE),
                kv.count(BlockState.COMPUTING),
                kv.count(BlockState.LOADING),
                kv.count(BlockState.CACHED),
                kv.count(BlockState.HELD),
                counters.steps,
                counters.rows,
                counters.prefillTokens,
                counters.decodeTokens,
                counters.recomputedTokens,
                counters.overrunTokens,
                counters.draftTokens,
                counters.acceptedDraftTokens,
                kv.queriedTokens(),
                kv.hitTokens(),
                kv.sharedWaits(),
                sequences.preemptions(),
                kv.evictions(),
                tiers.stats(),
                states);
    }

    /** Checks the cache's books, that every slot is either free or a running sequence's, and that phases agree. */
    public void verifyIntegrity() {
        kv.verifyIntegrity();
        sequences.verifyIntegrity();
    }

    @Override
    public void close() {
        engine.close();
    }
}
