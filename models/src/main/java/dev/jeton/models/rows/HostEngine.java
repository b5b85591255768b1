package dev.jeton.models.rows;

import dev.jeton.models.VectorHead;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.TokenMasks;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An engine that computes when it is awaited, one step at a time, and samples on the host: {@link #launch} checks and
 * copies the batch, {@link #await} computes and samples it, and copies are ordered after the step in flight. What a
 * step computes is the subclass's affair.
 *
 * <p>Owned by one thread; see {@link Engine}.
 */
public abstract class HostEngine implements Engine {

    /** What is to be copied once no step is in flight. */
    private sealed interface Copy {

        /** Blocks of a layer group, pair by pair. */
        record OfBlocks(int group, int[] from, int[] to) implements Copy {}

        /** A slot's state. */
        record OfState(int from, int to) implements Copy {}
    }

    private final EngineInfo info;
    private final StepRows rows;
    private final HostSlots slots;
    private final RowSampling sampling;
    /** In the order in which they were asked for. */
    private final List<Copy> copies = new ArrayList<>();
    /** Adapters to be forgotten once no step is in flight. */
    private final List<Integer> leaving = new ArrayList<>();

    private long launched;
    private boolean inFlight;
    private boolean closed;

    /** An engine of which that is known. */
    protected HostEngine(EngineInfo info) {
        this.info = info;
        rows = new StepRows(info.groups().size(), info.maxRows(), info.maxTokens());
        slots = new HostSlots(info);
        sampling = new RowSampling(info, rows, slots);
    }

    /** Computes {@link #rows}, of which there are some, and hands their logits to {@link #sampling}. */
    protected abstract void compute();

    /** Copies blocks of a layer group, pair by pair; no step is in flight. */
    protected abstract void copy(int group, int[] from, int[] to);

    /**
     * Copies a slot's state; no step is in flight. Either slot may have been closed and opened anew since this was
     * asked for: so a state begins with its slot's row at position 0, and not where the slot is opened.
     */
    protected void copySlot(int from, int to) {
        throw new EngineException(
                "the %s engine cannot copy slot %d's state to slot %d".formatted(info.name(), from, to));
    }

    /** Gives back what the engine has; called once. */
    protected abstract void release();

    /** Rows may name an adapter from now on; for engines that load some. */
    protected final void accept(int adapter) {
        slots.addAdapter(adapter);
    }

    /** Gives back the memory of an adapter that was accepted; no step is in flight. */
    protected void forget(int adapter) {
        throw new EngineException("the %s engine has no adapter %d".formatted(info.name(), adapter));
    }

    @Override
    public final void removeAdapter(int number) {
        slots.removeAdapter(number);
        leaving.add(number);
        if (!inFlight) {
            forgetLeaving();
        }
    }

    private void forgetLeaving() {
        leaving.forEach(this::forget);
        leaving.clear();
    }

    /** The rows of the step launched last. */
    protected final StepRows rows() {
        return rows;
    }

    /** Takes those rows' logits. */
    protected final RowSampling sampling() {
        return sampling;
    }

    /**
     * Has rows' states become vectors, in a model that gives these and no logits.
     *
     * @param hidden elements of a state
     * @param width elements of a vector
     */
    protected final RowVectors vectors(VectorHead head, int hidden, int width) {
        sampling.bringVectors(width);
        return new RowVectors(rows, sampling, head, hidden, width);
    }

    @Override
    public final EngineInfo info() {
        return info;
    }

    @Override
    public void open(int slot, SequenceSpec spec) {
        slots.open(slot, spec);
    }

    @Override
    public void close(int slot) {
        slots.close(slot);
    }

    @Override
    public StepTicket launch(StepBatch batch) {
        requireOpen();
        if (inFlight) {
            throw new EngineException("one step is in flight; await it first");
        }
        slots.launch(batch, rows);
        sampling.begin();
        inFlight = true;
        return new StepTicket(launched++);
    }

    @Override
    public final void masks(StepTicket ticket, TokenMasks masks) {
        checkTicket(ticket);
        sampling.masks(masks);
    }

    @Override
    public final StepResult await(StepTicket ticket) {
        checkTicket(ticket);
        long start = System.nanoTime();
        sampling.checkMasks();
        inFlight = false;
        if (rows.rows > 0) {
            compute();
        }
        StepResult result = sampling.result();
        result.startNanos = start;
        result.endNanos = System.nanoTime();
        copyPending();
        forgetLeaving();
        return result;
    }

    private void checkTicket(@Nullable StepTicket ticket) {
        if (!inFlight || ticket == null || ticket.number() != launched - 1) {
            throw new EngineException("ticket %s is not in flight".formatted(ticket));
        }
    }

    @Override
    public final void transfer(int group, int[] from, int[] to, int count) {
        requireOpen();
        slots.checkTransfer(group, from, to, count);
        copyInOrder(new Copy.OfBlocks(group, Arrays.copyOf(from, count), Arrays.copyOf(to, count)));
    }

    @Override
    public final void copyState(int from, int to) {
        requireOpen();
        slots.checkState(from, to);
        copyInOrder(new Copy.OfState(from, to));
    }

    private void requireOpen() {
        if (closed) {
            throw new EngineException("the engine is closed");
        }
    }

    private void copyInOrder(Copy copy) {
        copies.add(copy);
        if (!inFlight) {
            copyPending();
        }
    }

    private void copyPending() {
        try {
            for (Copy each : copies) {
                switch (each) {
                    case Copy.OfBlocks blocks -> copy(blocks.group, blocks.from, blocks.to);
                    case Copy.OfState state -> copySlot(state.from, state.to);
                }
            }
        } finally {
            copies.clear();
        }
    }

    @Override
    public final void close() {
        if (!closed) {
            closed = true;
            inFlight = false;
            copies.clear();
            release();
        }
    }
}
