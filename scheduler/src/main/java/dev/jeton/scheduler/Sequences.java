package dev.jeton.scheduler;

import dev.jeton.kvcache.BlockCopies;
import dev.jeton.kvcache.KvCache;
import dev.jeton.kvcache.KvSequence;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.DeviceLostException;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepTimeModel;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;

/**
 * What becomes of sequences between steps: they are submitted, admitted, forked, preempted and ended here, and get and
 * give back their blocks and slots.
 *
 * <p>A sequence waits, runs, or, where its end was told while a row of it is in flight, retires until that has landed;
 * forks that have not begun are with their request's first sequence. {@link StepPlanner} and {@link StepApplier} say
 * when, this class does it and keeps the queues, slots and counts true together.
 *
 * <p>Owned by the loop's thread, which makes every call; only {@code queued} is also counted up by those who submit.
 * Nothing is allocated per token.
 */
final class Sequences {

    private final Engine engine;
    private final boolean hasStates;
    private final KvCache kv;
    private final BlockCopies copies;
    private final LongSupplier clock;
    private final StepTimeModel timeModel;
    private final QueuedRequests queued;
    private final WaitingQueue waiting = new WaitingQueue();
    private final SequenceQueue running = new SequenceQueue();
    private final List<Sequence> retiring = new ArrayList<>();
    /**
     * Requests whose last end is not published yet, with their sequences that wait or run: what to tell where a turn
     * breaks off anywhere, and what to end where a request is given up.
     */
    private final Map<GenerationState, List<Sequence>> live = new HashMap<>();

    private final int[] freeSlots;
    private int freeSlotCount;
    private int pendingForks;
    private long arrivals;
    private long departures;
    private long preemptions;

    /**
     * No sequences yet, and all slots free.
     *
     * @param copies receives what the engine must copy for forks before the next step
     * @param queued requests that were never admitted; counted up by those who submit, down here
     */
    Sequences(
            Engine engine,
            KvCache kv,
            BlockCopies copies,
            LongSupplier clock,
            StepTimeModel timeModel,
            QueuedRequests queued) {
        this.engine = engine;
        hasStates = engine.info().supports(Capability.STATE);
        this.kv = kv;
        this.copies = copies;
        this.clock = clock;
        this.timeModel = timeModel;
        this.queued = queued;
        freeSlots = new int[engine.info().maxSlots()];
        for (int i = 0; i < freeSlots.length; i++) {
            freeSlots[i] = freeSlots.length - 1 - i;
        }
        freeSlotCount = freeSlots.length;
    }

    SequenceQueue running() {
        return running;
    }

    WaitingQueue waiting() {
        return waiting;
    }

    /** Sequences that have ended and still have blocks and slots, since a step in flight names them. */
    List<Sequence> retiring() {
        return retiring;
    }

    /** Whether nothing runs, waits or retires. */
    boolean isEmpty() {
        return waiting.isEmpty() && running.isEmpty() && retiring.isEmpty();
    }

    /** How often a sequence has left those that run or wait; where it changed, there may be room for others. */
    long departures() {
        return departures;
    }

    /** How often a sequence was preempted. */
    long preemptions() {
        return preemptions;
    }

    /** Queues a request that was {@linkplain Scheduler#check checked}. */
    void submit(GenerationState generation) {
        GenerationRequest request = generation.request();
        long arrival = arrivals++;
        List<Sequence> forks = new ArrayList<>();
        for (int i = 1; i < request.sequences(); i++) {
            forks.add(new Sequence(generation, i, arrival, newKv(request), List.of()));
        }
        Sequence head = new Sequence(generation, 0, arrival, newKv(request), forks);
        live.put(generation, new ArrayList<>(List.of(head)));
        waiting.add(head);
    }

    private KvSequence newKv(GenerationRequest request) {
        return new KvSequence(kv.groups(), request.salt(), request.adapter());
    }

    /** Sequences that have blocks, forks that have not begun included. */
    int withBlocks() {
        return running.size() + pendingForks;
    }

    /** Slots that neither a sequence has nor a fork that has not begun will need. */
    int unclaimedSlots() {
        return freeSlotCount - pendingForks;
    }

