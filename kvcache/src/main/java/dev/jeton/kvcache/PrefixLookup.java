package dev.jeton.kvcache;

import java.util.Arrays;

/**
 * Looks up how much of a sequence others have in their blocks, or are just computing, or the host has copies of, over
 * all layer groups.
 *
 * <p>Owned by the thread of its {@link KvCache}; nothing is allocated after construction.
 */
final class PrefixLookup {

    /**
     * Fewer tokens than this are computed although the host has them, but for blocks of so few tokens that this would
     * be more than {@link #MOST_COMPUTED}. Who waits for a copy waits for the loop to look again, a step at least; 64
     * tokens of an 8B model are a millisecond of a GPU's arithmetic in a step that runs anyway.
     */
    private static final int LEAST_TOKENS = 64;

    /** Blocks that are brought back whatever tokens they have. */
    private static final int MOST_COMPUTED = 4;

    private final int blockSize;
    private final int[] windows;
    private final BlockPool[] pools;
    private final HostTier host;
    private final int leastLoad;
    private final int[] runStart;
    private int restart;
    private boolean loads;

    PrefixLookup(int blockSize, int[] windows, BlockPool[] pools, HostTier host) {
        this.blockSize = blockSize;
        this.windows = windows;
        this.pools = pools;
        this.host = host;
        leastLoad = Math.clamp(LEAST_TOKENS / blockSize, 1, MOST_COMPUTED);
        runStart = new int[pools.length];
    }

    /**
     * Entries of the longest usable prefix: in each group a run of present blocks that covers what is still read, also
     * where this sequence must take over the first block that is not certain to become ready ({@link #restart}). Blocks
     * that only the host has count where that makes the prefix longer by {@link #LEAST_TOKENS}.
     */
    int find(KvSequence sequence, int fullBlocks) {
        loads = false;
        int found = search(sequence, fullBlocks);
        if (host.present() && found + leastLoad <= fullBlocks) {
            int before = restart;
            loads = true;
            int more = search(sequence, fullBlocks);
            if (more >= found + leastLoad) {
                return more;
            }
            loads = false;
            restart = before;
        }
        return found;
    }

    private int search(KvSequence sequence, int fullBlocks) {
        int best = 0;
        int pending = fullBlocks;
        restart = 0;
        Arrays.fill(runStart, 0);
        for (int entry = 0; entry < fullBlocks; entry++) {
            for (int g = 0; g < pools.length; g++) {
                int block = pools[g].find(sequence.hashHigh(entry), sequence.hashLow(entry));
                if (block == PrefixIndex.ABSENT) {
                    if (loads && onHost(sequence, g, entry)) {
                        continue;
                    }
                    if (windows[g] == 0) {
                        return best;
                    }
                    runStart[g] = entry + 1;
                } else if (!pools[g].certain(block)) {
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

    private boolean onHost(KvSequence sequence, int group, int entry) {
        return host.has(group, sequence.hashHigh(entry), sequence.hashLow(entry));
    }

    /**
     * Whether whoever waits for an entry would take it over in all groups at once: it is certain in all of them, or one
     * sequence computes it in all of them. Groups evict differently, so that it may be ready in one and, by another
     * owner, under way in the next; an heir to only one of the two could compute neither.
     */
    private boolean inherited(KvSequence sequence, int entry) {
        KvSequence owner = null;
        for (int g = 0; g < pools.length; g++) {
            int block = pools[g].find(sequence.hashHigh(entry), sequence.hashLow(entry));
            if (block == PrefixIndex.ABSENT && !(loads && onHost(sequence, g, entry))) {
                return false;
            }
            KvSequence its = block == PrefixIndex.ABSENT ? null : pools[g].owner(block);
            if (g > 0 && its != owner) {
                return false;
            }
            owner = its;
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

    /**
     * Of the entries found last that a group still reads, those that take a block which could be given to others:
     * nobody holds it, or the host's content needs one.
     */
    int takenAmong(KvSequence sequence, int group, int found) {
        BlockPool pool = pools[group];
        int taken = 0;
        for (int entry = firstNeeded(group); entry < found; entry++) {
            int block = pool.find(sequence.hashHigh(entry), sequence.hashLow(entry));
            taken += block == PrefixIndex.ABSENT || pool.cachedIdle(block) ? 1 : 0;
        }
        return taken;
    }

    /** Entries found last that the host's content is needed for in at least one group. */
    int loadedAmong(KvSequence sequence, int found) {
        int loaded = 0;
        for (int entry = 0; loads && entry < found; entry++) {
            boolean absent = false;
            for (int g = 0; g < pools.length; g++) {
                absent |= entry >= firstNeeded(g)
                        && pools[g].find(sequence.hashHigh(entry), sequence.hashLow(entry)) == PrefixIndex.ABSENT;
            }
            loaded += absent ? 1 : 0;
        }
        return loaded;
    }

    /** At most so many entries would be found once some sequences have left: groups with a window are not asked. */
    int mostLeft(KvSequence sequence, int fullBlocks, Leaving leaving) {
        int left = mostLeft(sequence, fullBlocks, leaving, false);
        int more = host.present() ? mostLeft(sequence, fullBlocks, leaving, true) : left;
        return more >= left + leastLoad ? more : left;
    }

    private int mostLeft(KvSequence sequence, int fullBlocks, Leaving leaving, boolean withHost) {
        for (int entry = 0; entry < fullBlocks; entry++) {
            for (int g = 0; g < pools.length; g++) {
                int block = pools[g].find(sequence.hashHigh(entry), sequence.hashLow(entry));
                boolean there = block != PrefixIndex.ABSENT && leaving.found(g, block);
                if (windows[g] == 0 && !there && !(withHost && onHost(sequence, g, entry))) {
                    return entry;
                }
            }
        }
        return fullBlocks;
    }

    /**
     * At most so many of the first {@code left} entries would need no block of a group that is available then: somebody
     * who stays holds it, a copy keeps it from being available or, in a group with a window, nobody reads it any more.
     */
    int mostHeld(KvSequence sequence, int group, int left, Leaving leaving) {
        if (windows[group] > 0) {
            return left;
        }
        int held = 0;
        for (int entry = 0; entry < left; entry++) {
            int block = pools[group].find(sequence.hashHigh(entry), sequence.hashLow(entry));
            boolean untaken = block != PrefixIndex.ABSENT && (leaving.held(group, block) || pools[group].moving(block));
            held += untaken ? 1 : 0;
        }
        return held;
    }
}
