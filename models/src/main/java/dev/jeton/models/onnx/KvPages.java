package dev.jeton.models.onnx;

import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.rows.HostMemory;
import java.lang.foreign.MemorySegment;

/**
 * K and V in blocks, in the graph's own type. All of the engine's truth about a sequence is here; {@link PastBuffer}s
 * are made from it.
 *
 * <p>The memory is {@code [plane][head][block][token][element]}, a plane being the keys or the values of a layer. So
 * where a sequence's blocks follow each other, its keys of a layer are a tensor {@code [1, heads, all tokens of the
 * pool, elements]} that begins at its first block: what a graph needs that appends in place, without any copy. The last
 * plane's last head of that tensor reaches over the plane's end, so there is one head of spare room behind.
 *
 * <p>Owned by the engine's thread.
 */
final class KvPages implements AutoCloseable {

    private final LayerGroup group;
    private final int planes;
    private final int heads;
    private final long tokenBytes;
    private final long blockBytes;
    private final long headBytes;
    private final MemorySegment memory;

    KvPages(LayerGroup group, DecoderGraph graph) {
        this.group = group;
        planes = graph.planes();
        heads = graph.heads();
        tokenBytes = graph.headBytes();
        blockBytes = tokenBytes * group.blockSize();
        headBytes = blockBytes * group.blockCount();
        memory = HostMemory.allocate(headBytes * ((long) planes * heads + 1), "KV memory");
    }

    /** Tokens that all blocks hold together. */
    long tokens() {
        return (long) group.blockSize() * group.blockCount();
    }

    /** Bytes of all blocks. */
    long bytes() {
        return headBytes * planes * heads;
    }

    /** A plane as the tensor {@code [1, heads, tokens(), elements]} that begins at {@code block}. */
    MemorySegment plane(int plane, int block) {
        return memory.asSlice(headBytes * plane * heads + blockBytes * block, headBytes * heads);
    }

    /** Whether so many tokens of a table lie in blocks that follow each other. */
    boolean contiguous(int[] blocks, int table, int tokens) {
        int count = (tokens + group.blockSize() - 1) / group.blockSize();
        for (int i = 1; i < count; i++) {
            if (blocks[table + i] != blocks[table] + i) {
                return false;
            }
        }
        return true;
    }

    /** Copies a block. */
    void copy(int from, int to) {
        for (long head = 0; head < (long) planes * heads; head++) {
            long start = headBytes * head;
            MemorySegment.copy(memory, start + blockBytes * from, memory, start + blockBytes * to, blockBytes);
        }
    }

    /**
     * Copies a sequence's first {@code count} tokens of a plane and head out of its blocks.
     *
     * @param target where the first token's elements go; the others follow
     */
    void gather(int plane, int head, int[] blocks, int table, int count, MemorySegment to, long target) {
        long start = headBytes * ((long) plane * heads + head);
        int size = group.blockSize();
        for (int token = 0; token < count; token += size) {
            long bytes = tokenBytes * Math.min(size, count - token);
            long from = start + blockBytes * blocks[table + token / size];
            MemorySegment.copy(memory, from, to, target + tokenBytes * token, bytes);
        }
    }

    /**
     * Copies tokens {@code first} until {@code end} of a plane and head into the sequence's blocks.
     *
     * @param source where the first of them begins; the others follow
     */
    void scatter(int plane, int head, int[] blocks, int table, int first, int end, MemorySegment from, long source) {
        long start = headBytes * ((long) plane * heads + head);
        int size = group.blockSize();
        int token = first;
        while (token < end) {
            int until = Math.min(end, (token / size + 1) * size);
            long to = start + blockBytes * blocks[table + token / size] + tokenBytes * (token % size);
            MemorySegment.copy(from, source + tokenBytes * (token - first), memory, to, tokenBytes * (until - token));
            token = until;
        }
    }

    @Override
    public void close() {
        HostMemory.free(memory);
    }
}
