package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static dev.jeton.models.cpu.NativeMemory.ALL;
import static dev.jeton.models.vector.VectorMath.LANES;

import dev.jeton.models.AdapterFolder;
import dev.jeton.models.AdapterFolder.Part;
import dev.jeton.models.AdapterFolder.Place;
import dev.jeton.models.AdapterFolder.Target;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.TensorType;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Packs what an adapter adds to one multiplication. Used by one thread. */
final class LowRankPacking {

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int HALF = PANEL / 2;

    /** A linear layer's part, where its ranks begin among those of the multiplication, and its rows of B as read. */
    private record Placed(Part part, int firstRank, float[] up) {}

    /** A linear layer of the multiplication: its outputs there, and what is added to them. */
    private record Outputs(int first, int count, Optional<Placed> placed) {}

    private final List<Outputs> outputs = new ArrayList<>();
    private final List<Placed> parts = new ArrayList<>();
    private final boolean interleaved;
    private final int columns;
    private final int ranks;
    private final int panels;
    private final boolean halves;

    private LowRankPacking(AdapterFolder adapter, DecoderSpec spec, int layer, Place place) {
        interleaved = place == Place.GATE_UP;
        columns = place.targets().getFirst().inputs(spec);
        int firstRank = 0;
        int firstOutput = 0;
        for (Target target : place.targets()) {
            int first = firstRank;
            Optional<Placed> placed = adapter.part(layer, target)
                    .map(part -> new Placed(part, first, part.b().toFloats()));
            placed.ifPresent(parts::add);
            outputs.add(new Outputs(firstOutput, target.outputs(spec), placed));
            firstRank += placed.map(each -> each.part.rank()).orElse(0);
            firstOutput += target.outputs(spec);
        }
        ranks = firstRank;
        int rows = interleaved ? 2 * ((outputs.getFirst().count + HALF - 1) / HALF * HALF) : firstOutput;
        panels = PackedMatrix.panelsFor(rows);
        halves = parts.stream()
                .allMatch(each ->
                        each.part.a().type() == TensorType.BF16 && each.part.b().type() == TensorType.BF16);
    }

    /** Has an adapter's part packed; empty where it leaves the multiplication alone. */
    static Optional<LowRank> pack(
            AdapterFolder adapter, DecoderSpec spec, int layer, Place place, SegmentAllocator memory) {
        return adapter.rank(layer, place) == 0
                ? Optional.empty()
                : Optional.of(new LowRankPacking(adapter, spec, layer, place).pack(memory));
    }

    private LowRank pack(SegmentAllocator memory) {
        int vectors = (ranks + LANES - 1) / LANES;
        float[] scales = new float[vectors * LANES];
        long bytes = LowRank.vectorBytes(halves, columns);
        long a = memory.allocate(vectors * bytes, 64).address();
        for (Placed each : parts) {
            float[] down = each.part.a().toFloats();
            for (int r = 0; r < each.part.rank(); r++) {
                int rank = each.firstRank + r;
                scales[rank] = each.part.scale();
                long at = a + rank / LANES * bytes;
                for (int k = 0; k < columns; k++) {
                    putDown(at, k, rank % LANES, down[r * columns + k]);
                }
            }
        }
        return new LowRank(halves, columns, a, scales, up(memory));
    }

    private void putDown(long vector, int k, int lane, float value) {
        if (halves) {
            ALL.set(SHORT, vector + k / 2 * (4L * LANES) + 4L * lane + 2L * (k % 2), half(value));
        } else {
            ALL.set(FLOAT, vector + (long) k * 4 * LANES + 4L * lane, value);
        }
    }

    private LowRank.Panels up(SegmentAllocator memory) {
        LowRank.Panels b = new LowRank.Panels(new long[panels], new int[panels], new int[panels], new int[panels]);
        for (int panel = 0; panel < panels; panel++) {
            int[] lower = ranksOf(panel * PANEL);
            int[] upper = ranksOf(panel * PANEL + HALF);
            int count = Math.max(lower[1] - lower[0], upper[1] - upper[0]);
            b.ranks()[panel] = count;
            // whoever has fewer ranks reads some of its neighbours, of the same row, by weights of zero
            b.first()[panel] = Math.min(lower[0], ranks - count);
            b.second()[panel] = Math.min(upper[0], ranks - count);
            if (count > 0) {
                b.start()[panel] =
                        memory.allocate((halves ? 2L : 4L) * PANEL * count, 64).address();
                put(b, panel);
            }
        }
        return b;
    }

    /** The ranks, from and to, that the outputs of half a panel have between them. */
    private int[] ranksOf(int firstRow) {
        int from = Integer.MAX_VALUE;
        int to = 0;
        for (int row = firstRow; row < firstRow + HALF; row++) {
            Optional<Placed> placed = of(row).flatMap(Outputs::placed);
            if (placed.isPresent()) {
                from = Math.min(from, placed.get().firstRank);
                to = Math.max(to, placed.get().firstRank + placed.get().part.rank());
            }
        }
        return to == 0 ? new int[2] : new int[] {from, to};
    }

    /** Whose a row of the multiplication is; empty for padding. */
    private Optional<Outputs> of(int row) {
        if (interleaved) {
            Outputs side = row % PANEL < HALF ? outputs.getFirst() : outputs.getLast();
            return Optional.of(side).filter(each -> ofSide(row) < each.count);
        }
        return outputs.stream()
                .filter(each -> row >= each.first && row < each.first + each.count)
                .findFirst();
    }

    private static int ofSide(int row) {
        return row / PANEL * HALF + row % HALF;
    }

    private void put(LowRank.Panels b, int panel) {
        for (int lane = 0; lane < PANEL; lane++) {
            int row = panel * PANEL + lane;
            int base = lane < HALF ? b.first()[panel] : b.second()[panel];
            Optional<Outputs> of = of(row).filter(each -> each.placed.isPresent());
            if (of.isPresent()) {
                Placed placed = of.get().placed.orElseThrow();
                int own = (interleaved ? ofSide(row) : row - of.get().first) * placed.part.rank();
                for (int r = 0; r < placed.part.rank(); r++) {
                    putUp(b.start()[panel], placed.firstRank + r - base, lane, placed.up[own + r]);
                }
            }
        }
    }

    private void putUp(long panel, int rank, int lane, float value) {
        if (halves) {
            ALL.set(SHORT, PackKernels.halfAt(panel + rank * (2L * PANEL), lane), half(value));
        } else {
            ALL.set(FLOAT, panel + rank * (4L * PANEL) + 4L * lane, value);
        }
    }

    private static short half(float ofHalf) {
        return (short) (Float.floatToRawIntBits(ofHalf) >>> 16);
    }
}
