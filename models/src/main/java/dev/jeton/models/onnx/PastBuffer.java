package dev.jeton.models.onnx;

import dev.jeton.models.rows.HostMemory;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Keys and values of a run's rows as the graph takes them, {@code [rows, heads, tokens, elements]} a plane. A cache of
 * {@link KvPages}: what a row needs is there from the step before, or is gathered from its blocks.
 *
 * <p>A graph that appends in place (GroupQueryAttention) has one memory for past and present; a row's tokens begin at
 * 0. Of other graphs the present of a run is the past of the next, so there are two memories that change places; rows
 * are of one length then, shorter ones with zeros before their tokens, which the attention mask leaves out.
 *
 * <p>Owned by the engine's thread.
 */
final class PastBuffer {

    private final DecoderGraph graph;
    private MemorySegment past = MemorySegment.NULL;
    private MemorySegment present = MemorySegment.NULL;
    private int rowCapacity;
    private int tokenCapacity;
    /** Rows of the tensor, and tokens of each of its rows. */
    private int rows;

    private int stride;
    /** By place: the slot, which use of it, and how many of its tokens are there; -1 for none. */
    private int[] slot = new int[0];

    private long[] use = new long[0];
    private int[] length = new int[0];
    /** By place: which row of the run was found there. */
    private int[] kept = new int[0];

    /** When it was used last, as a count of runs. */
    long used;

    PastBuffer(DecoderGraph graph) {
        this.graph = graph;
    }

    /** Bytes of {@code rows} of {@code tokens}. */
    static long bytes(DecoderGraph graph, int rows, int tokens) {
        int memories = graph.shared() ? 1 : 2;
        return memories * graph.planes() * graph.headBytes() * graph.heads() * rows * tokens;
    }

    /** Bytes it has. */
    long bytes() {
        return past.byteSize() + (graph.shared() ? 0 : present.byteSize());
    }

    /** Tokens of a row in the tensor of the past. */
    int stride() {
        return stride;
    }

    /** Whether a row is here as it would be needed. */
    boolean has(Run run, int i) {
        return place(run, i) >= 0;
    }

    private int place(Run run, int i) {
        for (int place = 0; place < rows; place++) {
            if (slot[place] == run.slot[i]
                    && use[place] == run.use[i]
                    && (length[place] == run.length[i] || (graph.shared() && length[place] > run.length[i]))) {
                return place;
            }
        }
        return -1;
    }

    /** Whether a run fits in without moving the rows that are here. */
    private boolean fits(int count, int longest, int inputs) {
        if (count > rowCapacity) {
            return false;
        }
        if (graph.shared()) {
            return longest + inputs <= stride;
        }
        // rows that were longer may have gone: half of the tensor may be zeros, no more
        return longest <= stride && stride + inputs <= tokenCapacity && stride <= Math.max(2 * longest, longest + 32);
    }

    /**
     * Makes the run's rows its own, in places that {@link Run#at} says.
     *
     * @param rowRoom rows that there may be room for, at least the run's
     * @param tokenRoom tokens a row that there may be room for; at least those of the longest row and the inputs
     */
    void prepare(Run run, int inputs, KvPages pages, int rowRoom, int tokenRoom) {
        int longest = run.longest();
        if (!fits(run.count, longest, inputs)) {
            allocate(rowRoom, tokenRoom);
            stride = graph.shared() ? tokenCapacity : longest;
        }
        Arrays.fill(kept, -1);
        Arrays.fill(run.at, 0, run.count, -1);
        for (int i = 0; i < run.count; i++) {
            int place = place(run, i);
            if (place >= 0 && place < run.count) {
                kept[place] = i;
            }
        }
        boolean[] found = new boolean[run.count];
        for (int place = 0; place < run.count; place++) {
            if (kept[place] >= 0) {
                run.at[place] = kept[place];
                found[kept[place]] = true;
                length[place] = run.length[kept[place]];
            }
        }
        int hole = 0;
        for (int i = 0; i < run.count; i++) {
            if (!found[i]) {
                while (run.at[hole] >= 0) {
                    hole++;
                }
                run.at[hole] = i;
                gather(run, i, hole, pages);
            }
        }
        rows = run.count;
    }

