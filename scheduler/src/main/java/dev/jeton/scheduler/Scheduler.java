package dev.jeton.scheduler;

import dev.jeton.kvcache.BlockCopies;
import dev.jeton.kvcache.BlockState;
import dev.jeton.kvcache.KvCache;
import dev.jeton.kvcache.KvSequence;
import dev.jeton.models.engine.DeviceLostException;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTimeModel;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;

/**
 * Continuous batching over one engine: every {@link #turn} plans a step, launches it, and applies the oldest one in
 * flight.
 *
 * <p>The scheduler has three helpers, each readable alone: {@link StepPlanner} decides what runs next, {@link
 * StepApplier} what a finished step means, and this class what becomes of sequences in between: submitted, admitted,
 * preempted, ended.
 *
 * <ul>
 *   <li>There are no prefill and decode phases: a step carries the next token of every running sequence and then as much
 *       prefill as the token budget allows.
 *   <li>A sequence is admitted with all blocks that its known tokens need. When a running one needs a block and none is
 *       left, the sequence that is served last is preempted: its blocks are let go of (full ones stay cached), and it
 *       waits at the place it had, to be computed again.
 *   <li>All forks of a request are admitted together; the prompt up to its last token is computed once.
 * </ul>
 *
 * <p>Owned by one thread, which makes every call; there are no locks. Time comes from the injected clock and randomness
 * from the injected seed, so a simulated engine on a simulated clock replays the same decisions.
 */
public final class Scheduler {

    private final Engine engine;
    private final EngineInfo info;
    private final SchedulerConfig config;
    private final LongSupplier clock;
    private final KvCache kv;
    private final int contextLength;
    private final int maxSequences;
    private final DeviceTimeline timeline;
    private final StepTimeModel timeModel;
    private final StepPlanner planner;
    private final StepApplier applier;
    private final BlockCopies copies;
    private final SequenceQueue waiting = new SequenceQueue();
    private final SequenceQueue running = new SequenceQueue();
    private final List<Sequence> retiring = new ArrayList<>();
    /** Requests whose last end is not published yet: what to tell where a turn breaks off anywhere. */
    private final Set<GenerationState> live = new HashSet<>();

    private final int[] freeSlots;
    private final Counters counters = new Counters();
    private final AtomicInteger queued;
    private int freeSlotCount;
    private int pendingForks;
    private long arrivals;
    private long departures;
    private boolean nothingToDo = true;
    private DeviceState restState = DeviceState.IDLE;
    private DeviceState state = DeviceState.LOADING;
    private final StepListener listener;
    private long nearestDeadline = Long.MAX_VALUE;

    /** Counts that only grow; read through {@link Scheduler#stats()}. */
    static final class Counters {
        long steps;
        long rows;
        long prefillTokens;
        long decodeTokens;
        long recomputedTokens;
        long overrunTokens;
        long preemptions;
    }

    /**
     * A scheduler for an engine that nobody else drives.
     *
     * @param loadingSince when loading the engine began: time from then until now is booked as loading
     */
    public Scheduler(
            Engine engine, SchedulerConfig config, LongSupplier clock, long loadingSince, StepListener listener) {
        this(engine, config, clock, loadingSince, listener, new AtomicInteger());
    }

