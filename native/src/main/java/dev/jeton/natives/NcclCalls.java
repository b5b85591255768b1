package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;

/**
 * NCCL's functions and numbers.
 *
 * <p>Source: nccl.h (2.13, whose {@code ncclGetLastError} is the youngest function here, to 2.31).
 */
final class NcclCalls {

    /** {@code ncclUniqueId}, which is passed by value. */
    static final StructLayout ID = MemoryLayout.structLayout(MemoryLayout.sequenceLayout(128, JAVA_BYTE));

    /** {@code ncclSum}. */
    static final int SUM = 0;
    /** {@code ncclInProgress}: nothing has failed. */
    static final int IN_PROGRESS = 7;

    final NativeLibrary library;
    final NativeCall getUniqueId;
    final NativeCall groupStart;
    final NativeCall groupEnd;
    final NativeCall allReduce;
    final NativeCall allGather;
    final NativeCall asyncError;
    final NativeCall abort;
    final NativeCall destroy;
    private final NativeCall getVersion;
    private final MethodHandle initRank;
    private final MethodHandle errorString;
    private final MethodHandle lastError;

    NcclCalls(NativeLibrary library) {
        this.library = library;
        getVersion = new NativeCall(library, "ncclGetVersion", 1);
        getUniqueId = new NativeCall(library, "ncclGetUniqueId", 1);
        groupStart = new NativeCall(library, "ncclGroupStart", 0);
        groupEnd = new NativeCall(library, "ncclGroupEnd", 0);
        allReduce = new NativeCall(library, "ncclAllReduce", 7);
        allGather = new NativeCall(library, "ncclAllGather", 6);
        asyncError = new NativeCall(library, "ncclCommGetAsyncError", 2);
        abort = new NativeCall(library, "ncclCommAbort", 1);
        destroy = new NativeCall(library, "ncclCommDestroy", 1);
        initRank = library.function(
                "ncclCommInitRank", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, ID, JAVA_INT));
        errorString = library.function("ncclGetErrorString", FunctionDescriptor.of(ADDRESS, JAVA_INT));
        lastError = library.function("ncclGetLastError", FunctionDescriptor.of(ADDRESS, JAVA_LONG));
    }

    /** As 22703 for 2.27.3, into four bytes. */
    int version(MemorySegment out) {
        check(getVersion, getVersion.call(out.address()), library.place());
        return out.get(JAVA_INT, 0);
    }

    int initRank(long out, int ranks, MemorySegment id, int rank) {
        try {
            return (int) initRank.invokeExact(out, ranks, id, rank);
        } catch (Throwable e) {
            throw Nvml.thrown(e, "ncclCommInitRank");
        }
    }

    void check(NativeCall call, int code, String where) {
        if (code != 0) {
            throw failure(call.name(), code, where);
        }
    }

    /** What a code means, with what NCCL says of its last failure, for which it needs no communicator. */
    NcclException failure(String call, int code, String where) {
        String last = lastError();
        return new NcclException(
                call,
                code,
                "%s (%s) failed with %d: %s%s"
                        .formatted(call, where, code, errorText(code), last.isBlank() ? "" : "; " + last.strip()));
    }

    private String errorText(int code) {
        try {
            return read((MemorySegment) errorString.invokeExact(code));
        } catch (Throwable e) {
            throw Nvml.thrown(e, "ncclGetErrorString");
        }
    }

    private String lastError() {
        try {
            return read((MemorySegment) lastError.invokeExact(0L));
        } catch (Throwable e) {
            throw Nvml.thrown(e, "ncclGetLastError");
        }
    }

    private static String read(MemorySegment text) {
        return text.address() == 0 ? "" : text.reinterpret(Long.MAX_VALUE).getString(0);
    }
}
