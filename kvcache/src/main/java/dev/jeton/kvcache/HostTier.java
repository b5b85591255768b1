package dev.jeton.kvcache;

import java.util.Arrays;
import java.util.function.ToIntFunction;

/**
 * The host's tier: copies of blocks that the device would otherwise lose, and blocks on their way in either direction.
 *
 * <p><b>Write-behind.</b> The cached blocks that would be given away next are copied to the host ahead of need, oldest
 * first, until half of the device's blocks can be given away without losing anything ({@link #writeBehind}). So an
 * eviction never waits for a copy. It takes so many, since an admission takes all its blocks in one go, and a long
 * prompt may be a good part of the device; younger ones are not copied: they would take the host's room twice, and most
 * are used again where they are. A block that is being copied can be held, but not given away; at most as many are
 * under way as can be had otherwise, and as {@link #MOST_UNDER_WAY} says.
 *
 * <p><b>Bringing back.</b> An admission that finds more of its prefix on the host takes blocks of the device for it,
 * which are announced at once and {@link BlockState#LOADING} until their content is there. They are nobody's to
 * compute: who holds them waits, whoever admits next with the same prefix holds the same blocks, and if all of them
 * leave (cancelled, preempted, failed), the content arrives all the same and is cached. The host keeps its copy, so
 * giving the block away again costs nothing.
 *
 * <p><b>Nothing here waits.</b> {@link #loads} and {@link #offloads} are lists; who drives an engine has it copy them
 * and says how many are complete. Until then neither end of a copy is given to anybody: that alone keeps copies and
 * steps in order. A copy's source was complete on the device before it was listed, and its target is named by no step
 * until the copy is complete.
 *
 * <p>All that holds per layer group. A prefix is usable where each group finds what it still reads on either tier, so
 * windows need nothing of their own.
 *
 * <p>Owned by the thread of its {@link KvCache}; nothing is allocated after construction.
 */
public final class HostTier {

    /**
     * Most blocks being copied to the host at once. At 2 MB each (16 tokens of an 8B model in 16 bits) that is a
     * gigabyte, 20 ms of a bus of 50 GB/s: about a step, between which the loop looks.
     */
    static final int MOST_UNDER_WAY = 512;

    /** The part of the device's blocks that can be given away without losing their content, if the host has room. */
    private static final int AHEAD_PART = 2;

    private final BlockPool[] devices;
    private final HostPool[] hosts;
    private final int[] aheadOf;
    private final boolean present;
    private final TierMoves loads;
    private final TierMoves offloads;
    private final long[] loaded;
    private final long[] offloaded;

    HostTier(BlockPool[] devices, int[] blockCounts) {
        this.devices = devices;
        hosts = Arrays.stream(blockCounts).mapToObj(HostPool::new).toArray(HostPool[]::new);
        aheadOf = new int[devices.length];
        Arrays.setAll(aheadOf, g -> Math.max(1, Math.min(devices[g].size() / AHEAD_PART, blockCounts[g] / 2)));
        int blocks = Arrays.stream(blockCounts).sum();
        present = blocks > 0;
        loads = new TierMoves(
                present ? Arrays.stream(devices).mapToInt(BlockPool::size).sum() : 1);
        offloads = new TierMoves(Math.max(1, Math.min(blocks, MOST_UNDER_WAY)));
        loaded = new long[devices.length];
        offloaded = new long[devices.length];
    }

    /** Whether there is one. */
    public boolean present() {
        return present;
    }

    /** Blocks of the host that are to be copied to the device, and are being copied. */
    public TierMoves loads() {
        return loads;
    }

    /** Blocks of the device that are to be copied to the host, and are being copied. */
    public TierMoves offloads() {
        return offloads;
    }

    /** Lists what should be copied to the host now; a call costs a few operations for each block that it looks at. */
    public void writeBehind() {
        if (present) {
            for (int g = 0; g < hosts.length; g++) {
                int room = (MOST_UNDER_WAY - offloads.underWay()) / (hosts.length - g);
                writeBehind(g, room);
            }
        }
    }

    private void writeBehind(int group, int most) {
        BlockPool device = devices[group];
        CachedBlocks cached = device.cached();
        HostPool host = hosts[group];
        int room = most;
        int block = cached.nextToCopy();
        while (block != BlockList.NIL && device.count(BlockState.FREE) + cached.ahead() < aheadOf[group]) {
            long high = device.hashHigh(block);
            long low = device.hashLow(block);
            int copy = host.find(high, low);
            if (copy != PrefixIndex.ABSENT) {
                host.touch(copy);
            } else if (!cached.busy(block)) {
                // at most as many are busy as could be given away
                if (room == 0
                        || cached.busyCount() >= cached.idle() + device.count(BlockState.FREE) - 1
                        || !host.available()) {
                    return;
                }
                room--;
                cached.beginCopy(block);
                offloads.add(group, block, host.fill(high, low));
            }
            cached.goPast(block);
            block = cached.nextToCopy();
        }
    }

    /** So many of {@link #offloads} are complete since the beginning. */
    public void offloaded(long total) {
        for (; offloads.due(total); offloads.complete()) {
            int group = offloads.group();
            devices[group].cached().endCopy(offloads.device());
            hosts[group].filled(offloads.host());
            offloaded[group]++;
        }
    }

    /** So many of {@link #loads} are complete since the beginning. */
    public void loaded(long total) {
        for (; loads.due(total); loads.complete()) {
            int group = loads.group();
            devices[group].loaded(loads.device());
            hosts[group].wasRead(loads.host());
            loaded[group]++;
        }
    }

    /** Whether the host has the content of a hash. */
    boolean has(int group, long high, long low) {
        return hosts[group].find(high, low) != PrefixIndex.ABSENT;
    }

    /** Takes a block of the device for content that the host has, to be copied; it is held once. */
    int load(int group, long high, long low, long now) {
        int host = hosts[group].find(high, low);
        hosts[group].read(host);
        int block = devices[group].load(high, low, now);
        loads.add(group, block, host);
        return block;
    }

    /** Blocks of the host. */
    public int size() {
        return sum(HostPool::size);
    }

    /** Blocks of the host in a state. */
    public int count(HostState state) {
        return sum(pool -> pool.count(state));
    }

    /** Copies given away for other content. */
    public long evictions() {
        return Arrays.stream(hosts).mapToLong(HostPool::evictions).sum();
    }

    /** Blocks of a layer group that were copied to the host. */
    public long offloadedOf(int group) {
        return offloaded[group];
    }

    /** Blocks of a layer group that were copied to the device. */
    public long loadedOf(int group) {
        return loaded[group];
    }

    private int sum(ToIntFunction<HostPool> what) {
        return Arrays.stream(hosts).mapToInt(what).sum();
    }

    /** Which blocks of a group's device are being copied to. */
    int[] loading(int group) {
        int[] writers = new int[devices[group].size()];
        loads.forEach(group, (device, host) -> writers[device]++);
        return writers;
    }

    /** Which blocks of a group's device are being copied from. */
    int[] copying(int group) {
        int[] readers = new int[devices[group].size()];
        offloads.forEach(group, (device, host) -> readers[device]++);
        return readers;
    }

    void verifyIntegrity() {
        for (int g = 0; g < hosts.length; g++) {
            int[] filling = new int[hosts[g].size()];
            int[] reading = new int[hosts[g].size()];
            offloads.forEach(g, (device, host) -> filling[host]++);
            loads.forEach(g, (device, host) -> reading[host]++);
            hosts[g].verifyIntegrity(filling, reading);
        }
    }
}
