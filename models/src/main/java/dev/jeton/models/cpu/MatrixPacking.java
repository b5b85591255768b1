package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import dev.jeton.models.ModelException;
import dev.jeton.models.QuantizedBlock;
import dev.jeton.models.Tensor;
import dev.jeton.models.TensorType;
import java.lang.foreign.SegmentAllocator;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntFunction;

/**
 * Makes matrices of the rows of tensors: chooses each panel's format, makes room, notes which row goes where, and packs
 * all of them at the end. Used by one thread, but for the packing, which a team does.
 */
final class MatrixPacking {

    /** Types whose numbers and scales Q8_0 holds. */
    private static final Set<TensorType> EIGHTS = EnumSet.of(TensorType.Q8_0, TensorType.Q5_0, TensorType.Q4_0);

    private static final int PADDING = -1;

    /** A row of a tensor; {@link #PADDING} for none. */
    private record Place(Tensor tensor, int row) {}

    /** Rows of tensors in the order in which a matrix has them. */
    private record Rows(int columns, IntFunction<Place> places) implements PackedMatrix.RowSource {

        @Override
        public void read(int output, int first, int count, float[] target, int offset) {
            Place place = places.apply(output);
            if (place.row == PADDING) {
                Arrays.fill(target, offset, offset + count, 0);
            } else {
                place.tensor.copyTo((long) place.row * columns + first, target, offset, count);
            }
        }

        @Override
        public boolean blocks(int panel) {
            return places.apply(panel * PANEL).tensor.type().quantized();
        }

        @Override
        public boolean block(int output, int number, QuantizedBlock target) {
            Place place = places.apply(output);
            if (place.row == PADDING) {
                return false;
            }
            place.tensor.block(place.row, number, target);
            return true;
        }
    }

    private record Job(PackedMatrix matrix, PackedMatrix.RowSource source) {}

    /** One tile packs one panel. */
    private static final class Packing implements ComputeTeam.Program {
        private final List<Job> jobs;
        private final int[] end;
        private final PackedMatrix.Scratch[] scratch;
        private boolean begun;

        Packing(List<Job> jobs, int threads) {
            this.jobs = jobs;
            end = new int[jobs.size()];
            int panels = 0;
            for (int i = 0; i < end.length; i++) {
                panels += jobs.get(i).matrix.panels();
                end[i] = panels;
            }
            scratch = new PackedMatrix.Scratch[threads];
            Arrays.setAll(scratch, i -> new PackedMatrix.Scratch());
        }

        @Override
        public int advance() {
            int tiles = begun ? 0 : end[end.length - 1];
            begun = true;
            return tiles;
        }

        @Override
        public void tile(int tile, int member) {
            int found = Arrays.binarySearch(end, tile + 1);
            int job = found >= 0 ? found : -found - 1;
            int first = job == 0 ? 0 : end[job - 1];
            Job it = jobs.get(job);
            it.matrix.pack(tile - first, it.source, scratch[member]);
        }
    }

    private final Path source;
    private final boolean quantize;
    private final boolean halves;
    private final boolean beyondCaches;
    private final SegmentAllocator memory;
    private final List<Job> jobs = new ArrayList<>();

    /**
     * Without matrices yet.
     *
     * @param source of the tensors, for messages
     * @param quantize whether to Q8_0
     * @param halves whether kernels in C are to read BF16
     * @param beyondCaches as in {@link PackedMatrix}
     */
    MatrixPacking(Path source, boolean quantize, boolean halves, boolean beyondCaches, SegmentAllocator memory) {
        this.source = source;
        this.quantize = quantize;
        this.halves = halves;
        this.beyondCaches = beyondCaches;
        this.memory = memory;
    }

    /** The rows of tensors one after the other. */
    PackedMatrix stacked(int columns, List<Tensor> parts) {
        return packed(columns, PackedMatrix.panelsFor(rows(parts)), output -> place(parts, output));
    }

    private static int rows(List<Tensor> parts) {
        return parts.stream()
                .mapToInt(part -> part.shape().getFirst().intValue())
                .sum();
    }

