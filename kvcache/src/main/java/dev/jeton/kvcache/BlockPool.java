package dev.jeton.kvcache;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The blocks of one layer group, in flat arrays.
 *
 * <p>A block is {@linkplain BlockState free, computing, cached or held}. Free blocks are a stack; cached ones a doubly
 * linked list in the order in which they were let go, so that the one let go longest ago is given away first. A sequence
 * lets go of its blocks from the last to the first: the tail of a prefix, which is useful to fewest, goes first.
 *
 * <p>A block's residency is shared by its holders: {@code share[b]} accumulates nanoseconds divided by the number of
 * holders, settled whenever that number changes. What a holder owes is the difference between its value when it lets go
 * and when it took the block. So residency costs nothing per step.
 *
 * <p>Owned by the thread of its {@link KvCache}; nothing is allocated after construction.
 */
final class BlockPool {

    private static final byte FREE = (byte) BlockState.FREE.ordinal();
    private static final byte COMPUTING = (byte) BlockState.COMPUTING.ordinal();
    private static final byte CACHED = (byte) BlockState.CACHED.ordinal();
    private static final byte HELD = (byte) BlockState.HELD.ordinal();
    private static final BlockState[] STATES = BlockState.values();
    private static final int NIL = -1;

    private final byte[] state;
    private final int[] refs;
    private final @Nullable KvSequence[] owner;
    private final long[] hashHigh;
    private final long[] hashLow;
    private final boolean[] indexed;
    private final long[] share;
    private final long[] settledAt;
    private final int[] freeStack;
    private final int[] newer;
    private final int[] older;
    private final PrefixIndex index;
    private int freeCount;
    private int cachedCount;
    private int computingCount;
    private int heldCount;
    private int oldest = NIL;
    private int newest = NIL;
    private long evictions;

    BlockPool(int blockCount) {
        if (blockCount < 1 || blockCount > BlockId.MAX_BLOCKS) {
            throw new KvCacheException("a pool of " + blockCount + " blocks");
        }
        state = new byte[blockCount];
        refs = new int[blockCount];
        owner = new KvSequence[blockCount];
        hashHigh = new long[blockCount];
        hashLow = new long[blockCount];
        indexed = new boolean[blockCount];
        share = new long[blockCount];
        settledAt = new long[blockCount];
        freeStack = new int[blockCount];
        newer = new int[blockCount];
        older = new int[blockCount];
        index = new PrefixIndex(blockCount);
        for (int i = 0; i < blockCount; i++) {
            freeStack[i] = blockCount - 1 - i;
        }
        freeCount = blockCount;
    }

    int size() {
        return state.length;
    }

    /** Blocks that can be had now: free ones and cached ones. */
    int available() {
        return freeCount + cachedCount;
    }

    int count(BlockState wanted) {
        return switch (wanted) {
            case FREE -> freeCount;
            case COMPUTING -> computingCount;
            case CACHED -> cachedCount;
            case HELD -> heldCount;
        };
    }

    long evictions() {
        return evictions;
    }

    BlockState state(int block) {
        return STATES[state[block]];
    }

    boolean ready(int block) {
        return state[block] == HELD || state[block] == CACHED;
    }

    boolean ownedBy(int block, KvSequence sequence) {
        return state[block] == COMPUTING && owner[block] == sequence;
    }

    /** Who computes the block, or null where it is ready. */
    @Nullable
    KvSequence owner(int block) {
        return owner[block];
    }

    int refs(int block) {
        return refs[block];
    }

    /** The block of a hash, ready or being computed, or {@link PrefixIndex#ABSENT}. */
    int find(long high, long low) {
        return index.find(high, low);
    }

    /** Takes a free block, or evicts the cached one let go longest ago; it is then being computed by {@code sequence}. */
    int allocate(KvSequence sequence, long now) {
        int block;
        if (freeCount > 0) {
            block = freeStack[--freeCount];
        } else if (oldest != NIL) {
            block = oldest;
            unlink(block);
            cachedCount--;
            unindex(block);
            evictions++;
        } else {
            throw new KvCacheException("no block is available; the caller must check available() first");
        }
        assert refs[block] == 0;
        state[block] = COMPUTING;
        computingCount++;
        owner[block] = sequence;
        refs[block] = 1;
        share[block] = 0;
        settledAt[block] = now;
        return block;
    }

    /** Announces under which hash the block will be found, unless another already is. */
    void announce(int block, long high, long low) {
        assert !indexed[block];
        if (index.find(high, low) == PrefixIndex.ABSENT) {
            hashHigh[block] = high;
            hashLow[block] = low;
            indexed[block] = true;
            index.put(high, low, block);
        }
    }

    boolean announced(int block) {
        return indexed[block];
    }

    /** One more sequence holds the block or waits for it. */
    void hold(int block, long now) {
        settle(block, now);
        if (state[block] == CACHED) {
            unlink(block);
            cachedCount--;
            state[block] = HELD;
            heldCount++;
        }
        assert state[block] == HELD || state[block] == COMPUTING;
        refs[block]++;
    }

