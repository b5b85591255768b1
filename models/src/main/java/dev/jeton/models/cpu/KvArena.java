package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.NativeMemory.ALL;
import static dev.jeton.models.vector.VectorMath.LANES;

import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.vector.VectorMath;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * K and V of one layer group in blocks. A step reads what it wrote itself from here, too, so a prefix that is read from
 * the cache gives the bits that computing it gives, whatever the type.
 *
 * <p>A block is {@code [layer][K, V][head]}. Of type F32, a head's keys are {@code [element][token]}, so that a vector
 * spans tokens, its values {@code [token][element]} with elements padded to whole vectors. Of type BF16, two elements
 * share a word, and a vector of words widens to two of floats: keys are {@code [pair of elements][token]}, values
 * {@code [token][word]}, whose word i of each vector holds elements i and i + LANES of two vectors. The arrangement of
 * memory within a block is this class's own: others copy whole blocks.
 *
 * <p>Written by one tile per (token, head); a step reads what it or steps before it wrote.
 */
final class KvArena {

    /** Types of K and V. */
    enum Type {
        /** As precise as the sums that make them. */
        F32,
        /** The nearest number with an exponent of 8 and a mantissa of 7 bits: half the memory, and half the reading. */
        BF16
    }

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt WORD = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final LayerGroup group;
    private final Type type;
    private final HeadWidths widths;
    private final int tokenBytes;
    private final long headKeyBytes;
    private final long headValueBytes;
    private final long layerBytes;
    private final int heads;
    private final long start;

    KvArena(LayerGroup group, Type type, int heads, HeadWidths widths, SegmentAllocator memory) {
        assert widths.key() % 2 == 0 : widths;
        this.group = group;
        this.type = type;
        this.heads = heads;
        this.widths = widths;
        this.tokenBytes = tokenBytes(type, widths.value());
        this.headKeyBytes = keyBytes(type, widths.key()) * group.blockSize();
        this.headValueBytes = (long) tokenBytes * group.blockSize();
        this.layerBytes = heads * (headKeyBytes + headValueBytes);
        this.start =
                memory.allocate(group.bytesPerBlock() * group.blockCount(), 64).address();
    }

    /** Elements of a head in the values as they are computed with, padded to whole vectors. */
    static int width(int headDim) {
        return VectorMath.padded(headDim);
    }

    /** Elements of a head in values of BF16: whole vectors of words. */
    static int pairedWidth(int headDim) {
        return (headDim + 2 * LANES - 1) / (2 * LANES) * (2 * LANES);
    }

    private static long keyBytes(Type type, int headDim) {
        return switch (type) {
            case F32 -> 4L * headDim;
            case BF16 -> 2L * headDim;
        };
    }

    private static int tokenBytes(Type type, int headDim) {
        return switch (type) {
            case F32 -> 4 * width(headDim);
            case BF16 -> 2 * pairedWidth(headDim);
        };
    }

    /** Bytes of a block of {@code blockSize} tokens of {@code layers} layers. */
    static long blockBytes(Type type, int layers, int heads, HeadWidths widths, int blockSize) {
        return (long) layers * heads * blockSize * (keyBytes(type, widths.key()) + tokenBytes(type, widths.value()));
    }

    LayerGroup group() {
        return group;
    }

    Type type() {
        return type;
    }

    /** Bytes from a token's values to the next token's. */
    int tokenBytes() {
        return tokenBytes;
    }

    /** Bytes of the keys of a head in a block. */
    long headKeyBytes() {
        return headKeyBytes;
    }

    /** Bytes of the values of a head in a block. */
    long headValueBytes() {
        return headValueBytes;
    }

    /** The address at which the keys of a block, layer of the group, and head begin. */
    long keys(int block, int layer, int head) {
        assert block >= 0 && block < group.blockCount() : "block " + block;
        assert head >= 0 && head < heads && (layer + 1) * layerBytes <= group.bytesPerBlock() : layer + " " + head;
        return start + group.bytesPerBlock() * block + layerBytes * layer + headKeyBytes * head;
    }

    /** The address at which the values of a block, layer of the group, and head begin. */
    long values(int block, int layer, int head) {
        return keys(block, layer, head) + headKeyBytes * (heads - head) + headValueBytes * head;
    }

    /** Stores key and value of one token and head. */
    void write(int block, int layer, int head, int token, float[] kv, int keyAt, int valueAt) {
        long keys = keys(block, layer, head) + 4L * token;
        long values = values(block, layer, head) + (long) tokenBytes * token;
        long step = 4L * group.blockSize();
        switch (type) {
            case F32 -> {
                for (int d = 0; d < widths.key(); d++) {
                    ALL.set(FLOAT, keys, kv[keyAt + d]);
                    keys += step;
                }
                MemorySegment.copy(kv, valueAt, ALL, FLOAT, values, widths.value());
            }
            case BF16 -> {
                for (int d = 0; d < widths.key(); d += 2) {
                    ALL.set(WORD, keys, word(kv[keyAt + d], kv[keyAt + d + 1]));
                    keys += step;
                }
                for (int d = 0; d < widths.value(); d += 2 * LANES) {
                    writeWords(kv, valueAt + d, widths.value() - d, values + 2L * d);
                }
            }
        }
    }

    /** A vector of words of values, of which {@code left} elements are there. */
    private static void writeWords(float[] kv, int from, int left, long at) {
        for (int i = 0; i < LANES; i++) {
            float low = i < left ? kv[from + i] : 0;
            float high = i + LANES < left ? kv[from + i + LANES] : 0;
            ALL.set(WORD, at + 4L * i, word(low, high));
        }
    }

    private static int word(float low, float high) {
        return bf16(low) >>> 16 | bf16(high);
    }

    /** The nearest BF16, ties to even, in the upper half; what is not a number stays none. */
    static int bf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        int nearest = bits + 0x7FFF + (bits >>> 16 & 1);
        return Float.isNaN(value) ? 0x7FC0_0000 : nearest & 0xFFFF_0000;
    }

    /** Copies a block. */
    void copy(int from, int to) {
        long bytes = group.bytesPerBlock();
        MemorySegment.copy(ALL, keys(from, 0, 0), ALL, keys(to, 0, 0), bytes);
    }
}