    private static Place place(List<Tensor> parts, int output) {
        int row = output;
        for (Tensor part : parts) {
            int rows = part.shape().getFirst().intValue();
            if (row < rows) {
                return new Place(part, row);
            }
            row -= rows;
        }
        return new Place(parts.getLast(), PADDING);
    }

    /** Half a panel of gate, then the half of up that belongs to it. */
    PackedMatrix interleaved(int columns, Tensor gate, Tensor up) {
        int half = PANEL / 2;
        int rows = gate.shape().getFirst().intValue();
        return packed(columns, (rows + half - 1) / half, output -> {
            int row = output / PANEL * half + output % half;
            return new Place(output % PANEL < half ? gate : up, row < rows ? row : PADDING);
        });
    }

    /** The rows of tensors one after the other, as exactly as stored: never quantised, their inputs not rounded. */
    PackedMatrix exactly(int columns, List<Tensor> parts) {
        Set<TensorType> types = EnumSet.noneOf(TensorType.class);
        parts.forEach(part -> types.add(part.type()));
        List<PackedMatrix.Format> formats = Collections.nCopies(PackedMatrix.panelsFor(rows(parts)), exactly(types));
        return packed(columns, formats, output -> place(parts, output));
    }

    private PackedMatrix packed(int columns, int panels, IntFunction<Place> places) {
        List<PackedMatrix.Format> formats = new ArrayList<>();
        for (int panel = 0; panel < panels; panel++) {
            Set<TensorType> types = EnumSet.noneOf(TensorType.class);
            for (int output = panel * PANEL; output < (panel + 1) * PANEL; output++) {
                types.add(places.apply(output).tensor.type());
            }
            formats.add(paired(format(types), columns));
        }
        return packed(columns, formats, places);
    }

    private PackedMatrix packed(int columns, List<PackedMatrix.Format> formats, IntFunction<Place> places) {
        PackedMatrix matrix = new PackedMatrix(formats, columns, beyondCaches, halves, memory);
        jobs.add(new Job(matrix, new Rows(columns, places)));
        return matrix;
    }

    /** BF16 as the kernels in C read it, where they are to. */
    private PackedMatrix.Format paired(PackedMatrix.Format format, int columns) {
        return format == PackedMatrix.Format.BF16 && halves && columns % 2 == 0
                ? PackedMatrix.Format.BF16_PAIRS
                : format;
    }

    /**
     * What keeps weights of these types exactly. ggml's blocks of 256 and MXFP4 keep their bits; those of 32 without an
     * offset are whole numbers and a scale, which is Q8_0. F16 is widened to F32: BF16 has not its precision. So are
     * blocks with an offset for each 32, and the panel in which two types meet that have no format in common.
     */
    private PackedMatrix.Format format(Set<TensorType> types) {
        if (types.equals(EnumSet.of(TensorType.MXFP4))) {
            return exactly(types);
        }
        boolean plain = types.stream().noneMatch(TensorType::quantized);
        if (quantize && (plain || EIGHTS.containsAll(types))) {
            return PackedMatrix.Format.Q8_0;
        }
        if (quantize && types.stream().anyMatch(type -> type.quantized() && !EIGHTS.contains(type))) {
            throw new ModelException(
                    "the weights of %s are quantised already, in %s; leave --quantize".formatted(source, types));
        }
        return exactly(types);
    }

    private static PackedMatrix.Format exactly(Set<TensorType> types) {
        if (EIGHTS.containsAll(types)) {
            return PackedMatrix.Format.Q8_0;
        }
        if (types.size() > 1) {
            return PackedMatrix.Format.F32;
        }
        return switch (types.iterator().next()) {
            case BF16 -> PackedMatrix.Format.BF16;
            case Q4_K -> PackedMatrix.Format.Q4_K;
            case Q5_K -> PackedMatrix.Format.Q5_K;
            case Q6_K -> PackedMatrix.Format.Q6_K;
            case Q8_0, Q5_0, Q4_0 -> PackedMatrix.Format.Q8_0;
            case MXFP4 -> PackedMatrix.Format.MXFP4;
            case F32, F16, Q4_1, Q5_1 -> PackedMatrix.Format.F32;
        };
    }

    /** Packs all of them. */
    void run(ComputeTeam team) {
        team.run(new Packing(jobs, team.size()));
    }
}
