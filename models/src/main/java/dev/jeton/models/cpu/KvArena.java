package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.NativeMemory.ALL;
import static dev.jeton.models.vector.VectorMath.LANES;

import dev.jeton.models.engine.LayerGroup;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * K and V of one layer group in blocks, in F32: keys and values are as precise as the sums that make them, so a prefix
 * read from the cache gives the bits that computing it gives, and the golden log-probabilities hold.
 *
 * <p>A block is {@code [layer][K, V][head]}; a head's keys are {@code [element][token]}, so that a vector spans tokens,
 * its values {@code [token][element]} with elements padded to whole vectors. The arrangement of memory within a block is
 * this class's own: others copy whole blocks.
 *
 * <p>Written by one tile per (token, head); a step reads what it or steps before it wrote.
 */
final class KvArena {

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final LayerGroup group;
    private final int headDim;
    private final int width;
    private final long headKeyBytes;
    private final long headValueBytes;
    private final long layerBytes;
    private final int heads;
    private final long start;

    KvArena(LayerGroup group, int heads, int headDim, SegmentAllocator memory) {
        this.group = group;
        this.heads = heads;
        this.headDim = headDim;
        this.width = width(headDim);
        this.headKeyBytes = 4L * headDim * group.blockSize();
        this.headValueBytes = 4L * width * group.blockSize();
        this.layerBytes = heads * (headKeyBytes + headValueBytes);
        this.start =
                memory.allocate(group.bytesPerBlock() * group.blockCount(), 64).address();
    }

    /** Elements of a head in the values, padded to whole vectors. */
    static int width(int headDim) {
        return (headDim + LANES - 1) / LANES * LANES;
    }

    /** Bytes of a block of {@code blockSize} tokens of {@code layers} layers. */
    static long blockBytes(int layers, int heads, int headDim, int blockSize) {
        return 4L * layers * heads * blockSize * (headDim + width(headDim));
    }

    LayerGroup group() {
        return group;
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
        long at = keys(block, layer, head) + 4L * token;
        long step = 4L * group.blockSize();
        for (int d = 0; d < headDim; d++) {
            ALL.set(FLOAT, at, kv[keyAt + d]);
            at += step;
        }
        long values = this.values(block, layer, head) + 4L * width * token;
        MemorySegment.copy(kv, valueAt, ALL, FLOAT, values, headDim);
    }

    /** Copies a block. */
    void copy(int from, int to) {
        long bytes = group.bytesPerBlock();
        MemorySegment.copy(ALL, keys(from, 0, 0), ALL, keys(to, 0, 0), bytes);
    }
}
