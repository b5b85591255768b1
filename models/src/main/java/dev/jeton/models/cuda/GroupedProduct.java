package dev.jeton.models.cuda;

/**
 * A kernel that multiplies rows with several matrices, each row with one: rows are grouped by matrix, and groups cut
 * into tiles, by a plan on the device. Of experts ({@link ExpertProgram}), and of heads that each have a matrix of
 * their own ({@link LatentProgram}).
 *
 * @param rows of a tile
 * @param columns rows of weights of a block, of which gate and up have half each
 * @param threads of a block
 * @param shared bytes of shared memory of a block
 */
record GroupedProduct(Kernel kernel, int rows, int columns, int threads, int shared) {

    /** Rows of the tiles of {@link #few}. */
    static final int FEW_ROWS = 16;

    /** The mode of outputs as they are; others join gate and up. */
    static final int PLAIN = 0;

    private static final int FEW_THREADS = 256;
    private static final int MANY_ROWS = 128;

    /**
     * Which rows go through which matrix.
     *
     * @param plan how many tiles there are
     * @param tiles which rows of which matrix
     * @param most tiles that there may be
     * @param by which rows of x, counted {@code each} times; 0 for rows in order
     * @param places which rows of y; 0 for rows in order
     */
    record Groups(long plan, long tiles, int most, long by, int each, long places) {}

    /** For few rows of each matrix, which are bound by its weights. */
    static GroupedProduct few(StepKernels kernels, WeightFormat format) {
        int[] constants = kernels.matmulConstants(format);
        return new GroupedProduct(kernels.get("expert_few", format), FEW_ROWS, constants[0], FEW_THREADS, constants[1]);
    }

    /** For many, by the tensor cores. */
    static GroupedProduct many(StepKernels kernels, WeightFormat format) {
        int[] constants = kernels.wideConstants(format);
        if (constants[0] != MANY_ROWS) {
            throw new IllegalStateException("tiles of %d rows, not %d".formatted(constants[0], MANY_ROWS));
        }
        return new GroupedProduct(
                kernels.get("expert_many", format), MANY_ROWS, constants[1], constants[2], constants[3]);
    }

    /**
     * Multiplies.
     *
     * @param xStride elements from a row of x to the next
     * @param w the matrices, one after the other
     * @param bias of each of their rows, in binary32; 0 for none
     * @param outputs of each matrix, gate and up being one
     * @param yStride elements from a row of y to the next
     */
    void multiply(Groups groups, long x, int xStride, Matrix w, long bias, int outputs, int mode, long y, int yStride) {
        int blocks = Kernel.blocks(outputs, mode == PLAIN ? columns : columns / 2);
        kernel.begin()
                .pointer(groups.plan)
                .pointer(groups.tiles)
                .pointer(groups.by)
                .integer(groups.each)
                .pointer(groups.places)
                .pointer(x)
                .integer(xStride)
                .pointer(w.address())
                .pointer(w.scales())
                .pointer(bias)
                .integer(outputs)
                .integer(w.columns())
                .integer(mode)
                .pointer(y)
                .integer(yStride)
                .launch(Math.multiplyExact(groups.most, blocks), 1, threads, shared);
    }
}
