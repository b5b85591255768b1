package dev.jeton.kvcache;

import java.util.Arrays;

/**
 * What the cache knows of one sequence: a block table per layer group, how many tokens' K and V are there, and the hash
 * chain of its full blocks. Reused when a preempted sequence is admitted again. Owned by the thread of its
 * {@link KvCache}.
 */
public final class KvSequence {

    private final BlockTable[] tables;
    private final long salt;
    private final int adapter;
    private long[] hashes = new long[16];
    private int hashed;
    private int computed;
    private int found;
    private long blockNanos;
    private boolean admitted;

    /**
     * A sequence without blocks.
     *
     * @param groups layer groups of the cache
     * @param salt blocks are shared only between sequences of the same salt
     * @param adapter and of the same adapter
     */
    public KvSequence(int groups, long salt, int adapter) {
        tables = new BlockTable[groups];
        for (int g = 0; g < groups; g++) {
            tables[g] = new BlockTable();
        }
        this.salt = salt;
        this.adapter = adapter;
    }

    /** The block table of a layer group. */
    public BlockTable table(int group) {
        return tables[group];
    }

    /** Tokens whose K and V are in its blocks, complete. */
    public int computed() {
        return computed;
    }

    /** Tokens that the last admission found in the cache, or found another sequence computing. */
    public int found() {
        return found;
    }

    /** Whether it has blocks. */
    public boolean admitted() {
        return admitted;
    }

    /** Residency of all its blocks that it has let go of, each divided by its holders, in block-nanoseconds. */
    public long blockNanos() {
        return blockNanos;
    }

    int groups() {
        return tables.length;
    }

    void admitted(boolean value) {
        admitted = value;
    }

    void computed(int tokens) {
        computed = tokens;
    }

    void found(int tokens) {
        found = tokens;
    }

    void addBlockNanos(long nanos) {
        blockNanos += nanos;
    }

    long hashHigh(int block) {
        return hashes[2 * block];
    }

    long hashLow(int block) {
        return hashes[2 * block + 1];
    }

    /** Extends the hash chain to {@code count} full blocks of {@code tokens}; what was hashed before is kept. */
    void hashTo(PrefixHash hash, int[] tokens, int blockSize, int count) {
        if (2 * count > hashes.length) {
            hashes = Arrays.copyOf(hashes, Math.max(2 * hashes.length, 2 * count));
        }
        for (; hashed < count; hashed++) {
            if (hashed == 0) {
                hash.root(salt, adapter);
                hash.next(hash.high(), hash.low(), tokens, 0, blockSize);
            } else {
                hash.next(hashes[2 * hashed - 2], hashes[2 * hashed - 1], tokens, hashed * blockSize, blockSize);
            }
            hashes[2 * hashed] = hash.high();
            hashes[2 * hashed + 1] = hash.low();
        }
    }

    /** A fork continues its parent's chain. */
    void copyHashes(KvSequence parent, int count) {
        hashes = Arrays.copyOf(parent.hashes, Math.max(16, 2 * count));
        hashed = Math.min(parent.hashed, count);
    }
}
