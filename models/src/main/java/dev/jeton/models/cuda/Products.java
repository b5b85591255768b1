package dev.jeton.models.cuda;

import dev.jeton.models.DecoderSpec.Activation;
import dev.jeton.natives.MatmulShape;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Products of activations with weights, by the way that suits their number of rows and the weights' format. Up to
 * {@value #SKINNY_ROWS} rows go through a kernel of our own, which is bound by reading the weights once and can add to
 * the residual stream or join gate and up in place; up to {@value #WIDE_ROWS} by weights in fewer bits through another,
 * which reads them once, too, and multiplies on tensor cores. All else goes through cuBLASLt, whose algorithm is chosen
 * once for each shape: as fp8 where weights are, a row having one scale, and the device takes that; else in sixteen
 * bits, into which weights in fewer bits are written first.
 *
 * <p>All of {@code y[row][n] = sum over k of x[row][k] * w[n][k]}, rows without gaps, the inputs of x in the order of
 * w's ({@link #inOrder}).
 *
 * <p>Logits are of at most {@value #WIDE_ROWS} rows, so that an output projection in fewer bits is always read as it
 * is, by rows in sixteen bits.
 *
 * <p>Bytes a weight of b bytes: {@code b} through our kernels and for fp8 through cuBLASLt, {@code b + 4} where weights
 * are written out. Above {@value #WIDE_ROWS} rows these 4 bytes cost less than what mma.sync is behind cuBLASLt: at 4.8
 * TB/s and 990 TFLOP/s, 60% of them reached, the two are equal at about 450 rows or more.
 */
final class Products {

    private static final int SKINNY_ROWS = 16;
    private static final int WIDE_ROWS = 256;
    private static final int SPLIT_STEP = 1024;
    private static final int THREADS = 256;
    /** Floats of partial sums of a block of threads, for an output of it. */
    private static final int PARTIALS = 16;

    /** Columns that a block of threads gathers. */
    private static final int GATHERED = 2048;

    /** Blocks of threads on a multiprocessor that write weights out. */
    private static final int WRITERS = 16;

    /** How a product is computed. */
    private enum Way {
        FEW,
        WIDE,
        LIBRARY
    }

    /** What becomes of a product of our own kernels. The numbers are the kernel's. */
    private enum Mode {
        ACTIVATION(0),
        LOGITS(1),
        RESIDUAL(2),
        SWIGLU(4),
        GEGLU(5),
        CLAMPED_SWIGLU(6);

        private final int number;

        Mode(int number) {
            this.number = number;
        }

        static Mode gated(Activation activation) {
            return switch (activation) {
                case SILU -> SWIGLU;
                case GELU_TANH -> GEGLU;
                case CLAMPED_SWIGLU -> CLAMPED_SWIGLU;
            };
        }

        /** Whether two rows of weights make one output. */
        boolean joins() {
            return this == SWIGLU || this == GEGLU || this == CLAMPED_SWIGLU;
        }
    }

    /**
     * The kernel for few rows of a format: outputs of a block of threads, its shared memory, blocks to keep all busy.
     */
    private record Skinny(Kernel kernel, int columns, int shared, int wanted) {}

    /** The kernel for more of a format in fewer bits: rows and outputs of a block of threads, and its launch. */
    private record Wide(Kernel kernel, int rows, int columns, int threads, int shared) {}

    private final Device device;
    private final StepKernels kernels;
    private final Map<WeightFormat, Skinny> skinny = new EnumMap<>(WeightFormat.class);
    private final Map<WeightFormat, Wide> wide = new EnumMap<>(WeightFormat.class);
    private final long partials;
    private final long counters;
    private final RowScaledProducts rowScaled;
    /** A matrix in sixteen bits; 0 where none is ever written out. */
    private final long written;
    /** Activations in fp8, and their scales; 0 where there are none. */
    private final long narrow;

    private final long narrowScales;
    /** Activations in the order of a matrix's inputs; 0 where all are in order. */
    private final long ordered;

    /**
     * @param matrices all that will be multiplied with but the output projection
     * @param head the output projection, where there is one
     * @param maxRows most rows of activations
     * @param sizes numbers of rows that products have
     */
    Products(
            Device device,
            StepKernels kernels,
            List<Matrix> matrices,
            Optional<Matrix> head,
            int maxRows,
            List<Integer> sizes) {
        this.device = device;
        this.kernels = kernels;
        rowScaled = new RowScaledProducts(device, matrices, sizesOfFp8(matrices, sizes), WIDE_ROWS);
        long mostPartials = 0;
        int mostCounters = 0;
        int widest = head.map(Matrix::rows).orElse(0);
        for (Matrix matrix : matrices) {
            widest = Math.max(widest, matrix.rows());
        }
        Set<WeightFormat> formats = Stream.concat(matrices.stream(), head.stream())
                .map(Matrix::format)
                .collect(Collectors.toSet());
        for (WeightFormat format : formats) {
            int[] constants = kernels.matmulConstants(format);
            int columns = constants[0];
            // four bits have twice the outputs in a block
            int wanted = format.fourBits() ? device.multiprocessors() : 2 * device.multiprocessors();
            skinny.put(format, new Skinny(kernels.get("skinny_matmul", format), columns, constants[1], wanted));
            // only products of fewer blocks than are wanted are split, into less than twice as many as are wanted
            mostPartials = Math.max(mostPartials, 2L * wanted * PARTIALS * columns);
            mostCounters = Math.max(mostCounters, Math.max(wanted, Kernel.blocks(widest, columns / 2)));
            if (format != WeightFormat.SIXTEEN) {
                int[] own = kernels.wideConstants(format);
                wide.put(format, new Wide(kernels.get("wide_matmul", format), own[4], own[5], own[6], own[7]));
                // loaded now: what loading takes of memory must not wait for devices that exchange
                kernels.get("dequantize", format);
                int blocks = 2 * device.multiprocessors();
                mostPartials = Math.max(mostPartials, 2L * blocks * own[4] * own[5]);
                mostCounters = Math.max(mostCounters, blocks);
            }
        }
        partials = device.memory(4L * mostPartials).address();
        counters = device.zeroed(4L * 2 * mostCounters).address();
        long largest = 0;
        long longest = 0;
        long reordered = 0;
        for (Matrix matrix : matrices) {
            if (matrix.order() != 0) {
                reordered = Math.max(reordered, matrix.columns());
            }
            if (rowScaled.takesSome(matrix)) {
                longest = Math.max(longest, matrix.columns());
            }
            if (isWritten(matrix)) {
                largest = Math.max(largest, 2L * matrix.rows() * matrix.columns());
            }
        }
        written = largest == 0 ? 0 : device.memory(largest).address();
        narrow = longest == 0 ? 0 : device.memory(maxRows * longest).address();
        narrowScales = longest == 0 ? 0 : device.memory(4L * maxRows).address();
        ordered = reordered == 0 ? 0 : device.memory(2 * maxRows * reordered).address();
    }

    /** Sizes at which products may be cuBLASLt's in fp8, ascending: our own kernel takes fewer rows where it can. */
    private static List<Integer> sizesOfFp8(List<Matrix> matrices, List<Integer> sizes) {
        boolean few = matrices.stream()
                .filter(w -> w.format() == WeightFormat.FP8)
                .allMatch(w -> w.columns() % w.format().fewStep() == 0);
        return sizes.stream()
                .filter(rows -> !few || rows > SKINNY_ROWS)
                .sorted()
                .toList();
    }

    /** Whether rows are multiplied in fp8: not those that become logits. */
    private boolean narrow(int rows, Matrix w, boolean wide) {
        return !wide && rowScaled.takes(rows, w);
    }

    /** Whether a product of some number of rows takes a matrix in sixteen bits. */
    private boolean isWritten(Matrix w) {
        boolean few = rowScaled.takesFew(w) || w.columns() % w.format().step() == 0;
        return w.format() != WeightFormat.SIXTEEN && !(few && rowScaled.takesMany(w));
    }

    private Way way(int rows, Matrix w, boolean wide) {
        if (rows <= SKINNY_ROWS && w.columns() % w.format().fewStep() == 0) {
            return Way.FEW;
        }
        boolean fits =
                w.format() != WeightFormat.SIXTEEN && w.columns() % w.format().step() == 0;
        return fits && rows <= WIDE_ROWS && !narrow(rows, w, wide) ? Way.WIDE : Way.LIBRARY;
    }

    /** Whether one of our own kernels is taken. */
    private boolean own(int rows, Matrix w, boolean wide) {
        return way(rows, w, wide) != Way.LIBRARY;
    }

    private MatmulShape shape(int rows, Matrix w, boolean wide) {
        return device.product(rows, w.rows(), w.columns(), narrow(rows, w, wide), wide);
    }

    /** Chooses how a product is computed, before it is first needed. */
    void choose(int rows, Matrix w, boolean wide) {
        if (!own(rows, w, wide)) {
            device.plan(shape(rows, w, wide));
        }
    }

    /** Whether there is nothing to search for: our own kernel, one order of sums, or an algorithm that was searched. */
    boolean decided(int rows, Matrix w, boolean wide) {
        return device.deterministic()
                || own(rows, w, wide)
                || device.plan(shape(rows, w, wide)).searched();
    }

    /**
     * Times cuBLASLt's algorithms for a product and takes the fastest from now on.
     *
     * @param ws two or more matrices of the product's shape and format
     */
    void search(int rows, List<Matrix> ws, boolean wide, long x, long y) {
        Matrix w = ws.getFirst();
        boolean fp8 = narrow(rows, w, wide);
        boolean out = !fp8 && w.format() != WeightFormat.SIXTEEN;
        // a matrix that was just written out may well be in the second cache, as it is here the second time
        long[] addresses =
                ws.stream().mapToLong(each -> out ? written : each.address()).toArray();
        device.search(
                shape(rows, w, wide), fp8 ? narrow : x, fp8 ? narrowScales : 0, addresses, fp8 ? w.scales() : 0, y);
    }

    /**
     * Computes a product once where it is cuBLASLt's: what that loads at its first use must not wait for devices that
     * exchange.
     *
     * @param w of sixteen bits
     */
    void tryOut(int rows, Matrix w, boolean wide, long x, long y) {
        if (!own(rows, w, wide)) {
            device.multiply(shape(rows, w, wide), x, 0, w.address(), 0, y);
        }
    }

    /** Activations out: {@code y[rows][n]} in sixteen bits. */
    void activations(long header, int entry, int rows, long x, Matrix w, long y) {
        if (own(rows, w, false)) {
            launch(Mode.ACTIVATION, header, entry, rows, x, w, w.rows(), 0, y);
        } else {
            multiply(header, entry, rows, x, w, y, false);
        }
    }

    /** Logits out: {@code y[rows][n]} in float32. */
    void logits(long header, int entry, int rows, long x, Matrix w, long y) {
        if (own(rows, w, true)) {
            launch(Mode.LOGITS, header, entry, rows, x, w, w.rows(), 0, y);
        } else {
            multiply(header, entry, rows, x, w, y, true);
        }
    }

    /**
     * Adds to the residual stream where it can.
     *
     * @param bias {@code [n]} or 0
     * @param delta where the product goes otherwise, without the bias
     * @return whether it was added: the bias too
     */
    boolean residual(long header, int entry, int rows, long x, Matrix w, long bias, long residual, long delta) {
        if (own(rows, w, false)) {
            launch(Mode.RESIDUAL, header, entry, rows, x, w, w.rows(), bias, residual);
            return true;
        }
        multiply(header, entry, rows, x, w, delta, false);
        return false;
    }

    /**
     * Joins gate and up where it can.
     *
     * @param activation of the gate
     * @param w rows of gate, then as many of up
     * @param inner where the result goes then, {@code [rows][n / 2]}
     * @param gateUp where gate and up go otherwise, {@code [rows][n]}
     * @return whether they were joined
     */
    boolean gated(Activation activation, long header, int entry, int rows, long x, Matrix w, long inner, long gateUp) {
        if (own(rows, w, false)) {
            launch(Mode.gated(activation), header, entry, rows, x, w, w.rows() / 2, 0, inner);
            return true;
        }
        multiply(header, entry, rows, x, w, gateUp, false);
        return false;
    }

    /** Where activations are in the order of a matrix's inputs, for products with it; until the next are asked for. */
    long inOrder(long header, int entry, int rows, long x, Matrix w) {
        if (w.order() == 0) {
            return x;
        }
        kernels.get("gather_columns")
                .begin()
                .pointer(header)
                .integer(entry)
                .pointer(x)
                .pointer(w.order())
                .integer(w.columns())
                .pointer(ordered)
                .launch(rows, Kernel.blocks(w.columns(), GATHERED), THREADS, 0);
        return ordered;
    }

    private void multiply(long header, int entry, int rows, long x, Matrix w, long y, boolean floats) {
        MatmulShape shape = shape(rows, w, floats);
        if (narrow(rows, w, floats)) {
            kernels.get("quantize_fp8_rows")
                    .begin()
                    .pointer(header)
                    .integer(entry)
                    .pointer(x)
                    .integer(w.columns())
                    .pointer(narrow)
                    .pointer(narrowScales)
                    .launch(rows, 1, THREADS, 0);
            device.multiply(shape, narrow, narrowScales, w.address(), w.scales(), y);
        } else if (w.format() == WeightFormat.SIXTEEN) {
            device.multiply(shape, x, 0, w.address(), 0, y);
        } else {
            int pieces = Kernel.blocks((long) w.rows() * w.columns() / 8, THREADS);
            kernels.get("dequantize", w.format())
                    .begin()
                    .pointer(w.address())
                    .pointer(w.scales())
                    .integer(w.rows())
                    .integer(w.columns())
                    .pointer(written)
                    .launch(Math.min(pieces, WRITERS * device.multiprocessors()), 1, THREADS, 0);
            device.multiply(shape, x, 0, written, 0, y);
        }
    }

    private void launch(Mode mode, long header, int entry, int rows, long x, Matrix w, int n, long bias, long y) {
        if (way(rows, w, mode == Mode.LOGITS) == Way.WIDE) {
            Wide by = wide.get(w.format());
            if (by == null) {
                throw new IllegalStateException("no kernel of many rows for " + w.format());
            }
            int rowBlocks = Kernel.blocks(rows, by.rows);
            int blocks = rowBlocks * Kernel.blocks(n, mode.joins() ? by.columns / 2 : by.columns);
            int splits = splits(2 * device.multiprocessors(), blocks, w);
            arguments(by.kernel, header, entry, rowBlocks, x, mode, w, n, bias, y, splits)
                    .launch(blocks, splits, by.threads, by.shared);
            return;
        }
        Skinny by = skinny.get(w.format());
        if (by == null) {
            throw new IllegalStateException("no kernel of few rows for " + w.format());
        }
        int blocks = Kernel.blocks(n, mode.joins() ? by.columns / 2 : by.columns);
        int splits = splits(by.wanted, blocks, w);
        arguments(by.kernel, header, entry, 0, x, mode, w, n, bias, y, splits)
                .launch(blocks, splits, THREADS, by.shared);
    }

    private static int splits(int wanted, int blocks, Matrix w) {
        return Math.clamp((wanted + blocks - 1) / blocks, 1, Math.max(1, w.columns() / SPLIT_STEP));
    }

    /** Those that both of our kernels take; {@code third} is the first row of the one, blocks of rows of the other. */
    private Kernel arguments(
            Kernel kernel,
            long header,
            int entry,
            int third,
            long x,
            Mode mode,
            Matrix w,
            int n,
            long bias,
            long y,
            int splits) {
        return kernel.begin()
                .pointer(header)
                .integer(entry)
                .integer(third)
                .pointer(x)
                .integer(w.columns())
                .pointer(w.address())
                .pointer(w.scales())
                .integer(n)
                .integer(w.columns())
                .integer(mode.number)
                .pointer(bias)
                .pointer(y)
                .integer(n)
                .integer(splits)
                .pointer(partials)
                .pointer(counters);
    }
}
