package dev.jeton.natives;

import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Devices that were joined, and how they part: in good order, each having done what was queued, or given up where one
 * has failed, since the others would wait for it for ever. Close it before the devices' contexts.
 */
public final class NcclRanks implements AutoCloseable {

    /** How long a call of another thread may go on before it counts as one that waits for a rank. */
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final NcclCalls calls;
    private final List<NcclRank> ranks;
    private final AtomicBoolean over = new AtomicBoolean();

    NcclRanks(NcclCalls calls, List<NcclRank> ranks) {
        this.calls = calls;
        this.ranks = List.copyOf(ranks);
    }

    /** How many there are. */
    public int count() {
        return ranks.size();
    }

    /** One of them. */
    public NcclRank rank(int number) {
        return ranks.get(number);
    }

    /**
     * Ends exchanges that are under way, with whatever is there by then, and lets go of all ranks: streams and threads
     * that wait in one go on. From any thread, at any time; again does nothing. Later calls on ranks fail.
     */
    public void abort() {
        if (!over.compareAndSet(false, true)) {
            return;
        }
        ranks.forEach(NcclRank::giveUp);
        long begin = System.nanoTime();
        while (ranks.stream().anyMatch(NcclRank::calling) && System.nanoTime() - begin < PATIENCE_NANOS) {
            Thread.onSpinWait();
        }
        // together, so that none is taken apart while another still reads from it; codes say nothing new
        calls.groupStart.call();
        ranks.forEach(NcclRank::abort);
        calls.groupEnd.call();
    }

    /**
     * Lets go of all ranks, whose streams must have done what was queued. Nothing after {@link #abort}.
     *
     * @throws NcclException where one cannot be let go of; the others are
     */
    @Override
    public void close() {
        if (!over.compareAndSet(false, true)) {
            return;
        }
        ranks.forEach(NcclRank::giveUp);
        NcclException failed = null;
        for (NcclRank rank : ranks) {
            int code = rank.destroy();
            if (code != 0 && failed == null) {
                failed = calls.failure(calls.destroy.name(), code, rank.toString());
            }
        }
        if (failed != null) {
            throw failed;
        }
    }
}
