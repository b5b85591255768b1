package dev.jeton.models.cuda;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.TokenMasks;
import dev.jeton.natives.DeviceMemory;
import dev.jeton.natives.PinnedMemory;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * Where grammar masks lie: pinned memory for each of the steps in flight, and one piece on the device, which the stream
 * orders. It is taken when the first step asks for masks and grows with the steps, at launch, where a step that finds
 * no room can still be refused; so handing masks in never lacks memory.
 *
 * <p>Owned by the engine's thread.
 */
final class MaskMemory {

    private final Device device;
    private final long least;
    private final PinnedMemory[] staging;
    private Optional<DeviceMemory> memory = Optional.empty();

    /**
     * @param flights steps in flight
     * @param least bytes to take at once
     */
    MaskMemory(Device device, int flights, long least) {
        this.device = device;
        this.least = least;
        staging = new PinnedMemory[flights];
    }

    /**
     * Makes room for a step's masks.
     *
     * @throws EngineException where the GPU or the host has no room; nothing was launched then
     */
    void reserve(int flight, long bytes) {
        PinnedMemory pinned = staging[flight];
        if (pinned == null || pinned.bytes() < bytes) {
            PinnedMemory larger = device.pinnedIfFree(size(bytes)).orElseThrow(() -> full(bytes, "the host"));
            if (pinned != null) {
                pinned.close();
            }
            staging[flight] = larger;
        }
        if (memory.map(DeviceMemory::bytes).orElse(0L) < bytes) {
            // a step in flight may still read the old masks
            device.await();
            memory.ifPresent(DeviceMemory::close);
            memory = device.memoryIfFree(size(bytes));
            if (memory.isEmpty()) {
                throw full(bytes, device.name());
            }
        }
    }

    private long size(long bytes) {
        return Math.max(2 * bytes, least);
    }

    private static EngineException full(long bytes, String where) {
        return new EngineException(
                ("%s has no %d bytes for the grammar masks of a step; try again with fewer masked sequences at once, or"
                                + " start with a smaller --kv-memory")
                        .formatted(where, bytes));
    }

    /** Sends masks for which there is room, and says where they will lie; 0 where there are none to send. */
    long send(int flight, TokenMasks masks) {
        int words = masks.masks() * masks.wordsPerMask();
        if (words == 0) {
            return 0;
        }
        PinnedMemory from = staging[flight];
        DeviceMemory to = memory.orElseThrow();
        MemorySegment.copy(masks.bits(), 0, from.segment(), JAVA_LONG, 0, words);
        device.upload(to, 0, from, 0, 8L * words);
        return to.address();
    }
}