    /** The block's content is complete. */
    void complete(int block) {
        assert state[block] == COMPUTING;
        state[block] = HELD;
        computingCount--;
        heldCount++;
        owner[block] = null;
    }

    /** Hands a block that is being computed to one of its waiters. */
    void handOver(int block, KvSequence heir) {
        assert state[block] == COMPUTING;
        owner[block] = heir;
    }

    /**
     * One sequence lets go of the block. A block being computed must have been handed over if others wait for it.
     */
    void letGo(int block, long now) {
        settle(block, now);
        assert refs[block] > 0 : "block " + block + " is let go of more often than held";
        if (--refs[block] > 0) {
            return;
        }
        if (state[block] == HELD) {
            heldCount--;
            if (indexed[block]) {
                state[block] = CACHED;
                cachedCount++;
                linkNewest(block);
            } else {
                free(block);
            }
        } else {
            computingCount--;
            if (indexed[block]) {
                unindex(block);
            }
            owner[block] = null;
            free(block);
        }
    }

    /** Nanoseconds of residency per holder since the block was allocated. */
    long share(int block, long now) {
        settle(block, now);
        return share[block];
    }

    /** Forgets all cached content. */
    void dropCached() {
        while (oldest != NIL) {
            int block = oldest;
            unlink(block);
            cachedCount--;
            unindex(block);
            free(block);
        }
    }

    private void settle(int block, long now) {
        int holders = refs[block];
        if (holders > 0 && now > settledAt[block]) {
            share[block] += (now - settledAt[block]) / holders;
        }
        settledAt[block] = now;
    }

    private void free(int block) {
        state[block] = FREE;
        freeStack[freeCount++] = block;
    }

    private void unindex(int block) {
        index.remove(hashHigh[block], hashLow[block]);
        indexed[block] = false;
    }

    private void linkNewest(int block) {
        older[block] = newest;
        newer[block] = NIL;
        if (newest == NIL) {
            oldest = block;
        } else {
            newer[newest] = block;
        }
        newest = block;
    }

    private void unlink(int block) {
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
    }

    /**
     * Checks that every block is in exactly one state and that lists, counts, index and the given holders agree.
     *
     * @param holders how many sequences name each block in their tables
     */
    void verifyIntegrity(int[] holders) {
        int[] byState = new int[STATES.length];
        int indexedCount = 0;
        for (int b = 0; b < state.length; b++) {
            byState[state[b]]++;
            check(refs[b] == holders[b], "block %d has %d references but %d holders", b, refs[b], holders[b]);
            boolean inUse = state[b] == COMPUTING || state[b] == HELD;
            check(inUse == refs[b] > 0, "block %d is %s with %d references", b, state(b), refs[b]);
            check((state[b] == COMPUTING) == (owner[b] != null), "block %d is %s, owner %s", b, state(b), owner[b]);
            check(state[b] != CACHED || indexed[b], "block %d is cached but not in the index", b);
            check(state[b] != FREE || !indexed[b], "block %d is free but in the index", b);
            if (indexed[b]) {
                indexedCount++;
                int found = index.find(hashHigh[b], hashLow[b]);
                check(found == b, "block %d is indexed, but its hash leads to %d", b, found);
            }
        }
        check(indexedCount == index.size(), "%d blocks are indexed, the index has %d", indexedCount, index.size());
        check(byState[FREE] == freeCount, "free: %d by state, %d by count", byState[FREE], freeCount);
        check(byState[COMPUTING] == computingCount, "computing: %d and %d", byState[COMPUTING], computingCount);
        check(byState[CACHED] == cachedCount, "cached: %d by state, %d by count", byState[CACHED], cachedCount);
        check(byState[HELD] == heldCount, "held: %d by state, %d by count", byState[HELD], heldCount);
        check(
                freeCount + computingCount + cachedCount + heldCount == state.length,
                "free %d + computing %d + cached %d + held %d",
                freeCount,
                computingCount,
                cachedCount,
                heldCount);
        int[] stack = Arrays.copyOf(freeStack, freeCount);
        Arrays.sort(stack);
        for (int i = 0; i < stack.length; i++) {
            check(state[stack[i]] == FREE, "block %d is on the free stack but %s", stack[i], state(stack[i]));
            check(i == 0 || stack[i] != stack[i - 1], "block %d is on the free stack twice", stack[i]);
        }
        int linked = 0;
        for (int b = oldest; b != NIL; b = newer[b]) {
            check(state[b] == CACHED, "block %d is in the cached list but %s", b, state(b));
            check(++linked <= cachedCount, "the cached list is longer than %d", cachedCount);
        }
        check(linked == cachedCount, "the cached list has %d of %d", linked, cachedCount);
    }

    private static void check(boolean holds, String message, @Nullable Object... arguments) {
        if (!holds) {
            throw new KvCacheException("kvcache integrity: " + message.formatted(arguments));
        }
    }
}
