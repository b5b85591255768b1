package dev.jeton.kvcache;

/**
 * Blocks on their way between the tiers in one direction, first in, first out: those that the cache has decided on and
 * nobody has started, and those that an engine is copying. An engine completes them in the order in which it got them,
 * so their number says which are complete.
 *
 * <p>Owned by the thread of its {@link KvCache}; nothing is allocated after construction.
 */
public final class TierMoves {

    private final int[] group;
    private final int[] device;
    private final int[] host;
    private final int mask;
    private long decided;
    private long started;
    private long completed;

    /** Room for {@code most} blocks under way. */
    TierMoves(int most) {
        int capacity = Integer.highestOneBit(Math.max(1, most - 1)) << 1;
        group = new int[capacity];
        device = new int[capacity];
        host = new int[capacity];
        mask = capacity - 1;
    }

    /** Blocks that nobody has started. */
    public int waiting() {
        return (int) (decided - started);
    }

    /** Blocks that are not complete, started or not. */
    public int underWay() {
        return (int) (decided - completed);
    }

    /** Blocks that are complete, since the beginning. */
    public long completed() {
        return completed;
    }

    /** The layer group of the first block that nobody has started. */
    public int nextGroup() {
        assert waiting() > 0;
        return group[(int) started & mask];
    }

    /**
     * Takes blocks to be started now, all of {@link #nextGroup}, in order; whoever takes them has them copied.
     *
     * @param deviceBlocks receives the device's blocks
     * @param hostBlocks receives the host's
     * @return how many, at most the arrays' length
     */
    public int start(int[] deviceBlocks, int[] hostBlocks) {
        int of = nextGroup();
        int count = 0;
        while (waiting() > 0 && count < deviceBlocks.length && group[(int) started & mask] == of) {
            int at = (int) started++ & mask;
            deviceBlocks[count] = device[at];
            hostBlocks[count++] = host[at];
        }
        return count;
    }

    /** Whether the oldest one under way is among the first {@code total}, those that the engine has completed. */
    boolean due(long total) {
        assert total <= started : "an engine has completed more than it got";
        return completed < total;
    }

    /** The layer group of the oldest one under way. */
    int group() {
        return group[(int) completed & mask];
    }

    /** The device's block of the oldest one under way. */
    int device() {
        return device[(int) completed & mask];
    }

    /** The host's block of the oldest one under way. */
    int host() {
        return host[(int) completed & mask];
    }

    /** The oldest one under way is complete. */
    void complete() {
        assert completed < started;
        completed++;
    }

    void add(int ofGroup, int deviceBlock, int hostBlock) {
        assert underWay() <= mask : "more blocks are under way than there are";
        int at = (int) decided++ & mask;
        group[at] = ofGroup;
        device[at] = deviceBlock;
        host[at] = hostBlock;
    }

    /** Calls {@code each} with (device, host) for all of a group that are under way. */
    void forEach(int ofGroup, PairConsumer each) {
        for (long i = completed; i < decided; i++) {
            int at = (int) i & mask;
            if (group[at] == ofGroup) {
                each.accept(device[at], host[at]);
            }
        }
    }

    /** Takes a block of the device and one of the host. */
    interface PairConsumer {
        void accept(int deviceBlock, int hostBlock);
    }
}
