package dev.jeton.models;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Element types of weights that engines read: plain ones, and ggml's blocks of quantised elements, in which the last
 * dimension is cut ({@link QuantizedBlock} says what each holds).
 */
public enum TensorType {
    /** IEEE 754 binary32. */
    F32(1, 4),
    /** IEEE 754 binary16. */
    F16(1, 2),
    /** The upper half of a binary32. */
    BF16(1, 2),
    /** Four bits with a scale. */
    Q4_0(32, 18),
    /** Four bits with a scale and an offset. */
    Q4_1(32, 20),
    /** Five bits with a scale. */
    Q5_0(32, 22),
    /** Five bits with a scale and an offset. */
    Q5_1(32, 24),
    /** Eight bits with a scale. */
    Q8_0(32, 34),
    /** Four bits, with scales and offsets of six bits for each 32. */
    Q4_K(256, 144),
    /** Five bits, likewise. */
    Q5_K(256, 176),
    /** Six bits, with scales of eight bits for each 16. */
    Q6_K(256, 210),
    /** Four bits of floating point with a power of two (OCP Microscaling Formats). */
    MXFP4(32, 17);

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final int blockElements;
    private final int blockBytes;

    TensorType(int blockElements, int blockBytes) {
        this.blockElements = blockElements;
        this.blockBytes = blockBytes;
    }

    /** Whether elements share scales, so that none can be read by itself. */
    public boolean quantized() {
        return blockElements > 1;
    }

    /** Elements of a block; 1 for plain types. */
    public int blockElements() {
        return blockElements;
    }

    /** Bytes of a block. */
    public int blockBytes() {
        return blockBytes;
    }

    /**
     * Bytes of one element of a plain type.
     *
     * @throws IllegalStateException for blocks
     */
    public int bytes() {
        if (quantized()) {
            throw new IllegalStateException("elements of " + this + " have no bytes of their own");
        }
        return blockBytes;
    }

    /**
     * Reads elements of a plain type, little-endian, as floats.
     *
     * @param memory of elements of this type
     * @param index of the first
     * @throws IllegalStateException for blocks
     */
    public void floats(MemorySegment memory, long index, float[] target, int offset, int count) {
        switch (this) {
            case F32 -> MemorySegment.copy(memory, FLOAT, 4 * index, target, offset, count);
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = Float.float16ToFloat(memory.get(SHORT, 2 * (index + i)));
                }
            }
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = Float.intBitsToFloat(memory.get(SHORT, 2 * (index + i)) << 16);
                }
            }
            case Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, MXFP4 ->
                throw new IllegalStateException("elements of " + this + " cannot be read one by one");
        }
    }
}
