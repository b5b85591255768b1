package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Products of one shape with an algorithm chosen once. Owned by one thread at a time; can be captured into graphs.
 *
 * <p>cuBLASLt counts by columns, where a row-major matrix is its transpose. So {@code y = x · w^T} by rows is
 * {@code y^T = w · x^T} by columns: its A is w, stored k by n and taken transposed, its B is x, stored k by m and taken
 * as it is, and its D is y, stored n by m. That is also the only order that fp8 is implemented for.
 */
public final class MatmulPlan implements AutoCloseable {

    private static final int CANDIDATES = 8;
    /** Places of pointers that change from call to call, in {@link #last}. */
    private static final int BIAS = 0;

    private static final int X_SCALE = 1;
    private static final int W_SCALE = 2;

    private final CublasLt cublas;
    private final CublasLtCalls calls;
    private final MatmulShape shape;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment value = arena.allocate(16, 16);
    private final MemorySegment one = arena.allocateFrom(JAVA_FLOAT, 1);
    private final MemorySegment beta;
    private final MemorySegment algorithm = arena.allocate(CublasLtCalls.ALGORITHM_BYTES, 16);
    private final long[] last = new long[3];
    private long desc;
    private long wLayout;
    private long xLayout;
    private long yLayout;
    /** Whether the algorithm is one that was found best by measuring. */
    private boolean searched;

    private boolean open = true;

