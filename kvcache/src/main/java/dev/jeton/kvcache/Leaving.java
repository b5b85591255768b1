package dev.jeton.kvcache;

/**
 * Which blocks nobody would hold any more if some sequences let go of all they have. A block that several of them share
 * counts once, and only where nobody else holds it.
 *
 * <p>Owned by the thread of its {@link KvCache}; nothing is allocated after construction.
 */
final class Leaving {

    private final BlockPool[] pools;
    private final int[][] holders;
    private final int[] freed;

    Leaving(BlockPool[] pools) {
        this.pools = pools;
        holders = new int[pools.length][];
        for (int g = 0; g < pools.length; g++) {
            holders[g] = new int[pools[g].size()];
        }
        freed = new int[pools.length];
    }

    /** One more sequence would let go. */
    void add(KvSequence sequence) {
        for (int g = 0; g < pools.length; g++) {
            BlockTable table = sequence.table(g);
            for (int entry = table.first(); entry < table.length(); entry++) {
                int block = table.block(entry);
                freed[g] += ++holders[g][block] == pools[g].refs(block) && !pools[g].moving(block) ? 1 : 0;
            }
        }
    }

    /** It stays after all, as everybody must in the end. */
    void remove(KvSequence sequence) {
        for (int g = 0; g < pools.length; g++) {
            BlockTable table = sequence.table(g);
            for (int entry = table.first(); entry < table.length(); entry++) {
                int block = table.block(entry);
                freed[g] -= holders[g][block]-- == pools[g].refs(block) && !pools[g].moving(block) ? 1 : 0;
            }
        }
    }

    /** Blocks of a group that would become free or cached, and are not being copied. */
    int freed(int group) {
        return freed[group];
    }

    /** Whether somebody who stays holds the block. */
    boolean held(int group, int block) {
        return pools[group].refs(block) > holders[group][block];
    }

    /** Whether the block would still be in the index: it is certain, or somebody who stays would go on computing it. */
    boolean found(int group, int block) {
        return pools[group].certain(block) || held(group, block);
    }
}
