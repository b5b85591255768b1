package dev.jeton.kvcache;

import static dev.jeton.kvcache.CachedBlocks.check;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The blocks of one layer group, in flat arrays.
 *
 * <p>A block is {@linkplain BlockState free, computing, loading, cached or held}. Free blocks are a stack; cached ones
 * a list in the order in which they were let go, so that the one let go longest ago is given away first. A sequence
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
    private static final byte LOADING = (byte) BlockState.LOADING.ordinal();
    private static final byte CACHED = (byte) BlockState.CACHED.ordinal();
    private static final byte HELD = (byte) BlockState.HELD.ordinal();
    private static final BlockState[] STATES = BlockState.values();

    private final byte[] state;
    private final int[] refs;
    private final @Nullable KvSequence[] owner;
    private final long[] hashHigh;
    private final long[] hashLow;
    private final boolean[] indexed;
    private final long[] share;
    private final long[] settledAt;
    private final int[] freeStack;
    private final CachedBlocks cached;
    private final PrefixIndex index;
    private int freeCount;
    private int computingCount;
    private int loadingCount;
    private int loadingUnheld;
    private int heldCount;
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
        cached = new CachedBlocks(blockCount);
        index = new PrefixIndex(blockCount);
        for (int i = 0; i < blockCount; i++) {
            freeStack[i] = blockCount - 1 - i;
        }
        freeCount = blockCount;
    }

    int size() {
        return state.length;
    }

    /** Cached blocks, and which blocks are being copied to the host. */
    CachedBlocks cached() {
        return cached;
    }

    /** Blocks that can be had now: free ones, and cached ones that are not being copied. */
    int available() {
        return freeCount + cached.idle();
    }

    /** Blocks that can be had once copies that are under way are complete. */
    int returning() {
        return cached.busyCount() + loadingUnheld;
    }

    /** Whether a block is among those that can be had now, with content. */
    boolean cachedIdle(int block) {
        return state[block] == CACHED && !cached.busy(block);
    }

    /** Whether a block cannot be had, whoever lets go of it, before a copy is complete. */
    boolean moving(int block) {
        return state[block] == LOADING || cached.busy(block);
    }

    int count(BlockState wanted) {
        return switch (wanted) {
            case FREE -> freeCount;
            case COMPUTING -> computingCount;
            case LOADING -> loadingCount;
            case CACHED -> cached.size();
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

    /** Whether it is ready, or will be without any sequence's doing. */
    boolean certain(int block) {
        return ready(block) || state[block] == LOADING;
    }

    /** Who computes the block, or null where nobody needs to. */
    @Nullable
    KvSequence owner(int block) {
        return owner[block];
    }

    int refs(int block) {
        return refs[block];
    }

    /** The block of a hash, ready or being filled, or {@link PrefixIndex#ABSENT}. */
    int find(long high, long low) {
        return index.find(high, low);
    }

    /**
     * Takes a free block, or evicts the cached one let go longest ago; it is then being computed by {@code sequence}.
     */
    int allocate(KvSequence sequence, long now) {
        int block = take(now);
        state[block] = COMPUTING;
        computingCount++;
        owner[block] = sequence;
        return block;
    }

    /** The same; it is then being loaded with the content of a hash, under which it is found, and held once. */
    int load(long high, long low, long now) {
        int block = take(now);
        state[block] = LOADING;
        loadingCount++;
        announce(block, high, low);
        assert indexed[block] : "what is on the device already is not loaded";
        return block;
    }

    private int take(long now) {
        int block;
        if (freeCount > 0) {
            block = freeStack[--freeCount];
        } else {
            block = cached.oldestIdle();
            if (block == BlockList.NIL) {
                throw new KvCacheException("no block is available; the caller must check available() first");
            }
            cached.remove(block);
            unindex(block);
            evictions++;
        }
        assert refs[block] == 0;
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
            cached.remove(block);
            state[block] = HELD;
            heldCount++;
        }
        assert state[block] != FREE;
        loadingUnheld -= state[block] == LOADING && refs[block] == 0 ? 1 : 0;
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

    /** The content of a block that was being loaded is there, whether anybody still wants it or not. */
    void loaded(int block) {
        assert state[block] == LOADING;
        loadingCount--;
        if (refs[block] > 0) {
            state[block] = HELD;
            heldCount++;
        } else {
            loadingUnheld--;
            state[block] = CACHED;
            cached.add(block);
        }
    }

    /** Hands a block that is being computed to one of its waiters. */
    void handOver(int block, KvSequence heir) {
        assert state[block] == COMPUTING;
        owner[block] = heir;
    }

    /** One sequence lets go of the block. A block being computed must have been handed over if others wait for it. */
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
                cached.add(block);
            } else {
                free(block);
            }
        } else if (state[block] == LOADING) {
            loadingUnheld++;
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

    /** The hash's upper half, of a block in the index. */
    long hashHigh(int block) {
        return hashHigh[block];
    }

    /** The hash's lower half, of a block in the index. */
    long hashLow(int block) {
        return hashLow[block];
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

    /**
     * Checks that every block is in exactly one state and that lists, counts, index and the given holders agree.
     *
     * @param holders how many sequences name each block in their tables
     * @param loading how many copies under way write each block
     * @param copying how many read it
     */
    void verifyIntegrity(int[] holders, int[] loading, int[] copying) {
        int[] byState = new int[STATES.length];
        int indexedCount = 0;
        int unheld = 0;
        for (int b = 0; b < state.length; b++) {
            byState[state[b]]++;
            check(refs[b] == holders[b], "block %d has %d references but %d holders", b, refs[b], holders[b]);
            boolean inUse = state[b] == COMPUTING || state[b] == HELD;
            unheld += state[b] == LOADING && refs[b] == 0 ? 1 : 0;
            check(
                    state[b] == LOADING || inUse == refs[b] > 0,
                    "block %d is %s with %d references",
                    b,
                    state(b),
                    refs[b]);
            check((state[b] == COMPUTING) == (owner[b] != null), "block %d is %s, owner %s", b, state(b), owner[b]);
            check(loading[b] == (state[b] == LOADING ? 1 : 0), "block %d is %s, %d writers", b, state(b), loading[b]);
            check(copying[b] == 0 || ready(b), "block %d is copied but %s", b, state(b));
            check(cached.contains(b) == (state[b] == CACHED), "block %d is %s, and in the list or not", b, state(b));
            check(indexed[b] || (state[b] != CACHED && state[b] != LOADING), "block %d is not in the index", b);
            check(state[b] != FREE || !indexed[b], "block %d is free but in the index", b);
            if (indexed[b]) {
                indexedCount++;
                int found = index.find(hashHigh[b], hashLow[b]);
                check(found == b, "block %d is indexed, but its hash leads to %d", b, found);
            }
        }
        check(indexedCount == index.size(), "%d blocks are indexed, the index has %d", indexedCount, index.size());
        check(unheld == loadingUnheld, "%d loading blocks are nobody's, %d are counted", unheld, loadingUnheld);
        int sum = 0;
        for (BlockState each : STATES) {
            int counted = byState[each.ordinal()];
            check(counted == count(each), "%s: %d by state, %d by count", each, counted, count(each));
            sum += count(each);
        }
        check(sum == state.length, "%d blocks in all states, of %d", sum, state.length);
        int[] stack = Arrays.copyOf(freeStack, freeCount);
        Arrays.sort(stack);
        for (int i = 0; i < stack.length; i++) {
            check(state[stack[i]] == FREE, "block %d is on the free stack but %s", stack[i], state(stack[i]));
            check(i == 0 || stack[i] != stack[i - 1], "block %d is on the free stack twice", stack[i]);
        }
        cached.verifyIntegrity(copying);
    }
}
