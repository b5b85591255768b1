package dev.jeton.kvcache;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Which sequence's tokens are in which blocks, over all layer groups of one engine.
 *
 * <p><b>Admission</b> gives a sequence, in one go or not at all, every block that its known tokens need. The hash chain
 * of its full blocks is looked up first: blocks that are ready are held, and so are blocks that another sequence is
 * just computing; what is missing is allocated, and the full blocks before the last known token are announced in the
 * index at once: the last token is computed when its sequence may sample, for which nobody else should wait. So a
 * prefix that many requests bring at the same moment is computed by the first of them, and since nobody waits for a
 * block while lacking others, waiting cannot deadlock.
 *
 * <p><b>Waiting</b> is not a list: a sequence may compute where its next block is its own ({@link #computable}), moves
 * over blocks that became ready ({@link #advance}), and otherwise waits. When the owner of a block being computed lets
 * go of it (preempted, cancelled, failed), the waiter that was admitted first becomes its owner and computes it.
 *
 * <p><b>Two tiers.</b> Blocks that the device would give away next are copied to the host, if there is a
 * {@link HostTier}, and a prefix that is found there is brought back instead of being computed.
 *
 * <p>The last known token is always left to compute, because its logits are what the caller wants: only blocks before
 * it are looked up.
 *
 * <p><b>Layer groups</b> advance together. In a group with a window, a prefix is usable where the blocks that the
 * window still reads are there; blocks that fell out of it are let go of as the sequence advances.
 *
 * <p>Here is what all groups do together. What a sequence takes and lets go of in one of them is in
 * {@link GroupBlocks}, how much of it others have already in {@link PrefixLookup}.
 *
 * <p>Owned by one thread. Time is handed in, in nanoseconds of one monotonic clock.
 */
public final class KvCache {

    /**
     * Size of one layer group.
     *
     * @param blockCount blocks of the device's tier
     * @param hostBlocks blocks of the host's tier; 0 where there is none
     * @param window as in the engine's layer group: tokens that a position reads, itself included; 0 for all
     */
    public record Group(int blockCount, int hostBlocks, int window) {

        /** Without a host's tier. */
        public Group(int blockCount, int window) {
            this(blockCount, 0, window);
        }
    }

    private final int blockSize;
    private final int[] windows;
    private final BlockPool[] pools;
    private final PrefixHash hash;
    private final boolean prefixCaching;
    private final List<KvSequence> active = new ArrayList<>();
    private final GroupBlocks[] held;
    private final PrefixLookup prefixes;
    private final Leaving leaving;
    private final HostTier host;
    private long queriedTokens;
    private long hitTokens;
    private long hostHitTokens;
    private long sharedWaits;

    /**
     * An empty cache.
     *
     * @param blockSize tokens of a block, the same in every group; a power of two
     * @param groups none where nothing is kept of a sequence, which then fits whatever its length
     * @param hashKey keys the prefix hashes; from the injected seed
     * @param prefixCaching whether blocks are shared between sequences at all
     */
    public KvCache(int blockSize, List<Group> groups, long hashKey, boolean prefixCaching) {
        if (Integer.bitCount(blockSize) != 1 || (groups.isEmpty() && prefixCaching)) {
            throw new KvCacheException("block size %d, %d groups".formatted(blockSize, groups.size()));
        }
        this.blockSize = blockSize;
        this.prefixCaching = prefixCaching;
        hash = new PrefixHash(hashKey);
        windows = groups.stream().mapToInt(Group::window).toArray();
        pools = groups.stream().map(g -> new BlockPool(g.blockCount())).toArray(BlockPool[]::new);
        host = new HostTier(pools, groups.stream().mapToInt(Group::hostBlocks).toArray());
        held = new GroupBlocks[pools.length];
        Arrays.setAll(held, g -> new GroupBlocks(g, pools[g], host, active));
        prefixes = new PrefixLookup(blockSize, windows, pools, host);
        leaving = new Leaving(pools);
    }

    /** Tokens of a block. */
    public int blockSize() {
        return blockSize;
    }

    /** Layer groups. */
    public int groups() {
        return pools.length;
    }

    /** The host's tier, which may be absent. */
    public HostTier host() {
        return host;
    }

    /** Blocks of all groups in a state; of the device, as all that is not said of {@link #host}. */
    public int count(BlockState state) {
        int sum = 0;
        for (BlockPool pool : pools) {
            sum += pool.count(state);
        }
        return sum;
    }

    /** Blocks of all groups. */
    public int size() {
        int sum = 0;
        for (BlockPool pool : pools) {
            sum += pool.size();
        }
        return sum;
    }

    /** Tokens that were looked up in the prefix index. */
    public long queriedTokens() {
        return queriedTokens;
    }

    /** Of those, tokens found, ready or being computed or loaded, or on the host. */
    public long hitTokens() {
        return hitTokens;
    }

    /** Of those, tokens found on the host alone. */
    public long hostHitTokens() {
        return hostHitTokens;
    }

    /** Admissions that found a block which another sequence was computing. */
    public long sharedWaits() {
        return sharedWaits;
    }

    /** Cached blocks given away for new content. */
    public long evictions() {
        long sum = 0;
        for (BlockPool pool : pools) {
            sum += pool.evictions();
        }
        return sum;
    }

    /** Whether a sequence of {@code tokens} with {@code forks} further tails could ever be admitted. */
    public boolean fits(int tokens, int forks) {
        for (BlockPool pool : pools) {
            if (blocksFor(tokens) + forks > pool.size()) {
                return false;
            }
        }
        return true;
    }

    /**
     * Gives a sequence all blocks that {@code length} tokens need, and each fork the block that its last prompt token
     * will be written to; or changes nothing.
     *
     * @param tokens the known tokens
     * @param length how many of them count
     * @param usePrefix whether blocks of others may be used; false where every position's logits are wanted
     * @param forks sequences that will {@link #fork} from this one; often empty
     * @param spare blocks per group that must still be available afterwards, for those who are running
     * @return false if there are too few blocks now
     */
    public boolean admit(
            KvSequence sequence,
            int[] tokens,
            int length,
            boolean usePrefix,
            List<KvSequence> forks,
            int spare,
            long now) {
        assert !sequence.admitted() && length > 0;
        int shareable = shareable(sequence, tokens, length, usePrefix);
        int found = prefixes.find(sequence, shareable);
        int total = blocksFor(length);
        for (int g = 0; g < pools.length; g++) {
            int needed = total - found + forks.size() + prefixes.takenAmong(sequence, g, found);
            if (needed + spare > pools[g].available()) {
                return false;
            }
        }
        queriedTokens += (long) shareable * blockSize;
        hitTokens += (long) found * blockSize;
        hostHitTokens += (long) prefixes.loadedAmong(sequence, found) * blockSize;
        boolean waits = false;
        for (int g = 0; g < pools.length; g++) {
            waits |= held[g].hold(sequence, prefixes.firstNeeded(g), found, now);
            held[g].allocate(sequence, total, shareable, now);
        }
        sharedWaits += waits ? 1 : 0;
        begin(sequence, found * blockSize);
        for (KvSequence child : forks) {
            for (int g = 0; g < pools.length; g++) {
                held[g].allocate(child, 1, 0, now);
            }
            begin(child, 0);
        }
        advance(sequence);
        return true;
    }

    /**
     * Whether {@link #admit} would succeed once other sequences have let go of all they have; changes nothing. Exact
     * for one layer group without a window. With several groups, or windows, it never says no where admission would
     * succeed, but may say yes where it would not: how much of the prefix the groups would then have in common is not
     * worked out.
     *
     * <p>Costs two passes over the blocks of those who leave.
     *
     * @param forks how many sequences will fork from this one
     * @param leavers admitted sequences, each once
     */
    public boolean admissibleWithout(
            List<KvSequence> leavers,
            KvSequence sequence,
            int[] tokens,
            int length,
            boolean usePrefix,
            int forks,
            int spare) {
        int shareable = shareable(sequence, tokens, length, usePrefix);
        int total = blocksFor(length);
        leavers.forEach(leaving::add);
        int left = prefixes.mostLeft(sequence, shareable, leaving);
        boolean fits = true;
        for (int g = 0; g < pools.length; g++) {
            int needed = total - prefixes.mostHeld(sequence, g, left, leaving) + forks;
            fits &= needed + spare <= pools[g].available() + leaving.freed(g);
        }
        leavers.forEach(leaving::remove);
        return fits;
    }

    /**
     * How many of a sequence's tokens {@link #admit} would find now, on either tier or being computed; changes nothing.
     *
     * @param sequence one that is not admitted
     * @param tokens the known tokens
     * @param length how many of them count
     */
    public int findable(KvSequence sequence, int[] tokens, int length) {
        return prefixes.find(sequence, shareable(sequence, tokens, length, true)) * blockSize;
    }

    /** How many blocks of a sequence others may have or want: the full ones before its last token, hashed here. */
    private int shareable(KvSequence sequence, int[] tokens, int length, boolean usePrefix) {
        int count = prefixCaching && usePrefix ? (length - 1) / blockSize : 0;
        sequence.hashTo(hash, tokens, blockSize, count);
        return count;
    }

    private void begin(KvSequence sequence, int found) {
        sequence.admitted(true);
        sequence.computed(0);
        sequence.found(found);
        active.add(sequence);
    }

    /**
     * Makes sure that {@code length} tokens have blocks.
     *
     * @return false, with nothing changed, if there are too few blocks now
     */
    public boolean extend(KvSequence sequence, int length, long now) {
        return extend(sequence, length, 0, now);
    }

    /**
     * The same for tokens that can do without.
     *
     * @param spare blocks per group that must still be available afterwards, if any are taken
     */
    public boolean extend(KvSequence sequence, int length, int spare, long now) {
        int total = blocksFor(length);
        for (int g = 0; g < pools.length; g++) {
            int missing = total - sequence.table(g).length();
            if (missing > 0 && missing + spare > pools[g].available()) {
                return false;
            }
        }
        for (int g = 0; g < pools.length; g++) {
            held[g].allocate(sequence, total, 0, now);
        }
        return true;
    }

    /** Tokens that a sequence's blocks hold, those included that it has no K and V for. */
    public int room(KvSequence sequence) {
        int entries = Integer.MAX_VALUE / blockSize;
        for (int g = 0; g < pools.length; g++) {
            entries = Math.min(entries, sequence.table(g).length());
        }
        return entries * blockSize;
    }

    /**
     * Whether {@link #extend} will succeed without anybody's doing: copies that are under way keep blocks from being
     * available.
     */
    public boolean extendableLater(KvSequence sequence, int length) {
        int total = blocksFor(length);
        boolean later = false;
        for (int g = 0; g < pools.length; g++) {
            int missing = total - sequence.table(g).length() - pools[g].available();
            if (missing > pools[g].returning()) {
                return false;
            }
            later |= missing > 0;
        }
        return later;
    }

    /** Moves over blocks that others have completed, or that have been loaded, since. */
    public void advance(KvSequence sequence) {
        int computed = sequence.computed();
        while (computed % blockSize == 0 && computed < sequence.found() && readyAt(sequence, computed / blockSize)) {
            computed += blockSize;
        }
        sequence.computed(computed);
    }

    private boolean readyAt(KvSequence sequence, int entry) {
        for (int g = 0; g < pools.length; g++) {
            int block = sequence.table(g).block(entry);
            if (block != BlockId.NONE && !pools[g].ready(block)) {
                return false;
            }
        }
        return true;
    }

    /**
     * How many tokens from {@code from} on the sequence may compute now: up to the end of its blocks, or to the first
     * that another sequence is computing.
     *
     * @param from at least {@link KvSequence#computed()}; beyond it where steps are in flight
     * @param want at most this many
     */
    public int computable(KvSequence sequence, int from, int want) {
        int end = from + want;
        int entry = from / blockSize;
        for (; entry * blockSize < end; entry++) {
            for (int g = 0; g < pools.length; g++) {
                BlockTable table = sequence.table(g);
                if (entry >= table.length() || !pools[g].ownedBy(table.block(entry), sequence)) {
                    return Math.max(0, entry * blockSize - from);
                }
            }
        }
        return want;
    }

    /**
     * The K and V of tokens before {@code computed} are complete.
     *
     * @param tokens the sequence's tokens, at least {@code computed} of them known
     */
    public void commit(KvSequence sequence, int[] tokens, int computed, boolean usePrefix, long now) {
        int from = sequence.computed() / blockSize;
        int to = computed / blockSize;
        assert computed >= sequence.computed();
        if (to > from) {
            boolean share = prefixCaching && usePrefix;
            if (share) {
                sequence.hashTo(hash, tokens, blockSize, to);
            }
            for (int g = 0; g < pools.length; g++) {
                held[g].complete(sequence, from, to, share);
            }
        }
        sequence.computed(computed);
        for (int g = 0; g < pools.length; g++) {
            if (windows[g] > 0) {
                held[g].dropBefore(sequence, prefixes.firstRead(g, computed), now);
            }
        }
    }

    /**
     * Makes {@code child} continue where {@code parent} is: full blocks are shared, the last one is copied into the
     * block that was set aside at admission.
     *
     * @param copies receives what the engine must copy before the child's first step
     */
    public void fork(KvSequence parent, KvSequence child, BlockCopies copies, long now) {
        int at = parent.computed();
        int full = at / blockSize;
        for (int g = 0; g < pools.length; g++) {
            int tail = held[g].fork(parent, child, full, now);
            if (at % blockSize != 0) {
                copies.add(g, parent.table(g).block(full), tail);
            }
        }
        child.copyHashes(parent, full);
        child.computed(at);
    }

    /** Lets go of all blocks: complete ones stay cached, those being computed pass to who waits for them. */
    public void release(KvSequence sequence, long now) {
        assert sequence.admitted();
        active.remove(sequence);
        for (int g = 0; g < pools.length; g++) {
            held[g].release(sequence, now);
        }
        sequence.admitted(false);
        sequence.computed(0);
        sequence.found(0);
    }

    /** Residency up to now, blocks still held included, in block-nanoseconds divided by holders. */
    public long blockNanos(KvSequence sequence, long now) {
        long sum = sequence.blockNanos();
        for (int g = 0; g < pools.length; g++) {
            sum += held[g].blockNanos(sequence, now);
        }
        return sum;
    }

    /**
     * Checks that the books add up: per group free + computing + loading + cached + held == total on the device, free +
     * filling + kept + reading == total on the host; references equal holders, copies under way agree with the states
     * of both their ends, and so do lists and indexes.
     *
     * @throws KvCacheException naming the first thing that does not
     */
    public void verifyIntegrity() {
        for (GroupBlocks each : held) {
            each.verifyIntegrity();
        }
        host.verifyIntegrity();
    }

    private int blocksFor(int tokens) {
        return (tokens + blockSize - 1) / blockSize;
    }
}
