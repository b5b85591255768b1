package dev.jeton.kvcache;

import org.jspecify.annotations.Nullable;

/**
 * The cached blocks of a pool, in the order in which they were let go, and which blocks of it are being copied to the
 * host.
 *
 * <p>A block that is being copied is <i>busy</i>: it may be held and let go of as ever, but is not given away. Cached
 * blocks are looked through from the oldest on for those that the host has no copy of ({@link #nextToCopy}); how many
 * that has gone past, which are given away next and have a copy or get one, is {@link #ahead}.
 *
 * <p>Both the oldest that is not busy and the oldest that was not looked at are remembered, so finding them costs no
 * more than a step for each block that was added. Owned by the thread of its {@link KvCache}; nothing is allocated
 * after construction.
 */
final class CachedBlocks {

    private static final int NIL = BlockList.NIL;

    private final BlockList list;
    private final boolean[] busy;
    private int busyCount;
    /** The oldest that is not known to be busy, or {@link #NIL}. */
    private int giveFrom = NIL;
    /** The oldest that was not looked at, or {@link #NIL}, and how many were. */
    private int copyFrom = NIL;

    private int ahead;

    /** None of a pool of so many blocks. */
    CachedBlocks(int blockCount) {
        list = new BlockList(blockCount);
        busy = new boolean[blockCount];
    }

    int size() {
        return list.size();
    }

    /** Those that may be given away. */
    int idle() {
        return list.size() - busyCount;
    }

    /** Those that may be once their copy is complete. */
    int busyCount() {
        return busyCount;
    }

    boolean contains(int block) {
        return list.contains(block);
    }

    /** Whether a block, cached or not, is being copied. */
    boolean busy(int block) {
        return busy[block];
    }

    /** A block was let go of. */
    void add(int block) {
        list.add(block);
        busyCount += busy[block] ? 1 : 0;
        giveFrom = giveFrom == NIL ? block : giveFrom;
        copyFrom = copyFrom == NIL ? block : copyFrom;
    }

    /** A block is held again, or given away. */
    void remove(int block) {
        giveFrom = giveFrom == block ? list.newer(block) : giveFrom;
        if (copyFrom == block) {
            copyFrom = list.newer(block);
        } else if (copyFrom == NIL || list.before(block, copyFrom)) {
            ahead--;
        }
        list.remove(block);
        busyCount -= busy[block] ? 1 : 0;
    }

    /** The one to be given away next, or {@link BlockList#NIL}. */
    int oldestIdle() {
        while (giveFrom != NIL && busy[giveFrom]) {
            giveFrom = list.newer(giveFrom);
        }
        return giveFrom;
    }

    /** Those that are given away next and of which the host has a copy, or is getting one. */
    int ahead() {
        return ahead;
    }

    /** The oldest that was not looked at, or {@link BlockList#NIL}. */
    int nextToCopy() {
        return copyFrom;
    }

    /** It has been looked at. */
    void goPast(int block) {
        assert block == copyFrom;
        copyFrom = list.newer(block);
        ahead++;
    }

    /** A cached block is being copied to the host. */
    void beginCopy(int block) {
        assert contains(block) && !busy[block];
        busy[block] = true;
        busyCount++;
    }

    /** The copy is complete. */
    void endCopy(int block) {
        assert busy[block];
        busy[block] = false;
        if (contains(block)) {
            busyCount--;
            giveFrom = list.oldest();
        }
    }

    /**
     * Checks the list against its counts and places.
     *
     * @param copying how many copies under way read each block
     */
    void verifyIntegrity(int[] copying) {
        int linked = 0;
        int past = 0;
        int busyAmong = 0;
        boolean given = false;
        boolean looked = false;
        for (int b = list.oldest(); b != NIL; b = list.newer(b)) {
            check(++linked <= list.size(), "the cached list is longer than %d", list.size());
            given |= b == giveFrom;
            looked |= b == copyFrom;
            check(given || busy[b], "block %d could be given away but is passed over", b);
            past += looked ? 0 : 1;
            busyAmong += busy[b] ? 1 : 0;
        }
        check(linked == list.size(), "the cached list has %d of %d", linked, list.size());
        check(past == ahead, "%d cached blocks were looked at, %d are counted", past, ahead);
        check(busyAmong == busyCount, "%d cached blocks are busy, %d are counted", busyAmong, busyCount);
        for (int b = 0; b < busy.length; b++) {
            check(copying[b] == (busy[b] ? 1 : 0), "block %d is busy, or not, with %d readers", b, copying[b]);
        }
    }

    /** What does not hold ends the loop. */
    static void check(boolean holds, String message, @Nullable Object... arguments) {
        if (!holds) {
            throw new KvCacheException("kvcache integrity: " + message.formatted(arguments));
        }
    }
}
