package dev.jeton.models.cuda;

import dev.jeton.models.ModelException;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.natives.DeviceMemory;
import dev.jeton.natives.PinnedMemory;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Pages of K and V in pinned memory of the host, and the copies to and from them.
 *
 * <p><b>A copy is one call for each block.</b> A block is contiguous on both sides, 2 MiB for 16 tokens of an 8B model
 * in 16 bits, so a copy engine moves it at the bus's rate (42 us at 50 GB/s) and no multiprocessor is taken from the
 * step. A kernel that reads and writes mapped memory would move the same bytes, but needs some tens of kilobytes under
 * way to fill the bus, and holds multiprocessors for as long as it takes.
 *
 * <p><b>A stream for each direction,</b> since the bus has both at once and who waits for a block must not wait for
 * those that are put away. Neither stream waits for the steps' nor does that ever wait for them: what is put away was
 * awaited, and what is brought back is named by no step before the host has seen it complete. Only copies of forks,
 * which nobody awaits, may still have to read a page that is brought back to, so those are waited for.
 *
 * <p>Owned by the engine's thread. Closes with the device.
 */
final class HostPages {

    private static final Logger LOG = LoggerFactory.getLogger(HostPages.class);

    /**
     * Bytes that are pinned in one go at most, if a block is not larger: so that a machine that has less says how much.
     */
    private static final long PIECE = 1L << 30;

    /** Calls of which a direction remembers when they are complete; more are remembered together. */
    private static final int MARKS = 64;

    /** One layer group: its pages on the device, and those on the host, so many in each piece. */
    private record Group(long bytes, DeviceMemory pages, int inPiece, List<PinnedMemory> pieces) {

        PinnedMemory piece(int block) {
            return pieces.get(block / inPiece);
        }

        long offset(int block) {
            return block % inPiece * bytes;
        }
    }

    private final List<Group> groups = new ArrayList<>();
    private final CopyLane outLane;
    private final CopyLane inLane;
    private final Progress out;
    private final Progress in;
    private final Mark forks;

    /**
     * Takes the memory.
     *
     * @param pages of each group on the device
     * @throws ModelException where the host cannot pin so much
     */
    HostPages(Device device, List<LayerGroup> layerGroups, List<DeviceMemory> pages) {
        long since = System.nanoTime();
        long all = layerGroups.stream()
                .mapToLong(group -> group.hostBlocks() * group.bytesPerBlock())
                .sum();
        long pinned = 0;
        for (int g = 0; g < layerGroups.size(); g++) {
            LayerGroup group = layerGroups.get(g);
            int inPiece = (int) Math.clamp(PIECE / group.bytesPerBlock(), 1, Integer.MAX_VALUE);
            List<PinnedMemory> pieces = new ArrayList<>();
            for (int left = group.hostBlocks(); left > 0; left -= inPiece) {
                long bytes = Math.min(left, inPiece) * group.bytesPerBlock();
                long before = pinned;
                pieces.add(device.pinnedIfFree(bytes)
                        .orElseThrow(() -> new ModelException(
                                ("the host has pinned %d of %d bytes for K and V and has no more; give less with"
                                                + " --kv-host-memory, or the process or container more memory that may be locked")
                                        .formatted(before, all))));
                pinned += bytes;
            }
            groups.add(new Group(group.bytesPerBlock(), pages.get(g), inPiece, List.copyOf(pieces)));
        }
        LOG.info("pinned {} bytes of the host for K and V in {} ms", all, (System.nanoTime() - since) / 1_000_000);
        outLane = device.lane();
        inLane = device.lane();
        out = new Progress(outLane);
        in = new Progress(inLane);
        forks = device.mark();
    }

    /** What was copied within the device until now is read before what is brought back from now on is written. */
    void copied() {
        forks.record();
    }

    void offload(int group, int[] blocks, int[] hostBlocks, int count) {
        Group of = groups.get(group);
        for (int i = 0; i < count; i++) {
            outLane.download(
                    of.piece(hostBlocks[i]), of.offset(hostBlocks[i]), of.pages, blocks[i] * of.bytes, of.bytes);
        }
        out.started(count);
    }

    void onload(int group, int[] blocks, int[] hostBlocks, int count) {
        Group of = groups.get(group);
        inLane.after(forks);
        for (int i = 0; i < count; i++) {
            inLane.upload(of.pages, blocks[i] * of.bytes, of.piece(hostBlocks[i]), of.offset(hostBlocks[i]), of.bytes);
        }
        in.started(count);
    }

    long offloaded() {
        return out.complete();
    }

    long onloaded() {
        return in.complete();
    }

    /** How far a lane has come. */
    private static final class Progress {
        private final Mark[] marks = new Mark[MARKS];
        private final long[] upTo = new long[MARKS];
        private int first;
        private int count;
        private long started;
        private long complete;

        Progress(CopyLane lane) {
            for (int i = 0; i < MARKS; i++) {
                marks[i] = lane.mark();
            }
        }

        void started(int blocks) {
            started += blocks;
            count = Math.min(MARKS, count + 1);
            int newest = (first + count - 1) % MARKS;
            marks[newest].record();
            upTo[newest] = started;
        }

        long complete() {
            while (count > 0 && marks[first].done()) {
                complete = upTo[first];
                first = (first + 1) % MARKS;
                count--;
            }
            return complete;
        }
    }
}