    /**
     * A waiting sequence, which has got its blocks, begins to run.
     *
     * @return false where the engine refused it, so that it has ended
     */
    boolean start(Sequence head, long now) {
        boolean first = !head.admittedBefore;
        if (!open(head, now)) {
            return false;
        }
        waiting.remove(head);
        if (first) {
            queued.remove(head.generation.request());
            head.cached = head.kv.found();
            head.generation.totals.cached(head.cached, Math.round(head.cached * timeModel.perToken()));
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

    /** Gives a sequence a slot, or ends it where the engine refuses it: others go on, unless the device is lost. */
    private boolean open(Sequence sequence, long now) {
        SamplingParameters sampling = sequence.generation.request().sampling();
        if (sequence.index > 0) {
            sampling = sampling.withSeed(sampling.seed() + sequence.index * 0x9e3779b97f4a7c15L);
        }
        int slot = freeSlots[freeSlotCount - 1];
        try {
            engine.open(slot, new SequenceSpec(sampling, sequence.tokens, sequence.promptLength(), sequence.length));
        } catch (DeviceLostException e) {
            throw e;
        } catch (EngineException e) {
            end(sequence, FinishReason.ERROR, -1, String.valueOf(e.getMessage()));
            publish(sequence.generation, now);
            return false;
        }
        freeSlotCount--;
        sequence.slot = slot;
        sequence.phase = Sequence.Phase.RUNNING;
        sequence.admittedBefore = true;
        return true;
    }

    /** Once the prompt but its last token is computed, the forks continue from there, those that the engine takes. */
    void forkIfReady(Sequence parent, long now) {
        if (parent.forks.isEmpty()
                || parent.kv.computed() < parent.length - 1
                || parent.phase != Sequence.Phase.RUNNING) {
            return;
        }
        for (Sequence fork : parent.forks) {
            if (open(fork, now)) {
                kv.fork(parent.kv, fork.kv, copies, now);
                if (hasStates && parent.kv.computed() > 0) {
                    // the parent's last row has landed and its next is not launched, so its state is the fork's
                    engine.copyState(parent.slot, fork.slot);
                }
                fork.planned = fork.kv.computed();
                fork.everComputed = fork.planned;
                running.add(fork);
                of(fork.generation).add(fork);
            }
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
        preemptions++;
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

    /** Lets go of what has ended and is in no step in flight any more. */
    void retire() {
        for (int i = retiring.size() - 1; i >= 0; i--) {
            Sequence sequence = retiring.get(i);
            if (sequence.rowsInFlight == 0) {
                retiring.remove(i);
                letGo(sequence, clock.getAsLong());
            }
        }
    }

    /**
     * Ends a sequence, and the forks that still wait for it: tells their reader, and lets go of their blocks once no
     * step in flight names them.
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
                    queued.remove(sequence.generation.request());
                }
            }
            case RUNNING -> running.remove(sequence);
            case FORKING, ENDING, ENDED -> {}
        }
        List<Sequence> its = live.get(sequence.generation);
        if (its != null) {
            its.remove(sequence);
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
        for (Sequence sequence : List.copyOf(of(generation))) {
            end(sequence, reason, -1, message);
        }
        publish(generation, clock.getAsLong());
    }

    /** Shows a request's reader what was written for it. */
    void publish(GenerationState generation, long now) {
        generation.publish(now);
        if (generation.ended()) {
            live.remove(generation);
        }
    }

    /** The sequences of a request that wait or run. */
    private List<Sequence> of(GenerationState generation) {
        return live.getOrDefault(generation, List.of());
    }

    /** The reader found a stop string, so the sequence has forked: before, there is no text. */
    void stop(GenerationState generation, int index) {
        for (Sequence sequence : of(generation)) {
            if (sequence.index == index && sequence.forks.isEmpty()) {
                end(sequence, FinishReason.STOP, -1, "");
                publish(generation, clock.getAsLong());
                return;
            }
        }
    }

    /**
     * No state but that of the requests can be trusted any more: every request fails, and from now on there are none.
     */
    void loseEverything(String message, long now) {
        live.keySet().forEach(generation -> generation.endUnstarted(FinishReason.ERROR, message, now));
        live.clear();
        waiting.forEach(sequence -> {
            if (!sequence.admittedBefore && sequence.index == 0) {
                queued.remove(sequence.generation.request());
            }
        });
        waiting.clear();
        running.clear();
        retiring.clear();
        pendingForks = 0;
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

    /** Checks that every slot is either free or a running sequence's, and that phases and counts agree. */
    void verifyIntegrity() {
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
        if (used + freeSlotCount != freeSlots.length) {
            throw new IllegalStateException(
                    "%d slots used + %d free != %d".formatted(used, freeSlotCount, freeSlots.length));
        }
    }
}
