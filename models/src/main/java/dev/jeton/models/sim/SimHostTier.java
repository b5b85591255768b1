package dev.jeton.models.sim;

import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.LayerGroup;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * The sim engine's host tier: a lane in each direction, on which one block after the other takes the time that its
 * bytes do. What may go wrong around an asynchronous copy is an error at once: a source that is written before the copy
 * is complete, a target that is read (it holds nothing until then) or written.
 */
final class SimHostTier {

    private final List<LayerGroup> groups;
    private final long[][] device;
    private final long[][] host;
    private final double nanosPerByte;
    private final SimClock clock;
    private final Lane out = new Lane();
    private final Lane in = new Lane();

    private record Copy(int group, int block, int hostBlock, long[] content, long endNanos) {}

    private static final class Lane {
        final Deque<Copy> copies = new ArrayDeque<>();
        long freeAt;
        long complete;
    }

    /**
     * An empty tier.
     *
     * @param device what the device's blocks hold, by group
     * @param nanosPerByte of a copy, in each direction
     */
    SimHostTier(List<LayerGroup> groups, long[][] device, double nanosPerByte, SimClock clock) {
        this.groups = groups;
        this.device = device;
        this.nanosPerByte = nanosPerByte;
        this.clock = clock;
        host = new long[groups.size()][];
        Arrays.setAll(
                host, g -> new long[groups.get(g).hostBlocks() * groups.get(g).blockSize()]);
    }

    void offload(int group, int[] blocks, int[] hostBlocks, int count) {
        for (int i = 0; i < count; i++) {
            begin(out, group, blocks[i], hostBlocks[i], content(device[group], group, blocks[i]));
        }
    }

    void onload(int group, int[] blocks, int[] hostBlocks, int count) {
        for (int i = 0; i < count; i++) {
            begin(in, group, blocks[i], hostBlocks[i], content(host[group], group, hostBlocks[i]));
            int size = groups.get(group).blockSize();
            Arrays.fill(device[group], blocks[i] * size, (blocks[i] + 1) * size, SimBlocks.UNWRITTEN);
        }
    }

    private void begin(Lane lane, int group, int block, int hostBlock, long[] content) {
        long nanos = Math.round(groups.get(group).bytesPerBlock() * nanosPerByte);
        lane.freeAt = Math.max(lane.freeAt, clock.getAsLong()) + nanos;
        lane.copies.add(new Copy(group, block, hostBlock, content, lane.freeAt));
    }

    /** Blocks of the host that are complete. */
    long offloaded() {
        for (Copy copy = due(out); copy != null; copy = due(out)) {
            if (!Arrays.equals(copy.content, content(device[copy.group], copy.group, copy.block))) {
                throw new EngineException("block %d was written while it was copied to the host".formatted(copy.block));
            }
            put(host[copy.group], copy.hostBlock, copy.content);
        }
        return out.complete;
    }

    /** Blocks of the device that are complete. */
    long onloaded() {
        for (Copy copy = due(in); copy != null; copy = due(in)) {
            for (long written : content(device[copy.group], copy.group, copy.block)) {
                if (written != SimBlocks.UNWRITTEN) {
                    throw new EngineException(
                            "block %d was written while it was copied from the host".formatted(copy.block));
                }
            }
            if (!Arrays.equals(copy.content, content(host[copy.group], copy.group, copy.hostBlock))) {
                throw new EngineException(
                        "block %d of the host was written while it was copied".formatted(copy.hostBlock));
            }
            put(device[copy.group], copy.block, copy.content);
        }
        return in.complete;
    }

    /** When the next copy is complete, if one is under way. */
    OptionalLong next() {
        long next = Long.MAX_VALUE;
        for (Lane lane : List.of(out, in)) {
            next = lane.copies.isEmpty() ? next : Math.min(next, lane.copies.getFirst().endNanos);
        }
        return next == Long.MAX_VALUE ? OptionalLong.empty() : OptionalLong.of(next);
    }

    private @Nullable Copy due(Lane lane) {
        Copy first = lane.copies.peek();
        if (first == null || first.endNanos > clock.getAsLong()) {
            return null;
        }
        lane.complete++;
        return lane.copies.remove();
    }

    private long[] content(long[] tier, int group, int block) {
        int size = groups.get(group).blockSize();
        return Arrays.copyOfRange(tier, block * size, (block + 1) * size);
    }

    private static void put(long[] tier, int block, long[] content) {
        System.arraycopy(content, 0, tier, block * content.length, content.length);
    }
}
