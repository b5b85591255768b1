package dev.jeton.kvcache;

import java.util.Arrays;

/**
 * One sequence's blocks of one layer group: entry i holds the tokens from {@code i * blockSize} on. Entries before
 * {@link #first()} fell out of the group's window and are {@link BlockId#NONE}.
 */
public final class BlockTable {

    private int[] blocks = new int[8];
    private long[] shareAtHold = new long[8];
    private int length;
    private int first;

    /** The entries; only the first {@link #length()} count. Not to be written by the caller. */
    public int[] blocks() {
        return blocks;
    }

    /** How many entries count. */
    public int length() {
        return length;
    }

    /** The first entry that still names a block. */
    public int first() {
        return first;
    }

    int block(int entry) {
        assert entry < length;
        return blocks[entry];
    }

    long shareAtHold(int entry) {
        return shareAtHold[entry];
    }

    void add(int block, long share) {
        if (length == blocks.length) {
            blocks = Arrays.copyOf(blocks, 2 * length);
            shareAtHold = Arrays.copyOf(shareAtHold, 2 * length);
        }
        blocks[length] = block;
        shareAtHold[length] = share;
        length++;
    }

    /** Names the block of an entry that was added without one. */
    void set(int entry, int block) {
        assert blocks[entry] == BlockId.NONE && entry >= first;
        blocks[entry] = block;
    }

    /** Forgets the first entry that still names a block. */
    void dropFirst() {
        blocks[first++] = BlockId.NONE;
    }

    void skipFirst() {
        assert length == first;
        add(BlockId.NONE, 0);
        first++;
    }

    void clear() {
        length = 0;
        first = 0;
    }
}
