package dev.jeton.kvcache;

import static dev.jeton.kvcache.CachedBlocks.check;

import java.util.Arrays;

/**
 * The host's blocks of one layer group: copies of complete blocks, found by their hash.
 *
 * <p>A block is free, being filled (its copy from the device is under way; not found yet), kept, or being read (a copy
 * to the device is under way, so it is not given away). Kept ones are given away in the order of their last use.
 *
 * <p>Owned by the thread of its {@link KvCache}; nothing is allocated after construction.
 */
final class HostPool {

    private static final byte FREE = (byte) HostState.FREE.ordinal();
    private static final byte FILLING = (byte) HostState.FILLING.ordinal();
    private static final byte KEPT = (byte) HostState.KEPT.ordinal();
    private static final byte READING = (byte) HostState.READING.ordinal();

    private final byte[] state;
    private final long[] hashHigh;
    private final long[] hashLow;
    private final int[] freeStack;
    private final int[] count = new int[HostState.values().length];
    private final BlockList kept;
    private final PrefixIndex index;
    private long evictions;

    /** Without blocks where {@code blockCount} is 0. */
    HostPool(int blockCount) {
        if (blockCount < 0 || blockCount > BlockId.MAX_BLOCKS) {
            throw new KvCacheException("a host pool of " + blockCount + " blocks");
        }
        state = new byte[blockCount];
        hashHigh = new long[blockCount];
        hashLow = new long[blockCount];
        freeStack = new int[blockCount];
        Arrays.setAll(freeStack, i -> blockCount - 1 - i);
        count[FREE] = blockCount;
        kept = new BlockList(blockCount);
        index = new PrefixIndex(blockCount);
    }

    int size() {
        return state.length;
    }

    int count(HostState wanted) {
        return count[wanted.ordinal()];
    }

    long evictions() {
        return evictions;
    }

    /** The block with the content of this hash, or {@link PrefixIndex#ABSENT}. */
    int find(long high, long low) {
        return index.find(high, low);
    }

    /** Whether a block can be had. */
    boolean available() {
        return count[FREE] > 0 || kept.size() > 0;
    }

    /** Takes a free block, or the kept one used longest ago, to be filled with the content of a hash. */
    int fill(long high, long low) {
        int block;
        if (count[FREE] > 0) {
            block = freeStack[count[FREE] - 1];
        } else {
            block = kept.oldest();
            assert block != BlockList.NIL : "no block is available; the caller must check available() first";
            kept.remove(block);
            index.remove(hashHigh[block], hashLow[block]);
            evictions++;
        }
        enter(block, FILLING);
        hashHigh[block] = high;
        hashLow[block] = low;
        return block;
    }

    /** A block is full, and found from now on. */
    void filled(int block) {
        assert state[block] == FILLING;
        index.put(hashHigh[block], hashLow[block], block);
        enter(block, KEPT);
        kept.add(block);
    }

    /** A kept block's content was of use, so that it is kept as long as if it were new. */
    void touch(int block) {
        if (state[block] == KEPT) {
            kept.remove(block);
            kept.add(block);
        }
    }

    /** A kept block is being read. */
    void read(int block) {
        assert state[block] == KEPT;
        kept.remove(block);
        enter(block, READING);
    }

    /** It has been read. */
    void wasRead(int block) {
        assert state[block] == READING;
        enter(block, KEPT);
        kept.add(block);
    }

    private void enter(int block, byte next) {
        count[state[block]]--;
        count[next]++;
        state[block] = next;
    }

    /**
     * Checks that every block is in exactly one state and that lists, counts, index and the copies under way agree.
     *
     * @param filling how many copies under way write each block
     * @param reading how many read it
     */
    void verifyIntegrity(int[] filling, int[] reading) {
        int[] byState = new int[count.length];
        int linked = 0;
        int indexed = 0;
        for (int b = 0; b < state.length; b++) {
            byState[state[b]]++;
            check(filling[b] == (state[b] == FILLING ? 1 : 0), "host block %d has %d writers", b, filling[b]);
            check(reading[b] == (state[b] == READING ? 1 : 0), "host block %d has %d readers", b, reading[b]);
            check(kept.contains(b) == (state[b] == KEPT), "host block %d is listed as kept, or not", b);
            linked += kept.contains(b) ? 1 : 0;
            if (state[b] == KEPT || state[b] == READING) {
                indexed++;
                int found = index.find(hashHigh[b], hashLow[b]);
                check(found == b, "the hash of host block %d leads to %d", b, found);
            }
        }
        check(Arrays.equals(byState, count), "host blocks by state %s", Arrays.toString(byState));
        check(linked == kept.size(), "%d host blocks are listed of %d", linked, kept.size());
        check(indexed == index.size(), "%d host blocks are full, the index has %d", indexed, index.size());
        for (int i = 0; i < count[FREE]; i++) {
            check(state[freeStack[i]] == FREE, "host block %d is on the free stack", freeStack[i]);
        }
    }
}