    private void allocate(int rowRoom, int tokenRoom) {
        free();
        long bytes = bytes(graph, rowRoom, tokenRoom) / (graph.shared() ? 1 : 2);
        past = HostMemory.allocate(bytes, "past keys and values of a run");
        present = graph.shared() ? past : HostMemory.allocate(bytes, "present keys and values of a run");
        rowCapacity = rowRoom;
        tokenCapacity = tokenRoom;
        slot = new int[rowRoom];
        use = new long[rowRoom];
        length = new int[rowRoom];
        kept = new int[rowRoom];
    }

    private void gather(Run run, int i, int place, KvPages pages) {
        int count = run.length[i];
        int start = graph.shared() ? 0 : stride - count;
        for (int plane = 0; plane < graph.planes(); plane++) {
            for (int head = 0; head < graph.heads(); head++) {
                long at = offset(plane, place, head, stride);
                if (start > 0) {
                    past.asSlice(at, start * graph.headBytes()).fill((byte) 0);
                }
                pages.gather(plane, head, run.blocks, run.table[i], count, past, at + start * graph.headBytes());
            }
        }
        slot[place] = run.slot[i];
        use[place] = run.use[i];
        length[place] = count;
    }

    /** Where a row's head begins in a plane whose rows have {@code tokens}. */
    private long offset(int plane, int place, int head, int tokens) {
        long planeBytes = graph.headBytes() * graph.heads() * rowCapacity * tokenCapacity;
        return planeBytes * plane + ((long) place * graph.heads() + head) * tokens * graph.headBytes();
    }

    /** The past's tensor of a plane: {@code [rows, heads, stride(), elements]}. */
    MemorySegment past(int plane) {
        return tensor(past, plane, stride);
    }

    /** The present's: the same memory where it is shared, otherwise with the run's inputs appended. */
    MemorySegment present(int plane, int inputs) {
        return graph.shared() ? tensor(past, plane, stride) : tensor(present, plane, stride + inputs);
    }

    private MemorySegment tensor(MemorySegment memory, int plane, int tokens) {
        return memory.asSlice(offset(plane, 0, 0, tokens), graph.headBytes() * graph.heads() * rows * tokens);
    }

    /** Takes over what the graph appended: copies it into the rows' blocks, and is ready for the rows' next inputs. */
    void appended(Run run, int inputs, KvPages pages) {
        int tokens = graph.shared() ? stride : stride + inputs;
        MemorySegment memory = graph.shared() ? past : present;
        for (int place = 0; place < rows; place++) {
            int i = run.at[place];
            int first = run.length[i];
            long before = (graph.shared() ? first : stride) * graph.headBytes();
            for (int plane = 0; plane < graph.planes(); plane++) {
                for (int head = 0; head < graph.heads(); head++) {
                    pages.scatter(
                            plane,
                            head,
                            run.blocks,
                            run.table[i],
                            first,
                            first + inputs,
                            memory,
                            offset(plane, place, head, tokens) + before);
                }
            }
            length[place] = first + inputs;
        }
        if (!graph.shared()) {
            present = past;
            past = memory;
            stride += inputs;
        }
    }

    /** Whether a slot has a place here, of whatever use and length. */
    boolean holds(int wanted) {
        for (int place = 0; place < rows; place++) {
            if (slot[place] == wanted) {
                return true;
            }
        }
        return false;
    }

    /** Lets go of a slot's row: it goes on elsewhere. */
    void forget(int gone) {
        for (int place = 0; place < rows; place++) {
            if (slot[place] == gone) {
                length[place] = -1;
                slot[place] = -1;
            }
        }
    }

    /** Whether no slot has a place here any more. */
    boolean idle() {
        for (int place = 0; place < rows; place++) {
            if (slot[place] >= 0) {
                return false;
            }
        }
        return true;
    }

    /** Forgets all rows; the memory stays. */
    void clear() {
        rows = 0;
    }

    /** Gives the memory back. */
    void free() {
        if (past.byteSize() > 0) {
            HostMemory.free(past);
            if (!graph.shared()) {
                HostMemory.free(present);
            }
        }
        past = MemorySegment.NULL;
        present = MemorySegment.NULL;
        rows = 0;
        rowCapacity = 0;
        tokenCapacity = 0;
    }
}
