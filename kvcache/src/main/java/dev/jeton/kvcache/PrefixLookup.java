package dev.jeton.kvcache;

import java.util.Arrays;

/**
 * Looks up how much of a sequence others have in their blocks, or are just computing, over all layer groups.
 *
 * <p>Owned by the thread of its {@link KvCache}; nothing is allocated after construction.
 */
final class PrefixLookup {

    private final int blockSize;
    private final int[] windows;
    private final BlockPool[] pools;
    private final int[] runStart;
    private int restart;

    PrefixLookup(int blockSize, int[] windows, BlockPool[] pools) {
        this.blockSize = blockSize;
        this.windows = windows;
        this.pools = pools;
        runStart = new int[pools.length];
    }

    /**
     * Entries of the longest usable prefix: in each group a run of present blocks that covers what is still read, also
     * where this sequence must take over the first block that is not ready yet ({@link #restart}).
     */
    int find(KvSequence sequence, int fullBlocks) {
        int best = 0;
        int pending = fullBlocks;
        restart = 0;
        Arrays.fill(runStart, 0);
        for (int entry = 0; entry < fullBlocks; entry++) {
            for (int g = 0; g < pools.length; g++) {
                int block = pools[g].find(sequence.hashHigh(entry), sequence.hashLow(entry));
                if (block == PrefixIndex.ABSENT) {
                    if (windows[g] == 0) {
                        return best;
                    }
                    runStart[g] = entry + 1;
                } else if (!pools[g].ready(block)) {
                    pending = Math.min(pending, entry);
                }
            }
            if (pending <= entry && !inherited(sequence, entry)) {
                return best;
            }
            int from = Math.min(pending, entry + 1);
            if (usableFrom(from)) {
                best = entry + 1;
                restart = from;
            }
        }
        return best;
    }

    /**
     * Whether whoever waits for an entry would take it over in all groups at once: it is ready in all of them, or one
     * sequence computes it in all of them. Groups evict differently, so that it may be ready in one and, by another
     * owner, under way in the next; an heir to only one of the two could compute neither.
     */
    private boolean inherited(KvSequence sequence, int entry) {
        int first = pools[0].find(sequence.hashHigh(entry), sequence.hashLow(entry));
        for (int g = 1; g < pools.length; g++) {
            int block = pools[g].find(sequence.hashHigh(entry), sequence.hashLow(entry));
            if (first == PrefixIndex.ABSENT
                    || block == PrefixIndex.ABSENT
                    || pools[g].owner(block) != pools[0].owner(first)) {
                return false;
            }
        }
        return true;
    }

    private boolean usableFrom(int entry) {
        for (int g = 0; g < pools.length; g++) {
            if (runStart[g] > firstRead(g, entry * blockSize)) {
                return false;
            }
        }
        return true;
    }

    /** The first table entry that position {@code position} of a group still reads. */
    int firstRead(int group, int position) {
        return windows[group] == 0 ? 0 : Math.max(0, position - windows[group] + 1) / blockSize;
    }

    /** The first entry that a sequence with the prefix found last needs in a group. */
    int firstNeeded(int group) {
        return firstRead(group, restart * blockSize);
    }

    /** Of the blocks found last that a group still reads, those that nobody holds. */
    int cachedAmong(KvSequence sequence, int group, int found) {
        BlockPool pool = pools[group];
        int cached = 0;
        for (int entry = firstNeeded(group); entry < found; entry++) {
            int block = pool.find(sequence.hashHigh(entry), sequence.hashLow(entry));
            cached += pool.state(block) == BlockState.CACHED ? 1 : 0;
        }
        return cached;
    }

    /** At most so many entries would be found once some sequences have left: groups with a window are not asked. */
    int mostLeft(KvSequence sequence, int fullBlocks, Leaving leaving) {
        for (int entry = 0; entry < fullBlocks; entry++) {
            for (int g = 0; g < pools.length; g++) {
                int block = pools[g].find(sequence.hashHigh(entry), sequence.hashLow(entry));
                if (windows[g] == 0 && (block == PrefixIndex.ABSENT || !leaving.found(g, block))) {
                    return entry;
                }
            }
        }
        return fullBlocks;
    }

    /**
     * At most so many of the first {@code left} entries would need no block of a group that is available then, since
     * somebody who stays holds it or, in a group with a window, since nobody reads it any more.
     */
    int mostHeld(KvSequence sequence, int group, int left, Leaving leaving) {
        if (windows[group] > 0) {
            return left;
        }
        int held = 0;
        for (int entry = 0; entry < left; entry++) {
            int block = pools[group].find(sequence.hashHigh(entry), sequence.hashLow(entry));
            held += leaving.held(group, block) ? 1 : 0;
        }
        return held;
    }
}
