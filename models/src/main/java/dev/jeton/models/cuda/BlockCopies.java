package dev.jeton.models.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.jeton.models.engine.LayerGroup;
import dev.jeton.natives.DeviceMemory;
import dev.jeton.natives.PinnedMemory;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Copies blocks of K and V within the device, in the stream's order. */
final class BlockCopies {

    /** Blocks of one launch. */
    private static final int MOST = 1024;

    private static final int THREADS = 256;
    /** Bytes that a block of threads copies at least. */
    private static final int PART = 16 << 10;

    private final Device device;
    private final Kernel copy;
    private final List<LayerGroup> groups;
    private final List<Long> pools;
    private final PinnedMemory staging;
    private final DeviceMemory lists;
    private final Device.Mark sent;

    BlockCopies(Device device, Kernel copy, List<LayerGroup> groups, List<Long> pools) {
        this.device = device;
        this.copy = copy;
        this.groups = List.copyOf(groups);
        this.pools = List.copyOf(pools);
        staging = device.pinned(8L * MOST);
        lists = device.memory(8L * MOST);
        sent = device.mark();
    }

    /** Copies blocks {@code from[i]} to {@code to[i]} of a layer group. */
    void copy(int group, int[] from, int[] to, int count) {
        long bytes = groups.get(group).bytesPerBlock();
        long pool = pools.get(group);
        for (int first = 0; first < count; first += MOST) {
            int some = Math.min(MOST, count - first);
            sent.await();
            MemorySegment.copy(from, first, staging.segment(), JAVA_INT, 0, some);
            MemorySegment.copy(to, first, staging.segment(), JAVA_INT, 4L * MOST, some);
            device.upload(lists, 0, staging, 0, 8L * MOST);
            sent.record();
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
}
