package dev.jeton.models.cpu;

import dev.jeton.models.AdapterFolder;
import dev.jeton.models.AdapterFolder.Place;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.engine.AdapterMemoryException;
import dev.jeton.models.engine.PreparedAdapter;
import java.lang.foreign.SegmentAllocator;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/**
 * An adapter in the layouts that steps read, with the memory it is in.
 *
 * <p>Thread-safe for reading until {@link #close}, before which nothing may be computing from it.
 */
final class PackedAdapter implements PreparedAdapter {

    private final List<Optional<LowRank>> places;
    private final int ranks;
    private final NativeMemory memory;
    private final long bytes;
    private volatile boolean closed;

    private PackedAdapter(List<Optional<LowRank>> places, NativeMemory memory, long bytes) {
        this.places = List.copyOf(places);
        this.memory = memory;
        this.bytes = bytes;
        ranks = places.stream()
                .flatMap(Optional::stream)
                .mapToInt(LowRank::paddedRanks)
                .max()
                .orElse(0);
    }

    /**
     * Reads a folder, on the thread of the caller.
     *
     * @param mostBytes of memory that it may take: padding and F32 in place of F16 are more than is in its files
     * @throws AdapterMemoryException where it takes more
     * @throws dev.jeton.models.ModelException if it is no adapter of this decoder
     */
    static PackedAdapter load(Path folder, DecoderSpec spec, long mostBytes) {
        NativeMemory memory = new NativeMemory();
        try (AdapterFolder adapter = AdapterFolder.open(folder, spec)) {
            List<Optional<LowRank>> places = new ArrayList<>();
            AtomicLong bytes = new AtomicLong();
            SegmentAllocator counted = (size, alignment) -> {
                if (bytes.addAndGet(size) > mostBytes) {
                    throw new AdapterMemoryException(mostBytes);
                }
                return memory.allocate(size, alignment);
            };
            for (int layer = 0; layer < spec.layers(); layer++) {
                for (Place place : Place.values()) {
                    places.add(LowRankPacking.pack(adapter, spec, layer, place, counted));
                }
            }
            return new PackedAdapter(places, memory, bytes.get());
        } catch (RuntimeException | Error e) {
            memory.close();
            throw e;
        }
    }

    /** What it adds to the product at a {@linkplain Place#at place}; empty where it leaves that alone. */
    Optional<LowRank> at(int place) {
        return places.get(place);
    }

    /** Most ranks that it adds to one product, in whole vectors. */
    int ranks() {
        return ranks;
    }

    @Override
    public long bytes() {
        return closed ? 0 : bytes;
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            memory.close();
        }
    }
}
