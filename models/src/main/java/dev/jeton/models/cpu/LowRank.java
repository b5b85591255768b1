package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import dev.jeton.models.AdapterFolder;
import dev.jeton.models.AdapterFolder.Part;
import dev.jeton.models.AdapterFolder.Place;
import dev.jeton.models.AdapterFolder.Target;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Tensor;
import dev.jeton.models.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What an adapter adds to one multiplication of a layer: {@code B (A x)}, with its scale in B. Where the multiplication
 * is of several linear layers at once (q, k and v; gate and up), their ranks are one after the other, and B has zeros
 * where a rank is another's. Both in F32.
 *
 * @param a {@code [rank][inputs]}
 * @param b in the panels of the multiplication it adds to, of {@code rank} inputs
 */
record LowRank(PackedMatrix a, PackedMatrix b) {

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Floats of a row of them in whole panels. */
    int paddedRank() {
        return a.panels() * PANEL;
    }

    /**
     * Has an adapter's part packed; empty where it leaves the multiplication alone.
     *
     * @param scratch of what is packed, until it is
     */
    static Optional<LowRank> of(
            AdapterFolder adapter, DecoderSpec spec, int layer, Place place, MatrixPacking packing, Arena scratch) {
        int rank = adapter.rank(layer, place);
        if (rank == 0) {
            return Optional.empty();
        }
        List<Tensor> downs = new ArrayList<>();
        List<Tensor> ups = new ArrayList<>();
        int first = 0;
        for (Target target : place.targets()) {
            Optional<Part> part = adapter.part(layer, target);
            part.ifPresent(of -> downs.add(widened(of.a(), scratch)));
            ups.add(placed(part, target.outputs(spec), first, rank, scratch));
            first += part.map(Part::rank).orElse(0);
        }
        PackedMatrix b = place == Place.GATE_UP
                ? packing.interleaved(rank, ups.getFirst(), ups.getLast())
                : packing.stacked(rank, ups);
        return Optional.of(
                new LowRank(packing.stacked(place.targets().getFirst().inputs(spec), downs), b));
    }

    private static Tensor widened(Tensor tensor, Arena scratch) {
        float[] values = tensor.toFloats();
        MemorySegment data = scratch.allocate(4L * values.length, 64);
        MemorySegment.copy(values, 0, data, FLOAT, 0, values.length);
        return new Tensor(tensor.name(), TensorType.F32, tensor.shape(), data);
    }

    /** Scaled, in columns {@code first} and following of {@code rank}. */
    private static Tensor placed(Optional<Part> part, int outputs, int first, int rank, Arena scratch) {
        MemorySegment data = scratch.allocate(4L * outputs * rank, 64);
        part.ifPresent(of -> {
            float[] row = new float[of.rank()];
            for (int i = 0; i < outputs; i++) {
                of.b().copyTo((long) i * row.length, row, 0, row.length);
                for (int k = 0; k < row.length; k++) {
                    row[k] *= of.scale();
                }
                MemorySegment.copy(row, 0, data, FLOAT, 4L * ((long) i * rank + first), row.length);
            }
        });
        String name = part.map(of -> of.b().name()).orElse("zeros");
        return new Tensor(name, TensorType.F32, List.of((long) outputs, (long) rank), data);
    }
}
