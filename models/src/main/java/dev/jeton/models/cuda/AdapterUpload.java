package dev.jeton.models.cuda;

import dev.jeton.models.AdapterFolder;
import dev.jeton.models.AdapterFolder.Part;
import dev.jeton.models.AdapterFolder.Place;
import dev.jeton.models.AdapterFolder.Target;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.ModelException;
import dev.jeton.models.Tensor;
import dev.jeton.natives.DeviceMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Brings one adapter, or a {@link Shard} of it, to a device as one piece of memory, in sixteen bits; its scales in 32.
 *
 * @param folder of the adapter, for messages
 */
record AdapterUpload(AdapterFolder adapter, DeviceShape shape, Device device, WeightUpload upload, Path folder) {

    /** Bytes of an entry of the table: {@code LowRank} of {@code adapters.cu}. */
    static final int ENTRY = 32;

    /** Ranks are rounded up to whole steps of tensor cores. */
    static final int RANK_STEP = 16;

    private static final int ALIGNMENT = 256;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** What it adds to one product: the product's place in the table, and where A, B and scales lie. */
    private record Piece(int at, int rank, int inputs, long a, long b, long scale) {}

    /**
     * Brings it there.
     *
     * @param entries the table, of which its entries are written
     * @param number of it among {@code count}
     * @param ranks by layer and place, raised to its own
     */
    void load(MemorySegment entries, int number, int count, int[] ranks) {
        List<Piece> pieces = new ArrayList<>();
        long bytes = 0;
        for (int layer = 0; layer < shape.spec().layers(); layer++) {
            for (Place place : Place.values()) {
                int rank = adapter.rank(layer, place);
                if (rank == 0) {
                    continue;
                }
                int padded = (rank + RANK_STEP - 1) / RANK_STEP * RANK_STEP;
                int at = place.at(layer);
                DecoderSpec own = shape.spec();
                int inputs = place.targets().getFirst().inputs(own);
                int outputs = place.targets().stream()
                        .mapToInt(target -> target.outputs(own))
                        .sum();
                ranks[at] = Math.max(ranks[at], padded);
                long a = bytes;
                long b = aligned(a + 2L * padded * inputs);
                long scale = aligned(b + 2L * padded * outputs);
                bytes = aligned(scale + 4L * padded);
                pieces.add(new Piece(at, padded, inputs, a, b, scale));
            }
        }
        bring(pieces, bytes, entries, number, count);
    }

    private static long aligned(long bytes) {
        return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    private void bring(List<Piece> pieces, long bytes, MemorySegment entries, int number, int count) {
        DeviceMemory memory = device.memoryIfFree(bytes)
                .orElseThrow(() -> new ModelException("the adapter in %s takes %d bytes; %s has %d free"
                        .formatted(folder, bytes, device.name(), device.freeBytes())));
        try (Arena arena = Arena.ofShared()) {
            MemorySegment host = arena.allocate(bytes, ALIGNMENT);
            for (Piece piece : pieces) {
                fill(host, piece);
                MemorySegment entry = entries.asSlice((long) ENTRY * ((long) piece.at * count + number), ENTRY);
                entry.set(LONG, 0, memory.address() + piece.a);
                entry.set(LONG, 8, memory.address() + piece.b);
                entry.set(LONG, 16, memory.address() + piece.scale);
                entry.set(INT, 24, piece.rank);
            }
            upload.bytes(host, memory, 0);
            device.await();
        }
    }

    private void fill(MemorySegment host, Piece piece) {
        int layer = piece.at / Place.COUNT;
        int rank = 0;
        int output = 0;
        for (Target target : Place.values()[piece.at % Place.COUNT].targets()) {
            Optional<Part> part = adapter.part(layer, target);
            if (part.isPresent()) {
                fill(host, piece, target, part.get(), rank, output);
                rank += part.get().rank();
            }
            output += target.outputs(shape.spec());
        }
    }

    /** A linear layer's ranks, from {@code rank} on, and its outputs, from {@code output} on. */
    private void fill(MemorySegment host, Piece piece, Target target, Part part, int rank, int output) {
        DecoderSpec whole = shape.shard().whole();
        Shard.Cut cut = Shard.cut(target.module());
        int own = part.rank();
        int allInputs = target.inputs(whole);
        int inputs = cut == Shard.Cut.INPUTS ? allInputs / shape.shard().parts(target.module()) : allInputs;
        int firstInput = cut == Shard.Cut.INPUTS ? shape.shard().part(target.module()) * inputs : 0;
        for (int r = 0; r < own; r++) {
            host.set(FLOAT, piece.scale + 4L * (rank + r), part.scale());
            copy(
                    part.a(),
                    (long) r * allInputs + firstInput,
                    inputs,
                    host,
                    piece.a + 2L * ((long) (rank + r) * piece.inputs));
        }
        int allOutputs = target.outputs(whole);
        int outputs = cut == Shard.Cut.OUTPUTS ? allOutputs / shape.shard().parts(target.module()) : allOutputs;
        int firstOutput = cut == Shard.Cut.OUTPUTS ? shape.shard().part(target.module()) * outputs : 0;
        for (int n = 0; n < outputs; n++) {
            copy(
                    part.b(),
                    (long) (firstOutput + n) * own,
                    own,
                    host,
                    piece.b + 2L * ((long) (output + n) * piece.rank + rank));
        }
    }

    private void copy(Tensor from, long at, int count, MemorySegment host, long to) {
        float[] values = new float[count];
        from.copyTo(at, values, 0, count);
        for (int i = 0; i < count; i++) {
            host.set(SHORT, to + 2L * i, sixteen(values[i]));
        }
    }

    private short sixteen(float value) {
        if (shape.type() == DeviceShape.Type.FP16) {
            return Float.floatToFloat16(value);
        }
        int bits = Float.floatToRawIntBits(value);
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }
}
