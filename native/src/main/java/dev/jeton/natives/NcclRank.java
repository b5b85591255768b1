package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * One device among those that were joined. What is asked of it is queued on a stream of that device and done when all
 * ranks have been asked for the same, in the same order. Of the thread that owns its device, but for
 * {@link NcclRanks#abort}. Calls allocate nothing.
 */
public final class NcclRank {

    private final NcclCalls calls;
    private final long handle;
    private final int rank;
    private final CudaDevice device;
    private final MemorySegment out = Arena.ofAuto().allocate(JAVA_INT);
    /** Whether its thread is in a call, which an abort lets end before the communicator is taken from under it. */
    private volatile boolean calling;

    private volatile boolean givenUp;

    NcclRank(NcclCalls calls, long handle, int rank, CudaDevice device) {
        this.calls = calls;
        this.handle = handle;
        this.rank = rank;
        this.device = device;
    }

    /**
     * Sums elements over all ranks, each rank having the same sums afterwards, bit by bit.
     *
     * @param from address of what this rank adds
     * @param to address of the sums; may be {@code from}
     */
    public void allReduce(long from, long to, long count, NcclType type, CudaStream stream) {
        enter(calls.allReduce);
        int code;
        try {
            code = calls.allReduce.call(from, to, count, type.code, NcclCalls.SUM, handle, stream.handle());
        } finally {
            calling = false;
        }
        check(calls.allReduce, code, count, type);
    }

    /**
     * Puts elements of all ranks one after the other, in the order of ranks.
     *
     * @param from address of this rank's
     * @param to address of {@code count} times as many as there are ranks
     * @param count elements of each rank
     */
    public void allGather(long from, long to, long count, NcclType type, CudaStream stream) {
        enter(calls.allGather);
        int code;
        try {
            code = calls.allGather.call(from, to, count, type.code, handle, stream.handle());
        } finally {
            calling = false;
        }
        check(calls.allGather, code, count, type);
    }

    /**
     * Whether all is well with what was queued.
     *
     * @throws NcclException where an exchange has failed: it and what follows never ends by itself
     */
    public void check() {
        enter(calls.asyncError);
        int code;
        int found;
        try {
            code = calls.asyncError.call(handle, out.address());
            found = out.get(JAVA_INT, 0);
        } finally {
            calling = false;
        }
        if (code != 0) {
            throw calls.failure(calls.asyncError.name(), code, toString());
        }
        if (found != 0 && found != NcclCalls.IN_PROGRESS) {
            throw calls.failure("an exchange of NCCL", found, toString());
        }
    }

    private void enter(NativeCall call) {
        calling = true;
        if (givenUp) {
            calling = false;
            throw new NcclException(
                    call.name(), 0, "%s (%s) was not called: the ranks were given up".formatted(call.name(), this));
        }
    }

    private void check(NativeCall call, int code, long count, NcclType type) {
        if (code != 0) {
            throw calls.failure(call.name(), code, "%d of %s, %s".formatted(count, type, this));
        }
    }

    /** No call is made any more. */
    void giveUp() {
        givenUp = true;
    }

    /** Whether its thread is in a call that began before {@link #giveUp}. */
    boolean calling() {
        return calling;
    }

    int abort() {
        return calls.abort.call(handle);
    }

    int destroy() {
        return calls.destroy.call(handle);
    }

    @Override
    public String toString() {
        return "rank %d, %s".formatted(rank, device);
    }
}
