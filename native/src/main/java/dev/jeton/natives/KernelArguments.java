package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The arguments of one kernel in native memory, and the table of pointers to them that a launch takes: made once, set
 * as often as wanted without allocating. Each setter checks the parameter's size. Owned by one thread at a time.
 */
public final class KernelArguments {

    private static final long ALIGNED = 16;

    private final String kernel;
    private final int[] sizes;
    private final long[] offsets;
    private final MemorySegment values;
    private final MemorySegment table;

    KernelArguments(String kernel, int[] sizes) {
        this.kernel = kernel;
        this.sizes = sizes;
        offsets = new long[sizes.length];
        long bytes = 0;
        for (int i = 0; i < sizes.length; i++) {
            offsets[i] = bytes;
            bytes += (sizes[i] + ALIGNED - 1) / ALIGNED * ALIGNED;
        }
        Arena arena = Arena.ofAuto();
        values = arena.allocate(Math.max(bytes, ALIGNED), ALIGNED);
        table = arena.allocate(Math.max(sizes.length, 1) * JAVA_LONG.byteSize(), ALIGNED);
        for (int i = 0; i < sizes.length; i++) {
            table.setAtIndex(JAVA_LONG, i, values.address() + offsets[i]);
        }
    }

    long table() {
        return table.address();
    }

    /** How many there are. */
    public int count() {
        return sizes.length;
    }

    private long at(int index, int size) {
        if (index < 0 || index >= sizes.length || sizes[index] != size) {
            throw new IllegalArgumentException("argument %d of kernel %s is set with %d bytes; its parameters have %s"
                    .formatted(index, kernel, size, java.util.Arrays.toString(sizes)));
        }
        return offsets[index];
    }

    /** A pointer to device memory. */
    public KernelArguments set(int index, DeviceMemory value) {
        return set(index, value.address());
    }

    /** A 64-bit integer, or an address. */
    public KernelArguments set(int index, long value) {
        values.set(JAVA_LONG, at(index, Long.BYTES), value);
        return this;
    }

    /** A 32-bit integer. */
    public KernelArguments set(int index, int value) {
        values.set(JAVA_INT, at(index, Integer.BYTES), value);
        return this;
    }

    /** A float. */
    public KernelArguments set(int index, float value) {
        values.set(JAVA_FLOAT, at(index, Float.BYTES), value);
        return this;
    }

    /** A double. */
    public KernelArguments set(int index, double value) {
        values.set(JAVA_DOUBLE, at(index, Double.BYTES), value);
        return this;
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("(");
        for (int i = 0; i < sizes.length; i++) {
            text.append(i == 0 ? "" : ", ");
            switch (sizes[i]) {
                case Integer.BYTES -> text.append(values.get(JAVA_INT, offsets[i]));
                case Long.BYTES -> text.append("0x").append(Long.toHexString(values.get(JAVA_LONG, offsets[i])));
                default -> text.append(sizes[i]).append(" bytes");
            }
        }
        return text.append(')').toString();
    }
}