    MatmulPlan(CublasLt cublas, MatmulShape shape) {
        this.cublas = cublas;
        this.calls = cublas.calls;
        this.shape = shape;
        beta = arena.allocateFrom(JAVA_FLOAT, shape.accumulate() ? 1 : 0);
        try {
            describe();
            choose();
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    private String where() {
        return "%s on %s".formatted(shape, cublas.context.device());
    }

    private void describe() {
        calls.check(
                calls.descCreate,
                calls.descCreate.call(value.address(), CublasLtCalls.COMPUTE_32F, CublasLtCalls.TYPE_32F),
                where());
        desc = value.get(JAVA_LONG, 0);
        set(CublasLtCalls.DESC_TRANSA, CublasLtCalls.TRANSPOSED);
        if (shape.bias()) {
            set(CublasLtCalls.DESC_EPILOGUE, CublasLtCalls.EPILOGUE_BIAS);
            set(CublasLtCalls.DESC_BIAS_DATA_TYPE, shape.output().code());
        }
        if (shape.rowScales()) {
            set(CublasLtCalls.DESC_A_SCALE_MODE, CublasLtCalls.SCALE_PER_ROW);
            set(CublasLtCalls.DESC_B_SCALE_MODE, CublasLtCalls.SCALE_PER_ROW);
        }
        if (fast()) {
            value.set(JAVA_BYTE, 0, (byte) 1);
            int code = calls.descSet.call(desc, CublasLtCalls.DESC_FAST_ACCUM, value.address(), Byte.BYTES);
            calls.check(calls.descSet, code, where());
        }
        point(cublas.workspace().address());
        wLayout = layout(shape.input(), shape.k(), shape.n());
        xLayout = layout(shape.input(), shape.k(), shape.m());
        yLayout = layout(shape.output(), shape.n(), shape.m());
    }

    private boolean fast() {
        return shape.input() == MatrixType.F8_E4M3 && cublas.options().fastFp8();
    }

    /** What an algorithm is kept for. */
    private String key() {
        return shape.key() + (fast() ? "f" : "");
    }

    private long layout(MatrixType type, long rows, long columns) {
        calls.check(
                calls.layoutCreate,
                calls.layoutCreate.call(value.address(), type.code(), rows, columns, rows),
                where());
        return value.get(JAVA_LONG, 0);
    }

    private void set(int attribute, int number) {
        value.set(JAVA_INT, 0, number);
        int code = calls.descSet.call(desc, attribute, value.address(), Integer.BYTES);
        if (code != 0) {
            throw calls.failure(calls.descSet, code, "attribute %d = %d, %s".formatted(attribute, number, where()));
        }
    }

    private void point(int place, int attribute, long address) {
        if (last[place] == address) {
            return;
        }
        value.set(JAVA_LONG, 0, address);
        int code = calls.descSet.call(desc, attribute, value.address(), Long.BYTES);
        if (code != 0) {
            throw calls.failure(calls.descSet, code, "attribute %d, %s".formatted(attribute, where()));
        }
        last[place] = address;
    }

    /**
     * An algorithm is chosen by the alignment of pointers too, and refused for scales that are nowhere; none is read.
     */
    private void point(long somewhere) {
        if (shape.bias()) {
            point(BIAS, CublasLtCalls.DESC_BIAS_POINTER, somewhere);
        }
        if (shape.rowScales()) {
            point(X_SCALE, CublasLtCalls.DESC_B_SCALE_POINTER, somewhere);
            point(W_SCALE, CublasLtCalls.DESC_A_SCALE_POINTER, somewhere);
        }
    }

    private void choose() {
        byte[] kept = cublas.options()
                .cache()
                .filter(cache -> !cublas.options().deterministic())
                .map(cache -> cache.read(cublas.context.device().name(), cublas.version(), key()))
                .orElse(new byte[0]);
        if (kept.length > 0) {
            MemorySegment.copy(kept, 0, algorithm, JAVA_BYTE, 0, kept.length);
            if (fits(algorithm)) {
                searched = true;
                return;
            }
        }
        algorithm.copyFrom(candidates().getFirst());
    }

    /** Whether cuBLASLt takes the algorithm for this, within the workspace. */
    private boolean fits(MemorySegment tried) {
        try (Arena own = Arena.ofConfined()) {
            MemorySegment result = own.allocate(CublasLtCalls.RESULT_BYTES, 16);
            int code = calls.algorithmCheck.call(
                    cublas.handle(), desc, wLayout, xLayout, yLayout, yLayout, tried.address(), result.address());
            return code == 0
                    && result.get(JAVA_LONG, CublasLtCalls.RESULT_WORKSPACE)
                            <= cublas.workspace().bytes();
        }
    }

    /** What cuBLASLt expects to be fastest, the best first; never none. */
    private List<MemorySegment> candidates() {
        try (Arena own = Arena.ofConfined()) {
            MemorySegment results = own.allocate(CANDIDATES * CublasLtCalls.RESULT_BYTES, 16);
            MemorySegment count = own.allocate(JAVA_INT);
            long preference = preference();
            try {
                calls.check(
                        calls.heuristic,
                        calls.heuristic.call(
                                cublas.handle(),
                                desc,
                                wLayout,
                                xLayout,
                                yLayout,
                                yLayout,
                                preference,
                                CANDIDATES,
                                results.address(),
                                count.address()),
                        where());
            } finally {
                calls.preferenceDestroy.call(preference);
            }
            List<MemorySegment> found = new ArrayList<>();
            for (int i = 0; i < count.get(JAVA_INT, 0); i++) {
                MemorySegment result = results.asSlice(i * CublasLtCalls.RESULT_BYTES, CublasLtCalls.RESULT_BYTES);
                if (result.get(JAVA_INT, CublasLtCalls.RESULT_STATE) == 0 && allowed(result)) {
                    MemorySegment candidate = Arena.ofAuto().allocate(CublasLtCalls.ALGORITHM_BYTES, 16);
                    found.add(candidate.copyFrom(result.asSlice(0, CublasLtCalls.ALGORITHM_BYTES)));
                }
            }
            if (found.isEmpty()) {
                throw calls.failure(calls.heuristic, CublasLtCalls.NOT_SUPPORTED, "no algorithm for " + where());
            }
            return found;
        }
    }

    private long preference() {
        calls.check(calls.preferenceCreate, calls.preferenceCreate.call(value.address()), where());
        long preference = value.get(JAVA_LONG, 0);
        value.set(JAVA_LONG, 0, cublas.workspace().bytes());
        int code =
                calls.preferenceSet.call(preference, CublasLtCalls.PREFERENCE_WORKSPACE, value.address(), Long.BYTES);
        if (code == 0 && cublas.options().deterministic()) {
            value.set(JAVA_INT, 0, 0);
            code = calls.preferenceSet.call(
                    preference, CublasLtCalls.PREFERENCE_REDUCTIONS, value.address(), Integer.BYTES);
        }
        if (code != 0) {
            calls.preferenceDestroy.call(preference);
            throw calls.failure(calls.preferenceSet, code, where());
        }
        return preference;
    }

    /** A split of k that sums in whatever order blocks end is no algorithm for a deterministic engine. */
    private boolean allowed(MemorySegment candidate) {
        return !cublas.options().deterministic() || splits(candidate) <= 1;
    }

    private int splits(MemorySegment candidate) {
        int code = calls.algorithmGet.call(
                candidate.address(), CublasLtCalls.CONFIG_SPLITS, value.address(), Integer.BYTES, value.address() + 8);
        return code == 0 ? value.get(JAVA_INT, 0) : 1;
    }

    /** What it multiplies. */
    public MatmulShape shape() {
        return shape;
    }

    /** How many parts k is split into, whose sums are added afterwards. */
    public int splits() {
        requireOpen();
        return splits(algorithm);
    }

    private void requireOpen() {
        if (!open) {
            throw new IllegalStateException("a plan for %s is used after it was closed".formatted(where()));
        }
    }

    /** Queues {@code y = x · w^T}; for shapes without bias and scales. */
    public void run(DeviceMemory x, DeviceMemory w, DeviceMemory y, CudaStream stream) {
        run(x.address(0, xBytes()), w.address(0, wBytes()), y.address(0, yBytes()), 0, 0, 0, stream);
    }

    private long xBytes() {
        return (long) shape.m() * shape.k() * shape.input().bytes();
    }

    private long wBytes() {
        return (long) shape.n() * shape.k() * shape.input().bytes();
    }

    private long yBytes() {
        return (long) shape.m() * shape.n() * shape.output().bytes();
    }

    /**
     * Queues the product; allocates nothing.
     *
     * @param x address of x, aligned to 16 bytes as all of these
     * @param w address of w
     * @param y address of y
     * @param bias address of the bias; 0 where the shape has none
     * @param xScale address of x's scales, m floats; 0 where the shape has none
     * @param wScale address of w's scales, n floats; 0 where the shape has none
     * @throws CudaException where it is refused
     */
    public void run(long x, long w, long y, long bias, long xScale, long wScale, CudaStream stream) {
        requireOpen();
        if ((bias != 0) != shape.bias() || (xScale != 0) != shape.rowScales() || (wScale != 0) != shape.rowScales()) {
            throw new IllegalArgumentException("bias or scales given, or missing, for " + where());
        }
        if (shape.bias()) {
            point(BIAS, CublasLtCalls.DESC_BIAS_POINTER, bias);
        }
        if (shape.rowScales()) {
            point(X_SCALE, CublasLtCalls.DESC_B_SCALE_POINTER, xScale);
            point(W_SCALE, CublasLtCalls.DESC_A_SCALE_POINTER, wScale);
        }
        int code = multiply(x, w, y, algorithm, stream);
        if (code != 0) {
            throw failed(code, stream);
        }
    }

    private int multiply(long x, long w, long y, MemorySegment with, CudaStream stream) {
        return calls.matmul.call(
                cublas.handle(),
                desc,
                one.address(),
                w,
                wLayout,
                x,
                xLayout,
                beta.address(),
                y,
                yLayout,
                y,
                yLayout,
                with.address(),
                cublas.workspace().address(),
                cublas.workspace().bytes(),
                stream.handle());
    }

    /** cuBLASLt does not tell a lost device from a failed launch; the stream does. */
    private CudaException failed(int code, CudaStream stream) {
        if (code == CublasLtCalls.EXECUTION_FAILED) {
            stream.synchronize();
        }
        return calls.failure(calls.matmul, code, where());
    }

    /**
     * Whether its algorithm was found best by measuring, now or by an earlier process, so that nothing is to be
     * searched.
     */
    public boolean searched() {
        requireOpen();
        return searched;
    }

    /**
     * Times cuBLASLt's candidates on the operands at hand and takes the fastest from now on; keeps it in the cache.
     * Waits for the stream; y is overwritten. Does nothing on a deterministic handle, where times must decide nothing,
     * nor where the algorithm was searched before. Of candidates that take equally long the one that cuBLASLt names
     * first is taken; if none runs, the algorithm stays.
     *
     * @param ws addresses of matrices w, for each of which a candidate is timed once and the fastest counts: several
     *     that together do not fit the second cache, where w comes from memory in earnest, too; at least two, since
     *     what an algorithm needs is loaded at its first use
     */
    public void search(long x, long[] ws, long y, long bias, long xScale, long wScale, CudaStream stream) {
        requireOpen();
        if (cublas.options().deterministic() || searched) {
            return;
        }
        if (ws.length < 2) {
            throw new IllegalArgumentException(
                    "%d matrices to time products with; two are needed".formatted(ws.length));
        }
        run(x, ws[0], y, bias, xScale, wScale, stream);
        float best = Float.MAX_VALUE;
        try (CudaEvent start = cublas.context.event();
                CudaEvent end = cublas.context.event()) {
            for (MemorySegment candidate : candidates()) {
                float millis = time(x, ws, y, candidate, stream, start, end);
                if (millis < best) {
                    best = millis;
                    algorithm.copyFrom(candidate);
                }
            }
        }
        searched = true;
        if (best < Float.MAX_VALUE) {
            byte[] found = algorithm.toArray(JAVA_BYTE);
            cublas.options()
                    .cache()
                    .ifPresent(cache -> cache.write(cublas.context.device().name(), cublas.version(), key(), found));
        }
    }

    /** Milliseconds of the fastest product; more than any where the candidate does not run. */
    private float time(
            long x, long[] ws, long y, MemorySegment candidate, CudaStream stream, CudaEvent start, CudaEvent end) {
        float best = Float.MAX_VALUE;
        for (long w : ws) {
            start.record(stream);
            int code = multiply(x, w, y, candidate, stream);
            end.record(stream);
            stream.synchronize();
            if (code != 0) {
                return Float.MAX_VALUE;
            }
            best = Math.min(best, end.millisSince(start));
        }
        return best;
    }

    /** Lets go of it; again does nothing. */
    @Override
    public void close() {
        if (!open) {
            return;
        }
        open = false;
        for (long layout : new long[] {yLayout, xLayout, wLayout}) {
            if (layout != 0) {
                calls.layoutDestroy.call(layout);
            }
        }
        if (desc != 0) {
            calls.descDestroy.call(desc);
        }
        arena.close();
    }
}
