package dev.jeton.natives;

/**
 * A product of row-major matrices: {@code y[m, n] = x[m, k] · w[n, k]^T (+ bias[n]) (+ y)}, summed in 32-bit floats.
 *
 * @param m rows of x: tokens
 * @param n rows of w: output features
 * @param k columns of both; a multiple of 16 for fp8, as n is
 * @param input type of x and w
 * @param output type of y and of the bias
 * @param rowScales whether x has a float scale for each row and w one for each of its rows, which the product is
 *     multiplied by: fp8 only, compute capability 9.0 and newer
 * @param bias whether bias is added
 * @param accumulate whether y's old content is added
 */
public record MatmulShape(
        int m, int n, int k, MatrixType input, MatrixType output, boolean rowScales, boolean bias, boolean accumulate) {

    /** Checks what no device can do. */
    public MatmulShape {
        if (m <= 0 || n <= 0 || k <= 0) {
            throw new IllegalArgumentException("a product of %d x %d by %d".formatted(m, n, k));
        }
        if (rowScales && input != MatrixType.F8_E4M3) {
            throw new IllegalArgumentException("scales of rows are for fp8, not for " + input);
        }
    }

    /** A plain product. */
    public MatmulShape(int m, int n, int k, MatrixType input, MatrixType output) {
        this(m, n, k, input, output, false, false, false);
    }

    /** In a file's key: one word. */
    String key() {
        return "%d-%d-%d-%s-%s-%s%s%s"
                .formatted(m, n, k, input, output, rowScales ? "s" : "", bias ? "b" : "", accumulate ? "a" : "");
    }
}
