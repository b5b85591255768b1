package dev.jeton.models.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.jeton.models.engine.LayerGroup;
import dev.jeton.natives.DeviceMemory;
import dev.jeton.natives.PinnedMemory;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/** Copies blocks of K and V within the device, in the stream's order. */
final class BlockCopies {

    /** Blocks of one launch. */
    private static final int MOST = 1024;

    /** Lists whose copies may be under way; the next waits for the oldest. */
    private static final int RING = 8;

    private static final int THREADS = 256;
    /** Bytes that a block of threads copies at least. */
    private static final int PART = 16 << 10;

    private final Device device;
    private final Kernel copy;
    private final List<LayerGroup> groups;
    private final List<Long> pools;
    private final PinnedMemory staging;
    private final DeviceMemory lists;
    private final List<Mark> sent = new ArrayList<>();
    private final BitSet read = new BitSet();
    private final BitSet written = new BitSet();
    private int next;

    BlockCopies(Device device, Kernel copy, List<LayerGroup> groups, List<Long> pools) {
        this.device = device;
        this.copy = copy;
        this.groups = List.copyOf(groups);
        this.pools = List.copyOf(pools);
        staging = device.pinned(8L * MOST * RING);
        lists = device.memory(8L * MOST);
        for (int i = 0; i < RING; i++) {
            sent.add(device.mark());
        }
    }

    /** Copies blocks {@code from[i]} to {@code to[i]} of a layer group, as if one after the other. */
    void copy(int group, int[] from, int[] to, int count) {
        int first = 0;
        while (first < count) {
            int some = independent(from, to, first, count);
            launch(group, from, to, first, some);
            first += some;
        }
    }

    /** How many copies from the first on may happen in any order: no block is written that another reads or writes. */
    private int independent(int[] from, int[] to, int first, int count) {
        read.clear();
        written.clear();
        int some = 0;
        while (first + some < count && some < MOST) {
            int source = from[first + some];
            int target = to[first + some];
            if (written.get(source) || written.get(target) || read.get(target)) {
                break;
            }
            read.set(source);
            written.set(target);
            some++;
        }
        return some;
    }

    private void launch(int group, int[] from, int[] to, int first, int some) {
        long bytes = groups.get(group).bytesPerBlock();
        long pool = pools.get(group);
        Mark mark = sent.get(next);
        long place = 8L * MOST * next;
        next = (next + 1) % RING;
        mark.await();
        MemorySegment.copy(from, first, staging.segment(), JAVA_INT, place, some);
        MemorySegment.copy(to, first, staging.segment(), JAVA_INT, place + 4L * MOST, some);
        device.upload(lists, 0, staging, place, 8L * MOST);
        mark.record();
        copy.begin()
                .pointer(pool)
                .pointer(pool)
                .pointer(lists.address())
                .pointer(lists.address() + 4L * MOST)
                .integer(some)
                .longInteger(bytes)
                .launch(some, Kernel.blocks(bytes, PART), THREADS, 0);
    }
}
