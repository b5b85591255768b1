package dev.jeton.models.cuda;

/**
 * Products of activations with weights, by the way that suits their number of rows. Up to {@value #SKINNY_ROWS} rows go
 * through a kernel of our own, which is bound by reading the weights once and can add to the residual stream or join
 * gate and up in place; more go through cuBLASLt, whose algorithm is chosen once for each shape.
 *
 * <p>All of {@code y[row][n] = sum over k of x[row][k] * w[n][k]}, rows without gaps.
 */
final class Products {

    private static final int SKINNY_ROWS = 16;
    private static final int SKINNY_STEP = 128;
    private static final int SPLIT_STEP = 1024;
    private static final int THREADS = 256;
    /** Floats of partial sums of a block of threads. */
    private static final int PARTIALS = 512;

    /** What becomes of a skinny product. The numbers are the kernel's. */
    private enum Mode {
        ACTIVATION(0),
        LOGITS(1),
        RESIDUAL(2),
        SWIGLU(4);

        private final int number;

        Mode(int number) {
            this.number = number;
        }
    }

    private final Device device;
    private final Kernel skinny;
    private final int columns;
    private final int shared;
    private final int wanted;
    private final long partials;
    private final long counters;

    /**
     * @param constants of the products' source file: outputs of a block of threads, and its shared memory
     * @param widest most outputs of any product
     */
    Products(Device device, Kernel skinny, int[] constants, int widest) {
        this.device = device;
        this.skinny = skinny;
        columns = constants[0];
        shared = constants[1];
        wanted = 2 * device.multiprocessors();
        // only products of fewer blocks than are wanted are split, into less than twice as many as are wanted
        partials = device.memory(4L * PARTIALS * 2 * wanted).address();
        counters = device.zeroed(4L * 2 * Math.max(wanted, Kernel.blocks(widest, columns / 2)))
                .address();
    }

    /** Chooses how a product is computed, before it is first needed. */
    void choose(int rows, Matrix w, boolean wide) {
        if (!skinny(rows, w)) {
            device.plan(rows, w.rows(), w.columns(), wide);
        }
    }

    /** Whether there is nothing to search for: our own kernel, one order of sums, or an algorithm that was searched. */
    boolean decided(int rows, Matrix w, boolean wide) {
        return device.deterministic()
                || skinny(rows, w)
                || device.plan(rows, w.rows(), w.columns(), wide).searched();
    }

    /**
     * Times cuBLASLt's algorithms for a product and takes the fastest from now on.
     *
     * @param w a matrix of the product's shape
     * @param ws addresses of two or more such matrices
     */
    void search(int rows, Matrix w, boolean wide, long x, long[] ws, long y) {
        device.search(rows, w.rows(), w.columns(), wide, x, ws, y);
    }

    private static boolean skinny(int rows, Matrix w) {
        return rows <= SKINNY_ROWS && w.columns() % SKINNY_STEP == 0;
    }

    /** Activations out: {@code y[rows][n]} in sixteen bits. */
    void activations(long header, int entry, int rows, long x, Matrix w, long y) {
        if (skinny(rows, w)) {
            launch(Mode.ACTIVATION, header, entry, x, w, w.rows(), 0, y);
        } else {
            multiply(rows, x, w, y, false);
        }
    }

    /** Logits out: {@code y[rows][n]} in float32. */
    void logits(long header, int entry, int rows, long x, Matrix w, long y) {
        if (skinny(rows, w)) {
            launch(Mode.LOGITS, header, entry, x, w, w.rows(), 0, y);
        } else {
            multiply(rows, x, w, y, true);
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
            launch(Mode.RESIDUAL, header, entry, x, w, w.rows(), bias, residual);
            return true;
        }
        multiply(rows, x, w, delta, false);
        return false;
    }

    /**
     * Joins gate and up where it can.
     *
     * @param w rows of gate, then as many of up
     * @param inner where the result goes then, {@code [rows][n / 2]}
     * @param gateUp where gate and up go otherwise, {@code [rows][n]}
     * @return whether they were joined
     */
    boolean gated(long header, int entry, int rows, long x, Matrix w, long inner, long gateUp) {
        if (skinny(rows, w)) {
            launch(Mode.SWIGLU, header, entry, x, w, w.rows() / 2, 0, inner);
            return true;
        }
        multiply(rows, x, w, gateUp, false);
        return false;
    }

    private void multiply(int rows, long x, Matrix w, long y, boolean wide) {
        device.multiply(rows, w.rows(), w.columns(), x, w.address(), y, wide);
    }

    private void launch(Mode mode, long header, int entry, long x, Matrix w, int n, long bias, long y) {
        int k = w.columns();
        int blocks = Kernel.blocks(n, mode == Mode.SWIGLU ? columns / 2 : columns);
        int splits = Math.clamp((wanted + blocks - 1) / blocks, 1, Math.max(1, k / SPLIT_STEP));
        skinny.begin()
                .pointer(header)
                .integer(entry)
                .pointer(x)
                .integer(k)
                .pointer(w.address())
                .integer(n)
                .integer(k)
                .integer(mode.number)
                .pointer(bias)
                .pointer(y)
                .integer(n)
                .integer(splits)
                .pointer(partials)
                .pointer(counters)
                .launch(blocks, splits, THREADS, shared);
    }
}
