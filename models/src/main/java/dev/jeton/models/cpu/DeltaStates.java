package dev.jeton.models.cpu;

import static dev.jeton.models.vector.VectorMath.padded;

import dev.jeton.models.Delta;
import dev.jeton.models.MachineMemory;
import dev.jeton.models.ModelException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;

/**
 * What layers of linear attention keep of each slot's sequence ({@link Delta}): of each layer a matrix for each value
 * head, and the projections of the last {@code taps - 1} tokens, these twice: a step reads one and writes the other,
 * since its tiles do not wait for each other.
 *
 * <p>One piece of memory for all slots, which takes room as slots are used. Written by tiles of the step, each its own
 * head of a row; which of the two projections is the newer is said by the engine's owner alone.
 */
final class DeltaStates {

    private final int matrixFloats;
    private final int pastFloats;
    private final long layerBytes;
    private final long slotBytes;
    private final int layers;
    private final int heads;
    private final long start;
    /** By slot: which of the two projections was written last. */
    private final boolean[] second;

    DeltaStates(Delta delta, int slots, SegmentAllocator memory) {
        heads = delta.valueHeads();
        matrixFloats = delta.keyWidth() * padded(delta.valueWidth());
        pastFloats = (delta.taps() - 1) * delta.channels();
        layers = count(delta);
        layerBytes = layerBytes(delta);
        slotBytes = layerBytes * layers;
        second = new boolean[slots];
        start = memory.allocate(Math.multiplyExact(slotBytes, slots), 64).address();
    }

    private static int count(Delta delta) {
        return (int) delta.layers().stream().filter(of -> of).count();
    }

    private static long layerBytes(Delta delta) {
        long matrices = (long) delta.valueHeads() * delta.keyWidth() * padded(delta.valueWidth());
        long past = 2L * (delta.taps() - 1) * delta.channels();
        return (4 * (matrices + past) + 63) / 64 * 64;
    }

    /** Bytes that the states of so many slots take. */
    static long bytes(Delta delta, int slots) {
        return Math.multiplyExact(layerBytes(delta) * count(delta), slots);
    }

    /**
     * Refuses states that the machine has no memory for.
     *
     * @param others bytes that are still to be taken by what is not states
     * @throws ModelException that says what to ask for
     */
    static void requireRoom(Delta delta, int slots, long others, MachineMemory machine) {
        long wanted = delta.exists() ? bytes(delta, slots) : 0;
        long available = machine.available().orElse(Long.MAX_VALUE) - others;
        if (wanted > available) {
            throw new ModelException(
                    ("%d sequences keep %d MiB of states in layers of linear attention, where %d MiB of"
                                    + " memory are available; lower --max-num-seqs")
                            .formatted(slots, wanted >> 20, Math.max(0, available) >> 20));
        }
    }

    /** The address of a head's matrix: {@code keyWidth} rows of whole vectors. */
    long matrix(int slot, int layer, int head) {
        assert head >= 0 && head < heads : head;
        return layer(slot, layer) + 4L * head * matrixFloats;
    }

    /** The address of the projections of the last tokens before the step: {@code [taps - 1][channels]}. */
    long past(int slot, int layer, boolean inSecond) {
        return layer(slot, layer) + 4L * heads * matrixFloats + (inSecond ? 4L * pastFloats : 0);
    }

    private long layer(int slot, int layer) {
        assert slot >= 0 && slot < second.length && layer >= 0 && layer < layers : slot + " " + layer;
        return start + slotBytes * slot + layerBytes * layer;
    }

    /** A step writes projections of a slot; which of the two it reads. */
    boolean turn(int slot) {
        boolean reads = second[slot];
        second[slot] = !reads;
        return reads;
    }

    /** Gives a slot what another has. */
    void copy(int from, int to) {
        MemorySegment.copy(NativeMemory.ALL, layer(from, 0), NativeMemory.ALL, layer(to, 0), slotBytes);
        second[to] = second[from];
    }
}
