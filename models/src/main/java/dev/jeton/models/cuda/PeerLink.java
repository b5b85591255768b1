package dev.jeton.models.cuda;

import dev.jeton.natives.CudaStream;
import dev.jeton.natives.NcclRank;
import dev.jeton.natives.NcclType;

/**
 * A device's part among those that share a model: what they do together is queued on the device's stream, and who waits
 * for that stream asks here whether the others still do theirs.
 *
 * <p>Owned by the device's thread.
 */
final class PeerLink {

    /** How often it is asked, while something is awaited, whether what other devices have a part in still goes on. */
    private static final long CHECK_NANOS = 1_000_000;

    private final NcclRank rank;
    private final NcclType elements;
    private final CudaStream stream;

    /** @param elements the engine's type */
    PeerLink(NcclRank rank, NcclType elements, CudaStream stream) {
        this.rank = rank;
        this.elements = elements;
        this.stream = stream;
    }

    /** Queues the sum over all ranks of so many elements of the engine's type, in place. */
    void sum(long values, long count) {
        rank.allReduce(values, values, count, elements, stream);
    }

    /** The same of so many floats. */
    void sumFloats(long values, long count) {
        rank.allReduce(values, values, count, NcclType.F32, stream);
    }

    /** Queues that floats of all ranks come to lie one after the other, in the order of ranks. */
    void gather(long from, long to, long count) {
        rank.allGather(from, to, count, NcclType.F32, stream);
    }

    /**
     * A breath between two looks at what is awaited; now and then asks whether other devices still do their part.
     *
     * @param asked when that was asked last, in {@link System#nanoTime}
     * @return the same, from now on
     */
    long ask(long asked) {
        Thread.onSpinWait();
        long now = System.nanoTime();
        if (now - asked < CHECK_NANOS) {
            return asked;
        }
        rank.check();
        Thread.yield();
        return now;
    }
}
