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
    void choose(int rows, int n, int k, boolean wide) {
        if (!skinny(rows, k)) {
            device.plan(rows, n, k, wide);
        }
    }

    private static boolean skinny(int rows, int k) {
        return rows <= SKINNY_ROWS && k % SKINNY_STEP == 0;
    }

    /** Activations out: {@code y[rows][n]} in sixteen bits. */
    void activations(long header, int entry, int rows, long x, long w, int n, int k, long y) {
        if (skinny(rows, k)) {
            launch(Mode.ACTIVATION, header, entry, x, w, n, k, 0, y, n);
        } else {
            device.multiply(rows, n, k, x, w, y, false);
        }
    }

    /**
     * Logits out: {@code y[rows][n]} in float32.
     */
    void logits(long header, int entry, int rows, long x, long w, int n, int k, long y) {
        if (skinny(rows, k)) {
            launch(Mode.LOGITS, header, entry, x, w, n, k, 0, y, n);
        } else {
            device.multiply(rows, n, k, x, w, y, true);
        }
    }

    /**
     * Adds to the residual stream where it can.
     *
     * @param bias {@code [n]} or 0
     * @param delta where the product goes otherwise, without the bias
     * @return whether it was added: the bias too
     */
    boolean residual(
            long header, int entry, int rows, long x, long w, int n, int k, long bias, long residual, long delta) {
        if (skinny(rows, k)) {
            launch(Mode.RESIDUAL, header, entry, x, w, n, k, bias, residual, n);
            return true;
        }
        device.multiply(rows, n, k, x, w, delta, false);
        return false;
    }

    /**
     * Joins gate and up where it can.
     *
     * @param n outputs of gate, and of up
     * @param inner where the result goes then, {@code [rows][n]}
     * @param gateUp where gate and up go otherwise, {@code [rows][2 * n]}
     * @return whether they were joined
     */
    boolean gated(long header, int entry, int rows, long x, long w, int n, int k, long inner, long gateUp) {
        if (skinny(rows, k)) {
            launch(Mode.SWIGLU, header, entry, x, w, n, k, 0, inner, n);
            return true;
        }
        device.multiply(rows, 2 * n, k, x, w, gateUp, false);
        return false;
    }

    private void launch(
            Mode mode, long header, int entry, long x, long w, int n, int k, long bias, long y, int stride) {
        int blocks = Kernel.blocks(n, mode == Mode.SWIGLU ? columns / 2 : columns);
        int splits = Math.clamp((wanted + blocks - 1) / blocks, 1, Math.max(1, k / SPLIT_STEP));
        skinny.begin()
                .pointer(header)
                .integer(entry)
                .pointer(x)
                .integer(k)
                .pointer(w)
                .integer(n)
                .integer(k)
                .integer(mode.number)
                .pointer(bias)
                .pointer(y)
                .integer(stride)
                .integer(splits)
                .pointer(partials)
                .pointer(counters)
                .launch(blocks, splits, THREADS, shared);
    }
}
