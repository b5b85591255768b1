package dev.jeton.models.cuda;

import dev.jeton.models.DecoderSpec.Activation;
import dev.jeton.natives.MatmulShape;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Products of activations with weights, by the way that suits their number of rows and the weights' format. Up to
 * {@value #SKINNY_ROWS} rows a launch go through a kernel of our own, which is bound by reading the weights once and
 * can add to the residual stream or join gate and up in place; of quantised weights a few launches after another, as
 * long as they read less than writing the weights out would. More rows go through cuBLASLt, whose algorithm is chosen
 * once for each shape: as fp8 where weights are and the device takes scales of rows, else in sixteen bits, into which
 * quantised weights are written first.
 *
 * <p>All of {@code y[row][n] = sum over k of x[row][k] * w[n][k]}, rows without gaps.
 *
 * <p>Bytes a weight of b bytes: {@code b} a launch of our kernel, {@code b} of fp8 through cuBLASLt, {@code b + 4}
 * where weights are written out.
 */
final class Products {

    private static final int SKINNY_ROWS = 16;
    private static final int SKINNY_STEP = 128;
    private static final int SPLIT_STEP = 1024;
    private static final int THREADS = 256;
    /** Floats of partial sums of a block of threads, for an output of it. */
    private static final int PARTIALS = 16;
    /** Sizes of products of fp8 are multiples of so much. */
    private static final int FP8_STEP = 16;

    /** Blocks of threads on a multiprocessor that write weights out. */
    private static final int WRITERS = 16;

    /** What becomes of a skinny product. The numbers are the kernel's. */
    private enum Mode {
        ACTIVATION(0),
        LOGITS(1),
        RESIDUAL(2),
        SWIGLU(4),
        GEGLU(5);

        private final int number;

        Mode(int number) {
            this.number = number;
        }

        static Mode gated(Activation activation) {
            return switch (activation) {
                case SILU -> SWIGLU;
                case GELU_TANH -> GEGLU;
            };
        }

        /** Whether two rows of weights make one output. */
        boolean joins() {
            return this == SWIGLU || this == GEGLU;
        }
    }

    /** The kernel for few rows of a format: outputs of a block of threads, its shared memory, blocks to keep all busy. */
    private record Skinny(Kernel kernel, int columns, int shared, int wanted) {}

    private final Device device;
    private final StepKernels kernels;
    private final Map<WeightFormat, Skinny> skinny = new EnumMap<>(WeightFormat.class);
    private final long partials;
    private final long counters;
    private final boolean rowScales;
    /** A matrix in sixteen bits; 0 where none is ever written out. */
    private final long written;
    /** Activations in fp8, and their scales; 0 where there are none. */
    private final long narrow;

    private final long narrowScales;

    /**
     * @param matrices all that will be multiplied with
     * @param maxRows most rows of activations
     */
    Products(Device device, StepKernels kernels, List<Matrix> matrices, int maxRows) {
        this.device = device;
        this.kernels = kernels;
        rowScales = rowScales(matrices, maxRows);
        int[] constants = kernels.matmulConstants();
        int mostPartials = 0;
        int mostCounters = 0;
        int widest = 1;
        for (Matrix matrix : matrices) {
            widest = Math.max(widest, matrix.rows());
        }
        for (WeightFormat format : WeightFormat.values()) {
            int columns = constants[format.constants()];
            // int4 has twice the outputs in a block
            int wanted = format == WeightFormat.INT4 ? device.multiprocessors() : 2 * device.multiprocessors();
            skinny.put(
                    format,
                    new Skinny(kernels.get(format.product()), columns, constants[format.constants() + 1], wanted));
            // only products of fewer blocks than are wanted are split, into less than twice as many as are wanted
            mostPartials = Math.max(mostPartials, PARTIALS * columns * 2 * wanted);
            mostCounters = Math.max(mostCounters, Math.max(wanted, Kernel.blocks(widest, columns / 2)));
        }
        partials = device.memory(4L * mostPartials).address();
        counters = device.zeroed(4L * 2 * mostCounters).address();
        long largest = 0;
        long longest = 0;
        for (Matrix matrix : matrices) {
            if (narrow(matrix)) {
                longest = Math.max(longest, matrix.columns());
            } else if (matrix.format() != WeightFormat.SIXTEEN) {
                largest = Math.max(largest, 2L * matrix.rows() * matrix.columns());
            }
        }
        written = largest == 0 ? 0 : device.memory(largest).address();
        narrow = longest == 0 ? 0 : device.memory(maxRows * longest).address();
        narrowScales = longest == 0 ? 0 : device.memory(4L * maxRows).address();
    }

    /** Some generations of devices have products of fp8 with scales of rows and others have not: cuBLASLt is asked. */
    private boolean rowScales(List<Matrix> matrices, int rows) {
        return matrices.stream()
                .filter(Products::fitsFp8)
                .findFirst()
                .map(w -> device.can(device.product(rows, w.rows(), w.columns(), true, false)))
                .orElse(false);
    }

    private static boolean fitsFp8(Matrix w) {
        return w.format() == WeightFormat.FP8 && w.rows() % FP8_STEP == 0 && w.columns() % FP8_STEP == 0;
    }

    /** Whether many rows are multiplied in fp8. */
    private boolean narrow(Matrix w) {
        return rowScales && fitsFp8(w);
    }

    /** Whether our own kernel is taken. */
    private boolean skinny(int rows, Matrix w) {
        int launches = narrow(w) ? 1 : w.format().launches();
        return rows <= SKINNY_ROWS * launches && w.columns() % SKINNY_STEP == 0;
    }

    private MatmulShape shape(int rows, Matrix w, boolean wide) {
        return device.product(rows, w.rows(), w.columns(), narrow(w), wide);
    }

    /** Chooses how a product is computed, before it is first needed. */
    void choose(int rows, Matrix w, boolean wide) {
        if (!skinny(rows, w)) {
            device.plan(shape(rows, w, wide));
        }
    }

    /** Whether there is nothing to search for: our own kernel, one order of sums, or an algorithm that was searched. */
    boolean decided(int rows, Matrix w, boolean wide) {
        return device.deterministic()
                || skinny(rows, w)
                || device.plan(shape(rows, w, wide)).searched();
    }

    /**
     * Times cuBLASLt's algorithms for a product and takes the fastest from now on.
     *
     * @param ws two or more matrices of the product's shape and format
     */
    void search(int rows, List<Matrix> ws, boolean wide, long x, long y) {
        Matrix w = ws.getFirst();
        boolean fp8 = narrow(w);
        boolean out = !fp8 && w.format() != WeightFormat.SIXTEEN;
        // a matrix that was just written out may well be in the second cache, as it is here the second time
        long[] addresses =
                ws.stream().mapToLong(each -> out ? written : each.address()).toArray();
        device.search(
                shape(rows, w, wide), fp8 ? narrow : x, fp8 ? narrowScales : 0, addresses, fp8 ? w.scales() : 0, y);
    }

    /** Activations out: {@code y[rows][n]} in sixteen bits. */
    void activations(long header, int entry, int rows, long x, Matrix w, long y) {
        if (skinny(rows, w)) {
            launch(Mode.ACTIVATION, header, entry, rows, x, w, w.rows(), 0, y);
        } else {
            multiply(header, entry, rows, x, w, y, false);
        }
    }

    /** Logits out: {@code y[rows][n]} in float32. */
    void logits(long header, int entry, int rows, long x, Matrix w, long y) {
        if (skinny(rows, w)) {
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
        if (skinny(rows, w)) {
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
        if (skinny(rows, w)) {
            launch(Mode.gated(activation), header, entry, rows, x, w, w.rows() / 2, 0, inner);
            return true;
        }
        multiply(header, entry, rows, x, w, gateUp, false);
        return false;
    }

    private void multiply(long header, int entry, int rows, long x, Matrix w, long y, boolean wide) {
        MatmulShape shape = shape(rows, w, wide);
        if (narrow(w)) {
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
            kernels.get(w.format().dequantizer())
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
        Skinny by = skinny.get(w.format());
        if (by == null) {
            throw new IllegalStateException("no kernel for " + w.format());
        }
        int k = w.columns();
        int blocks = Kernel.blocks(n, mode.joins() ? by.columns / 2 : by.columns);
        int splits = Math.clamp((by.wanted + blocks - 1) / blocks, 1, Math.max(1, k / SPLIT_STEP));
        for (int first = 0; first < rows; first += SKINNY_ROWS) {
            by.kernel
                    .begin()
                    .pointer(header)
                    .integer(entry)
                    .integer(first)
                    .pointer(x)
                    .integer(k)
                    .pointer(w.address());
            if (w.format() != WeightFormat.SIXTEEN) {
                by.kernel.pointer(w.scales());
            }
            by.kernel
                    .integer(n)
                    .integer(k)
                    .integer(mode.number)
                    .pointer(bias)
                    .pointer(y)
                    .integer(n)
                    .integer(splits)
                    .pointer(partials)
                    .pointer(counters)
                    .launch(blocks, splits, THREADS, by.shared);
        }
    }
}