    /** The same, with the count of queued requests kept where those who submit can see it. */
    Scheduler(
            Engine engine,
            SchedulerConfig config,
            LongSupplier clock,
            long loadingSince,
            StepListener listener,
            AtomicInteger queued) {
        this.queued = queued;
        this.engine = engine;
        this.config = config;
        this.clock = clock;
        this.listener = listener;
        info = engine.info();
        int blockSize = info.groups().getFirst().blockSize();
        int capacity = Integer.MAX_VALUE;
        List<KvCache.Group> groups = new ArrayList<>();
        for (LayerGroup group : info.groups()) {
            if (group.blockSize() != blockSize) {
                throw new IllegalArgumentException("layer groups with different block sizes are not supported");
            }
            groups.add(new KvCache.Group(group.blockCount(), group.window()));
            capacity = (int) Math.min(capacity, (long) group.blockCount() * blockSize);
        }
        kv = new KvCache(blockSize, groups, config.seed(), config.prefixCaching());
        contextLength = Math.min(info.contextLength(), capacity);
        maxSequences = Math.min(config.maxSequences(), info.maxRows());
        freeSlots = new int[info.maxSlots()];
        for (int i = 0; i < freeSlots.length; i++) {
            freeSlots[i] = freeSlots.length - 1 - i;
        }
        freeSlotCount = freeSlots.length;
        timeline = new DeviceTimeline(loadingSince);
        timeModel = new StepTimeModel(new StepTimeModel.Coefficients(1e6, 1e4, 10));
        copies = new BlockCopies(groups.size());
        int maxTokens = Math.min(config.maxBatchedTokens(), info.maxTokens());
        planner = new StepPlanner(this, config, info, kv, timeModel, maxTokens, maxSequences);
        applier = new StepApplier(this, kv, timeModel, timeline, listener, counters);
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
    public int contextLength() {
        return contextLength;
    }

    /**
     * Checks that a request could ever run; any thread.
     *
     * @throws RejectedException if not
     */
    public void check(GenerationRequest request) {
        int prompt = request.prompt().length;
        int needed = prompt + Math.min(1, request.maxTokens());
        if (needed > contextLength) {
            throw new RejectedException(
                    RejectedException.Reason.TOO_LARGE,
                    "the prompt has %d tokens; prompt and completion together have room for %d (context %d, KV cache %d blocks of %d tokens)"
                            .formatted(prompt, contextLength, info.contextLength(), kv.size(), kv.blockSize()));
        }
        if (request.sequences() > maxSequences || !kv.fits(prompt, request.sequences() - 1)) {
            throw new RejectedException(
                    RejectedException.Reason.TOO_LARGE,
                    "n is %d: this server runs at most %d sequences at once, in %d KV blocks"
                            .formatted(request.sequences(), maxSequences, kv.size()));
        }
    }

    /**
     * Queues a request for whoever turns this scheduler by hand: simulations, the planner, benchmarks. Its reader must
     * be the same thread.
     *
     * @throws RejectedException if it can never run
     */
    public Generation submit(GenerationRequest request) {
        check(request);
        queued.incrementAndGet();
        GenerationState generation = new GenerationState(
                request,
                config.ringCapacity(),
                clock.getAsLong(),
                () -> {},
                cancelled -> endAll(cancelled, FinishReason.CANCELLED, ""),
                this::stop);
        submit(generation);
        return generation;
    }

    /** Queues a request that was {@linkplain #check checked}. */
    void submit(GenerationState generation) {
        live.add(generation);
        GenerationRequest request = generation.request();
        long arrival = arrivals++;
        List<Sequence> forks = new ArrayList<>();
        for (int i = 1; i < request.sequences(); i++) {
            forks.add(new Sequence(generation, i, arrival, newKv(request), List.of()));
        }
        waiting.add(new Sequence(generation, 0, arrival, newKv(request), forks));
        nearestDeadline = Math.min(nearestDeadline, request.deadlineNanos());
    }

    private KvSequence newKv(GenerationRequest request) {
        return new KvSequence(kv.groups(), request.salt(), 0);
    }

    /** Whether nothing runs or waits. */
    public boolean idle() {
        return waiting.isEmpty() && running.isEmpty() && retiring.isEmpty() && applier.inFlight() == 0;
    }

    /**
     * Does what can be done now: launches a step if the engine takes one more, and applies the oldest one when it does
     * not or when there is nothing to launch.
     *
     * @return false where there is nothing to do until a command, a deadline or a reader changes something
     */
    public boolean turn() {
        long now = clock.getAsLong();
        bookTo(now, nothingToDo ? restState : DeviceState.STALLED);
        if (nothingToDo && !idle()) {
            enter(DeviceState.STALLED, now);
        }
        expire(now);
        boolean did = advance(now);
        nothingToDo = idle();
        if (nothingToDo && state != restState) {
            long ended = clock.getAsLong();
            bookTo(ended, DeviceState.STALLED);
            enter(restState, ended);
        }
        return did;
    }

    private boolean advance(long now) {
        boolean launched = false;
        long before = departures;
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
        return launched || departures != before;
    }

    private boolean launch(long now) {
        StepApplier.Flight flight = applier.nextFlight();
        if (!planner.plan(flight, now)) {
            return false;
        }
        transfer();
        enter(DeviceState.STEP, clock.getAsLong());
        flight.ticket = engine.launch(flight.batch);
        applier.launched();
        return true;
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
        for (int i = retiring.size() - 1; i >= 0; i--) {
            Sequence sequence = retiring.get(i);
            if (sequence.rowsInFlight == 0) {
                retiring.remove(i);
                letGo(sequence, clock.getAsLong());
            }
        }
    }

    // ---- what becomes of sequences ----

    SequenceQueue running() {
        return running;
    }

    SequenceQueue waiting() {
        return waiting;
    }

    int ticketsInFlight() {
        return applier.inFlight();
    }

    /**
     * Admits sequences in their order while slots and blocks allow, until there is prefill for the next four steps.
     *
     * @return false where a running sequence must be preempted for one of better priority once no step is in flight:
     *     nothing should be launched until then
     */
    boolean admit(int tokenBudget, long now) {
        long backlog = 0;
        for (int i = 0; i < running.size(); i++) {
            Sequence s = running.get(i);
            int left = s.length - 1 - Math.max(s.planned, s.kv.found());
            backlog += Math.clamp(left, 0, tokenBudget);
        }
        while (!waiting.isEmpty() && backlog < 4L * tokenBudget) {
            Sequence head = waiting.first();
            int unit = 1 + head.forks.size();
            if (running.size() + pendingForks + unit > maxSequences
                    || freeSlotCount - pendingForks < unit
                    || !admitBlocks(head, now)) {
                if (!outranksLast(head)) {
                    return true;
                }
                if (applier.inFlight() > 0) {
                    return false;
                }
                preempt(running.last(), now);
            } else if (start(head, now)) {
                backlog += Math.clamp(head.length - head.kv.found(), 1, tokenBudget);
            }
        }
        return true;
    }

    private boolean admitBlocks(Sequence head, long now) {
        // one block in hand for every running sequence, so that admitting does not mean preempting a step later
        int spare = running.size() + pendingForks;
        return kv.admit(head.kv, head.tokens, head.length, head.usesPrefix(), head.forkKvs(), spare, now);
    }

    /** Whether a head of better priority takes the place of the running sequence served last. */
    private boolean outranksLast(Sequence head) {
        return !running.isEmpty() && head.priority() < running.last().priority();
    }

    private boolean start(Sequence head, long now) {
        boolean first = !head.admittedBefore;
        try {
            open(head);
        } catch (EngineException e) {
            end(head, FinishReason.ERROR, -1, String.valueOf(e.getMessage()));
            publish(head.generation, now);
            return false;
        }
        waiting.removeFirst();
        if (first) {
            queued.decrementAndGet();
            head.generation.totals.cachedTokens += head.kv.found();
            head.generation.totals.savedNanos += Math.round(head.kv.found() * timeModel.perToken());
        }
        head.planned = head.kv.computed();
        running.add(head);
        for (Sequence fork : head.forks) {
            fork.phase = Sequence.Phase.FORKING;
        }
        pendingForks += head.forks.size();
        forkIfReady(head, now);
        return true;
    }

    private void open(Sequence sequence) {
        SamplingParameters sampling = sequence.generation.request().sampling();
        if (sequence.index > 0) {
            sampling = sampling.withSeed(sampling.seed() + sequence.index * 0x9e3779b97f4a7c15L);
        }
        int slot = freeSlots[freeSlotCount - 1];
        engine.open(slot, new SequenceSpec(sampling, sequence.tokens, sequence.promptLength(), sequence.length));
        freeSlotCount--;
        sequence.slot = slot;
        sequence.phase = Sequence.Phase.RUNNING;
        sequence.admittedBefore = true;
    }

    /** Once the prompt but its last token is computed, the forks continue from there. */
    void forkIfReady(Sequence parent, long now) {
        if (parent.forks.isEmpty()
                || parent.kv.computed() < parent.length - 1
                || parent.phase != Sequence.Phase.RUNNING) {
            return;
        }
        for (Sequence fork : parent.forks) {
            kv.fork(parent.kv, fork.kv, copies, now);
            open(fork);
            fork.planned = fork.kv.computed();
            fork.everComputed = fork.planned;
            running.add(fork);
        }
        dropForks(parent);
    }

    private void dropForks(Sequence parent) {
        if (!parent.forks.isEmpty()) {
            pendingForks -= parent.phase == Sequence.Phase.RUNNING ? parent.forks.size() : 0;
            parent.forks.clear();
        }
    }

    /** Takes back a running sequence's blocks; it waits at its old place. Only while no step is in flight. */
    void preempt(Sequence victim, long now) {
        assert victim.rowsInFlight == 0 && victim.phase == Sequence.Phase.RUNNING;
        running.remove(victim);
        for (Sequence fork : victim.forks) {
            kv.release(fork.kv, now);
            fork.phase = Sequence.Phase.WAITING;
        }
        pendingForks -= victim.forks.size();
        letGo(victim, now);
        victim.phase = Sequence.Phase.WAITING;
        victim.planned = 0;
        victim.generation.totals.preemptions++;
        counters.preemptions++;
        departures++;
        waiting.add(victim);
    }

    private void letGo(Sequence sequence, long now) {
        if (sequence.kv.admitted()) {
            kv.release(sequence.kv, now);
        }
        if (sequence.slot != Sequence.NO_SLOT) {
            engine.close(sequence.slot);
            freeSlots[freeSlotCount++] = sequence.slot;
            sequence.slot = Sequence.NO_SLOT;
        }
    }

    /**
     * Ends a sequence, and the forks that still wait for it: tells their reader, and lets go of their blocks once no step
     * in flight names them.
     */
    void end(Sequence sequence, FinishReason reason, int stopToken, String message) {
        if (sequence.phase == Sequence.Phase.ENDING || sequence.phase == Sequence.Phase.ENDED) {
            return;
        }
        for (Sequence fork : sequence.forks) {
            end(fork, reason, -1, message);
        }
        dropForks(sequence);
        departures++;
        sequence.reason = reason;
        long now = clock.getAsLong();
        switch (sequence.phase) {
            case WAITING -> {
                waiting.remove(sequence);
                if (!sequence.admittedBefore && sequence.index == 0) {
                    queued.decrementAndGet();
                }
            }
            case RUNNING -> running.remove(sequence);
            case FORKING, ENDING, ENDED -> {}
        }
        sequence.generation.totals.kvBlockNanos += kv.blockNanos(sequence.kv, now);
        sequence.generation.writeEnd(sequence.index, reason, stopToken, message);
        if (sequence.rowsInFlight > 0) {
            sequence.phase = Sequence.Phase.ENDING;
            retiring.add(sequence);
        } else {
            sequence.phase = Sequence.Phase.ENDED;
            letGo(sequence, now);
        }
    }

    /** Ends all sequences of a request. */
    void endAll(GenerationState generation, FinishReason reason, String message) {
        endAllIn(waiting, generation, reason, message);
        endAllIn(running, generation, reason, message);
        publish(generation, clock.getAsLong());
    }

    /** Shows a request's reader what was written for it. */
    void publish(GenerationState generation, long now) {
        generation.publish(now);
        if (generation.ended()) {
            live.remove(generation);
        }
    }

    private void endAllIn(SequenceQueue queue, GenerationState generation, FinishReason reason, String message) {
        for (int i = queue.size() - 1; i >= 0; i--) {
            Sequence sequence = queue.get(i);
            if (sequence.generation == generation) {
                end(sequence, reason, -1, message);
            }
        }
    }

    /** The reader found a stop string, so the sequence has forked: before, there is no text. */
    void stop(GenerationState generation, int index) {
        for (SequenceQueue queue : List.of(running, waiting)) {
            for (int i = queue.size() - 1; i >= 0; i--) {
                Sequence sequence = queue.get(i);
                if (sequence.generation == generation && sequence.index == index && sequence.forks.isEmpty()) {
                    end(sequence, FinishReason.STOP, -1, "");
                    publish(generation, clock.getAsLong());
                    return;
                }
            }
        }
    }

    /**
     * The engine is gone or a turn broke off, so that no state but that of the requests can be trusted: every request
     * fails, and from now on there are none.
     */
    void loseEverything(String message) {
        long now = clock.getAsLong();
        live.forEach(generation -> generation.endUnstarted(FinishReason.ERROR, message, now));
        live.clear();
        waiting.forEach(sequence -> {
            if (!sequence.admittedBefore && sequence.index == 0) {
                queued.decrementAndGet();
            }
        });
        waiting.clear();
        running.clear();
        retiring.clear();
        pendingForks = 0;
        applier.lose();
        applier.book(DeviceState.STALLED, now);
        nothingToDo = true;
        restState = DeviceState.DOWN;
        enter(DeviceState.DOWN, now);
    }

    /** Ends everything, for a shutdown. */
    void endEverything(FinishReason reason, String message) {
        while (!running.isEmpty()) {
            endAll(running.first().generation, reason, message);
        }
        while (!waiting.isEmpty()) {
            endAll(waiting.first().generation, reason, message);
        }
    }

    private void expire(long now) {
        if (now < nearestDeadline) {
            return;
        }
        nearestDeadline = Long.MAX_VALUE;
        expireIn(running, now);
        expireIn(waiting, now);
    }

    private void expireIn(SequenceQueue queue, long now) {
        List<GenerationState> late = new ArrayList<>();
        for (Sequence sequence : queue) {
            long deadline = sequence.generation.request().deadlineNanos();
            if (deadline <= now) {
                late.add(sequence.generation);
            } else {
                nearestDeadline = Math.min(nearestDeadline, deadline);
            }
        }
        for (GenerationState generation : late) {
            endAll(generation, FinishReason.DEADLINE, "the request's deadline passed");
        }
    }

    /** A sequence whose reader does not read is not scheduled, and after a while cancelled. */
    boolean readerHasRoom(Sequence sequence, long now) {
        return sequence.generation.roomForOneMore(now);
    }

    /** Cancels requests whose readers have taken nothing from a full buffer for too long. */
    void endStalled(long now) {
        for (int i = running.size() - 1; i >= 0; i--) {
            GenerationState generation = running.get(i).generation;
            if (generation.stalled(now, config.stallNanos())) {
                endAll(generation, FinishReason.STALLED, "the client did not read its stream");
                i = running.size();
            }
        }
    }

    /** What time without work is booked as from now on. */
    void restState(DeviceState next) {
        long now = clock.getAsLong();
        bookTo(now, nothingToDo ? restState : DeviceState.STALLED);
        restState = next;
        if (nothingToDo) {
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

    /** Gauges and counters now; the owning thread only. */
    public DispatcherStats stats() {
        long[] states = new long[DeviceState.values().length];
        timeline.copyTo(states);
        return new DispatcherStats(
                running.size(),
                waiting.size(),
                config.maxWaiting(),
                kv.count(BlockState.FREE),
                kv.count(BlockState.COMPUTING),
                kv.count(BlockState.CACHED),
                kv.count(BlockState.HELD),
                counters.steps,
                counters.rows,
                counters.prefillTokens,
                counters.decodeTokens,
                counters.recomputedTokens,
                counters.overrunTokens,
                kv.queriedTokens(),
                kv.hitTokens(),
                kv.sharedWaits(),
                counters.preemptions,
                states);
    }

    /** Checks the cache's books, that every slot is either free or a running sequence's, and that phases agree. */
    public void verifyIntegrity() {
        kv.verifyIntegrity();
        int used = retiring.size();
        for (Sequence sequence : running) {
            if (sequence.phase != Sequence.Phase.RUNNING || sequence.slot == Sequence.NO_SLOT) {
                throw new IllegalStateException("a running sequence is " + sequence.phase);
            }
            used++;
        }
        for (Sequence sequence : waiting) {
            if (sequence.phase != Sequence.Phase.WAITING || sequence.kv.admitted()) {
                throw new IllegalStateException("a waiting sequence is " + sequence.phase);
            }
        }
        int forking = 0;
        for (Sequence sequence : running) {
            forking += sequence.forks.size();
        }
        if (forking != pendingForks) {
            throw new IllegalStateException("%d forks are pending, %d are counted".formatted(forking, pendingForks));
        }
        if (used + freeSlotCount != info.maxSlots()) {
            throw new IllegalStateException(
                    "%d slots used + %d free != %d".formatted(used, freeSlotCount, info.maxSlots()));
        }
    }
}
