package dev.jeton.models.onnx;

import java.util.ArrayList;
import java.util.List;

/**
 * The buffers of the runs that go on from step to step, bounded in bytes: the one used longest ago goes first. A slot
 * has a place in one of them at most, so that what is in a place is all that was computed of its sequence.
 *
 * <p>Owned by the engine's thread.
 */
final class PastBuffers implements AutoCloseable {

    private static final int MOST_BUFFERS = 32;
    private static final int LEAST_TOKENS = 64;

    private final DecoderGraph graph;
    private final int context;
    private final int maxRows;
    private final long mostBytes;
    private final List<PastBuffer> buffers = new ArrayList<>();
    private long runs;

    /** Buffers of at most {@code mostBytes} together; that of a single row may need more. */
    PastBuffers(DecoderGraph graph, int context, int maxRows, long mostBytes) {
        this.graph = graph;
        this.context = context;
        this.maxRows = maxRows;
        this.mostBytes = mostBytes;
    }

    /** Most rows of a run whose longest row then has so many tokens; at least 1. */
    int mostRows(int tokens) {
        long one = PastBuffer.bytes(graph, 1, tokens);
        // a tensor of the binding has less than 2 GiB, and a buffer may have room for twice the tokens
        long plane = graph.headBytes() * graph.heads() * (2L * tokens + LEAST_TOKENS);
        return (int) Math.clamp(Math.min(mostBytes / one, Integer.MAX_VALUE / plane - 1), 1, maxRows);
    }

    /** A buffer with the run's rows: the one in which most of them are. */
    PastBuffer prepare(Run run, int inputs, KvPages pages) {
        PastBuffer best = null;
        int most = 0;
        for (PastBuffer buffer : buffers) {
            int here = 0;
            for (int i = 0; i < run.count; i++) {
                here += buffer.has(run, i) ? 1 : 0;
            }
            if (here > most) {
                most = here;
                best = buffer;
            }
        }
        if (best == null) {
            best = new PastBuffer(graph);
            buffers.add(best);
        }
        for (PastBuffer buffer : List.copyOf(buffers)) {
            if (buffer != best) {
                leave(buffer, run);
            }
        }
        best.used = ++runs;
        int needed = run.longest() + inputs;
        int rowRoom = Math.min(maxRows, powerOfTwo(run.count));
        int tokenRoom = powerOfTwo(Math.max(LEAST_TOKENS, needed + (graph.shared() ? 0 : LEAST_TOKENS / 2)));
        if (graph.shared()) {
            tokenRoom = Math.max(needed, Math.min(tokenRoom, context));
        }
        if (PastBuffer.bytes(graph, rowRoom, tokenRoom) > mostBytes) {
            rowRoom = run.count;
            tokenRoom = needed;
        }
        evict(best, PastBuffer.bytes(graph, rowRoom, tokenRoom));
        best.prepare(run, inputs, pages, rowRoom, tokenRoom);
        return best;
    }

    private void leave(PastBuffer buffer, Run run) {
        boolean left = false;
        for (int i = 0; i < run.count; i++) {
            if (buffer.holds(run.slot[i])) {
                buffer.forget(run.slot[i]);
                left = true;
            }
        }
        if (left && buffer.idle()) {
            drop(buffer);
        }
    }

    /** A run's rows go on elsewhere than in a buffer, or their run failed. */
    void leave(Run run) {
        for (PastBuffer buffer : List.copyOf(buffers)) {
            leave(buffer, run);
        }
    }

    private void evict(PastBuffer kept, long coming) {
        while (buffers.size() > 1) {
            long bytes = coming;
            PastBuffer oldest = null;
            for (PastBuffer buffer : buffers) {
                if (buffer != kept) {
                    bytes += buffer.bytes();
                    oldest = oldest == null || buffer.used < oldest.used ? buffer : oldest;
                }
            }
            if (oldest == null || (bytes <= mostBytes && buffers.size() <= MOST_BUFFERS)) {
                return;
            }
            drop(oldest);
        }
    }

    private void drop(PastBuffer buffer) {
        buffer.free();
        buffers.remove(buffer);
    }

    /** A slot was closed. */
    void close(int slot) {
        for (PastBuffer buffer : List.copyOf(buffers)) {
            if (buffer.holds(slot)) {
                buffer.forget(slot);
                if (buffer.idle()) {
                    drop(buffer);
                }
            }
        }
    }

    /** Blocks were written otherwise than by a run: everything is gathered anew. */
    void clear() {
        buffers.forEach(PastBuffer::clear);
    }

    private static int powerOfTwo(int n) {
        return n <= 1 ? 1 : Integer.highestOneBit(n - 1) << 1;
    }

    @Override
    public void close() {
        buffers.forEach(PastBuffer::free);
        buffers.clear();
    }
}
