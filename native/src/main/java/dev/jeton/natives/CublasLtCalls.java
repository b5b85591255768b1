package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * cuBLASLt's functions and numbers.
 *
 * <p>Source: cublasLt.h, cublas_api.h (cuBLAS 13.1) and library_types.h (CUDA 13.0).
 */
final class CublasLtCalls {

    /** {@code CUBLAS_STATUS_NOT_SUPPORTED}. */
    static final int NOT_SUPPORTED = 15;
    /** {@code CUBLAS_STATUS_EXECUTION_FAILED}: a launch failed on the device. */
    static final int EXECUTION_FAILED = 13;

    /** {@code CUBLAS_COMPUTE_32F}, {@code CUDA_R_32F}, {@code CUBLAS_OP_T}. */
    static final int COMPUTE_32F = 68;

    static final int TYPE_32F = 0;
    static final int TRANSPOSED = 1;

    /** {@code cublasLtMatmulDescAttributes_t}. */
    static final int DESC_TRANSA = 3;

    static final int DESC_EPILOGUE = 7;
    static final int DESC_BIAS_POINTER = 8;
    static final int DESC_A_SCALE_POINTER = 17;
    static final int DESC_B_SCALE_POINTER = 18;
    static final int DESC_FAST_ACCUM = 25;
    static final int DESC_BIAS_DATA_TYPE = 26;
    static final int DESC_A_SCALE_MODE = 31;
    static final int DESC_B_SCALE_MODE = 32;
    /** {@code CUBLASLT_EPILOGUE_BIAS}. */
    static final int EPILOGUE_BIAS = 4;
    /** {@code CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F}: a number for each row. */
    static final int SCALE_PER_ROW = 3;

    /** {@code cublasLtMatmulPreferenceAttributes_t}. */
    static final int PREFERENCE_WORKSPACE = 1;

    static final int PREFERENCE_REDUCTIONS = 3;
    /** {@code cublasLtMatmulAlgoConfigAttributes_t}: how often k is split. */
    static final int CONFIG_SPLITS = 2;

    /** {@code cublasLtMatmulAlgo_t}. */
    static final long ALGORITHM_BYTES = 64;
    /** {@code cublasLtMatmulHeuristicResult_t}: the algorithm, its workspace, the state, waves and room. */
    static final long RESULT_BYTES = 96;

    static final long RESULT_WORKSPACE = 64;
    static final long RESULT_STATE = 72;

    final NativeLibrary library;
    final NativeCall create;
    final NativeCall destroy;
    final NativeCall descCreate;
    final NativeCall descDestroy;
    final NativeCall descSet;
    final NativeCall layoutCreate;
    final NativeCall layoutDestroy;
    final NativeCall preferenceCreate;
    final NativeCall preferenceDestroy;
    final NativeCall preferenceSet;
    final NativeCall heuristic;
    final NativeCall algorithmCheck;
    final NativeCall algorithmGet;
    final NativeCall matmul;
    private final MethodHandle statusName;
    private final MethodHandle version;

    CublasLtCalls(NativeLibrary library) {
        this.library = library;
        create = new NativeCall(library, "cublasLtCreate", 1);
        destroy = new NativeCall(library, "cublasLtDestroy", 1);
        descCreate = new NativeCall(library, "cublasLtMatmulDescCreate", 3);
        descDestroy = new NativeCall(library, "cublasLtMatmulDescDestroy", 1);
        descSet = new NativeCall(library, "cublasLtMatmulDescSetAttribute", 4);
        layoutCreate = new NativeCall(library, "cublasLtMatrixLayoutCreate", 5);
        layoutDestroy = new NativeCall(library, "cublasLtMatrixLayoutDestroy", 1);
        preferenceCreate = new NativeCall(library, "cublasLtMatmulPreferenceCreate", 1);
        preferenceDestroy = new NativeCall(library, "cublasLtMatmulPreferenceDestroy", 1);
        preferenceSet = new NativeCall(library, "cublasLtMatmulPreferenceSetAttribute", 4);
        heuristic = new NativeCall(library, "cublasLtMatmulAlgoGetHeuristic", 10);
        algorithmCheck = new NativeCall(library, "cublasLtMatmulAlgoCheck", 8);
        algorithmGet = new NativeCall(library, "cublasLtMatmulAlgoConfigGetAttribute", 5);
        matmul = new NativeCall(library, "cublasLtMatmul", 16);
        statusName = library.function("cublasLtGetStatusName", FunctionDescriptor.of(ADDRESS, JAVA_INT));
        version = library.function("cublasLtGetVersion", FunctionDescriptor.of(JAVA_LONG));
    }

    long version() {
        try {
            return (long) version.invokeExact();
        } catch (Throwable e) {
            throw Nvml.thrown(e, "cublasLtGetVersion");
        }
    }

    CudaException failure(NativeCall call, int code, String where) {
        return new CudaException(
                call.name(), code, "%s (%s) failed with %d, %s".formatted(call.name(), where, code, text(code)));
    }

    void check(NativeCall call, int code, String where) {
        if (code != 0) {
            throw failure(call, code, where);
        }
    }

    private String text(int code) {
        try {
            MemorySegment text = (MemorySegment) statusName.invokeExact(code);
            return text.address() == 0
                    ? "a code that it does not know"
                    : text.reinterpret(Long.MAX_VALUE).getString(0);
        } catch (Throwable e) {
            throw Nvml.thrown(e, "cublasLtGetStatusName");
        }
    }
}
