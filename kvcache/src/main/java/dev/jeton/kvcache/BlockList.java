package dev.jeton.kvcache;

import java.util.Arrays;

/**
 * Blocks of a pool in the order in which they were last used: a doubly linked list in flat arrays. Each block carries
 * the number of its last use, which grows along the list, so that of two blocks in it the older is known at once.
 *
 * <p>Owned by the thread of its {@link KvCache}; nothing is allocated after construction.
 */
final class BlockList {

    /** Where there is no block. */
    static final int NIL = -1;

    private static final int OUT = -2;

    private final int[] newer;
    private final int[] older;
    private final long[] use;
    private int oldest = NIL;
    private int newest = NIL;
    private int size;
    private long uses;

    /** An empty list of a pool of so many blocks. */
    BlockList(int blockCount) {
        newer = new int[blockCount];
        older = new int[blockCount];
        use = new long[blockCount];
        Arrays.fill(newer, OUT);
    }

    int size() {
        return size;
    }

    /** The block used longest ago, or {@link #NIL}. */
    int oldest() {
        return oldest;
    }

    /** The next newer block, or {@link #NIL}. */
    int newer(int block) {
        return newer[block];
    }

    boolean contains(int block) {
        return newer[block] != OUT;
    }

    /** Whether a block was used before another; both are in the list. */
    boolean before(int block, int other) {
        return use[block] < use[other];
    }

    /** Adds a block as the newest. */
    void add(int block) {
        assert !contains(block);
        use[block] = uses++;
        older[block] = newest;
        newer[block] = NIL;
        if (newest == NIL) {
            oldest = block;
        } else {
            newer[newest] = block;
        }
        newest = block;
        size++;
    }

    /** Takes a block out. */
    void remove(int block) {
        assert contains(block);
        int before = older[block];
        int after = newer[block];
        if (before == NIL) {
            oldest = after;
        } else {
            newer[before] = after;
        }
        if (after == NIL) {
            newest = before;
        } else {
            older[after] = before;
        }
        newer[block] = OUT;
        size--;
    }
}
