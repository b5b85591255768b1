package dev.jeton.kvcache;

import java.util.List;

/**
 * What sequences hold of one layer group: it takes blocks from the group's pool into their tables and back, and has
 * blocks that are being computed pass to their heirs.
 *
 * <p>Owned by the thread of its {@link KvCache}.
 */
final class GroupBlocks {

    private final int group;
    private final BlockPool pool;
    private final HostTier host;
    private final List<KvSequence> active;

    /**
     * Nothing is held yet.
     *
     * @param active the sequences that are admitted, in that order; the cache's, and only read here
     */
    GroupBlocks(int group, BlockPool pool, HostTier host, List<KvSequence> active) {
        this.group = group;
        this.pool = pool;
        this.host = host;
        this.active = active;
    }

    /**
     * Holds the blocks of a prefix that was found, from the first that is still read on; what only the host has is
     * brought to blocks that it takes, once all others are held and cannot be given away for it.
     *
     * @return whether one of them is being computed by another sequence
     */
    boolean hold(KvSequence sequence, int first, int found, long now) {
        BlockTable table = sequence.table(group);
        boolean waits = false;
        for (int entry = 0; entry < found; entry++) {
            if (entry < first) {
                table.skipFirst();
                continue;
            }
            int block = pool.find(sequence.hashHigh(entry), sequence.hashLow(entry));
            if (block == PrefixIndex.ABSENT) {
                table.add(BlockId.NONE, 0);
                continue;
            }
            pool.hold(block, now);
            table.add(block, pool.share(block, now));
            waits |= !pool.certain(block);
        }
        // the tail of a prefix comes first, so that the host, too, counts it as used longer ago than what is before it
        for (int entry = found - 1; entry >= first; entry--) {
            if (table.block(entry) == BlockId.NONE) {
                table.set(entry, host.load(group, sequence.hashHigh(entry), sequence.hashLow(entry), now));
            }
        }
        return waits;
    }

    /** Fills a table up to {@code total} entries with its own blocks; those before {@code announced} are announced. */
    void allocate(KvSequence sequence, int total, int announced, long now) {
        BlockTable table = sequence.table(group);
        for (int entry = table.length(); entry < total; entry++) {
            int block = pool.allocate(sequence, now);
            table.add(block, 0);
            if (entry < announced) {
                pool.announce(block, sequence.hashHigh(entry), sequence.hashLow(entry));
            }
        }
    }

    /** The blocks of entries {@code from} until {@code to} are full; announces them where others may share them. */
    void complete(KvSequence sequence, int from, int to, boolean share) {
        for (int entry = from; entry < to; entry++) {
            int block = sequence.table(group).block(entry);
            assert pool.ownedBy(block, sequence) : "a sequence completes a block that it does not own";
            pool.complete(block);
            if (share && !pool.announced(block)) {
                pool.announce(block, sequence.hashHigh(entry), sequence.hashLow(entry));
            }
        }
    }

    /** Lets go of what fell out of the window: the blocks before {@code entry}. */
    void dropBefore(KvSequence sequence, int entry, long now) {
        BlockTable table = sequence.table(group);
        while (table.first() < entry) {
            letGo(sequence, table.first(), now);
            table.dropFirst();
        }
    }

    /**
     * Has a child hold its parent's first {@code full} blocks, before the one that was set aside for it.
     *
     * @return the block that was set aside
     */
    int fork(KvSequence parent, KvSequence child, int full, long now) {
        BlockTable from = parent.table(group);
        BlockTable to = child.table(group);
        int tail = to.block(0);
        long tailShare = to.shareAtHold(0);
        to.clear();
        for (int entry = 0; entry < full; entry++) {
            int block = from.block(entry);
            if (block == BlockId.NONE) {
                to.skipFirst();
            } else {
                pool.hold(block, now);
                to.add(block, pool.share(block, now));
            }
        }
        to.add(tail, tailShare);
        return tail;
    }

    /** Lets go of all blocks, the last first. */
    void release(KvSequence sequence, long now) {
        BlockTable table = sequence.table(group);
        for (int entry = table.length() - 1; entry >= table.first(); entry--) {
            letGo(sequence, entry, now);
        }
        table.clear();
    }

    private void letGo(KvSequence sequence, int entry, long now) {
        BlockTable table = sequence.table(group);
        int block = table.block(entry);
        sequence.addBlockNanos(pool.share(block, now) - table.shareAtHold(entry));
        if (pool.refs(block) > 1 && pool.ownedBy(block, sequence)) {
            pool.handOver(block, heir(entry, block));
        }
        pool.letGo(block, now);
    }

    private KvSequence heir(int entry, int block) {
        for (KvSequence candidate : active) {
            BlockTable table = candidate.table(group);
            if (entry < table.length() && table.block(entry) == block) {
                return candidate;
            }
        }
        throw new KvCacheException("block " + block + " has waiters that are not active");
    }

    /** Residency of the blocks still held, in block-nanoseconds divided by holders. */
    long blockNanos(KvSequence sequence, long now) {
        BlockTable table = sequence.table(group);
        long sum = 0;
        for (int entry = table.first(); entry < table.length(); entry++) {
            sum += pool.share(table.block(entry), now) - table.shareAtHold(entry);
        }
        return sum;
    }

    /** Checks that references equal holders, and that the pool's lists and index agree with the states. */
    void verifyIntegrity() {
        int[] holders = new int[pool.size()];
        for (KvSequence sequence : active) {
            BlockTable table = sequence.table(group);
            for (int entry = table.first(); entry < table.length(); entry++) {
                holders[table.block(entry)]++;
            }
        }
        pool.verifyIntegrity(holders, host.loading(group), host.copying(group));
    }
}
