package dev.jeton.models.torch;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.rows.StepRows;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;

/**
 * How a step's rows attend, as numbers for {@link DecoderScript}: {@code a}, which steers the script, and {@code x},
 * which becomes index tensors.
 *
 * <p>{@code x}: the tokens, their positions, the places in the batch of those that get logits; then what the sections
 * name. {@code a}: tokens; logits; for each layer group where its section begins; the sections. A section: where in x
 * its slots begin, one a token (block times key heads, times block size, plus the place in the block), followed by the
 * blocks begun; how many those are; how many groups of queries; how many single rows; then for each group five numbers
 * (queries; entries; places, which is the most entries of a query; the first block where the entries' blocks are
 * neighbours, else -1; where in x it begins) and for each single row six (its first token; tokens; their position after
 * the first key; blocks, 0 where its own keys are all; the first block or -1; where in x the blocks begin).
 *
 * <p>A group in x: of each entry its block, the token and the number of its query, the first and the end of the places
 * in the block that the query sees; for each query and place the entry or the number of entries; the queries' tokens.
 *
 * <p>Owned by the engine's thread.
 */
final class StepPlan implements AutoCloseable {

    /** Rows of up to this many inputs are planned by groups. */
    static final int FEW = 8;

    /** Keys of a group are gathered into at most this many bytes, so that they are still cached when they are read. */
    private static final long GATHERED_BYTES = 8L << 20;

    private final List<LayerGroup> groups;
    private final int keyHeads;
    private final int mostEntries;
    private Arena arena = Arena.ofShared();
    private MemorySegment x = MemorySegment.NULL;
    private int size;
    private long[] a = new long[64];
    private int length;

    /** Queries of few inputs: blocks before, token; as keys that sort by the first. */
    private long[] queries = new long[16];

    private long[] entries = new long[64];

    StepPlan(DecoderSpec spec, List<LayerGroup> groups, TorchType type) {
        this.groups = List.copyOf(groups);
        keyHeads = spec.keyValueHeads();
        long entryBytes = (long) spec.keyValueWidth() * groups.getFirst().blockSize() * type.bytes();
        mostEntries = (int) Math.clamp(GATHERED_BYTES / entryBytes, 16, 1 << 16);
        grow(4096);
    }

    /** Plans a step. */
    void plan(StepRows rows) {
        size = 0;
        length = 0;
        add(rows.tokenCount);
        add(rows.logitCount);
        for (int g = 0; g < groups.size(); g++) {
            add(0);
        }
        put(rows.tokens, rows.tokenCount);
        put(rows.tokenPosition, rows.tokenCount);
        put(rows.logitToken, rows.logitCount);
        for (int g = 0; g < groups.size(); g++) {
            a[2 + g] = length;
            section(rows, g);
        }
    }

    /** The steering numbers of the step planned last. */
    long[] steering() {
        return Arrays.copyOf(a, length);
    }

    /** The index numbers of the step planned last: int64, valid until the next one is planned. */
    MemorySegment indices() {
        return x.asSlice(0, 8L * size);
    }

    private void section(StepRows rows, int g) {
        int at = length;
        add(size);
        add(0);
        add(0);
        add(0);
        slots(rows, g);
        a[at + 1] = begun(rows, g);
        a[at + 2] = groupsOfFew(rows, g);
        for (int row = 0; row < rows.rows; row++) {
            if (inputs(rows, row) > FEW) {
                single(rows, g, row);
                a[at + 3]++;
            }
        }
    }

    private static int inputs(StepRows rows, int row) {
        return rows.inputStart[row + 1] - rows.inputStart[row];
    }

    private static int block(StepRows rows, int g, int row, int index) {
        return rows.blocks[g][rows.tableStart[g][row] + index];
    }

    private void slots(StepRows rows, int g) {
        int blockSize = groups.get(g).blockSize();
        for (int t = 0; t < rows.tokenCount; t++) {
            int position = rows.tokenPosition[t];
            long block = block(rows, g, rows.tokenRow[t], position / blockSize);
            put(block * keyHeads * blockSize + position % blockSize);
        }
    }

    /**
     * Blocks whose first place is written in this step. They are cleared before: places not yet written are multiplied
     * by zero, which helps only against what is finite, and a block may come from a sequence whose values were not.
     */
    private int begun(StepRows rows, int g) {
        int blockSize = groups.get(g).blockSize();
        int count = 0;
        for (int t = 0; t < rows.tokenCount; t++) {
            if (rows.tokenPosition[t] % blockSize == 0) {
                put(block(rows, g, rows.tokenRow[t], rows.tokenPosition[t] / blockSize));
                count++;
            }
        }
        return count;
    }

    /** First position that a query at a position sees. */
    private int firstSeen(int g, int position) {
        int window = groups.get(g).window();
        return window == 0 ? 0 : Math.max(0, position - window + 1);
    }

    private int groupsOfFew(StepRows rows, int g) {
        int blockSize = groups.get(g).blockSize();
        int count = 0;
        for (int t = 0; t < rows.tokenCount; t++) {
            if (inputs(rows, rows.tokenRow[t]) <= FEW) {
                int position = rows.tokenPosition[t];
                int blocks = position / blockSize - firstSeen(g, position) / blockSize + 1;
                if (count == queries.length) {
                    queries = Arrays.copyOf(queries, 2 * count);
                }
                queries[count++] = (long) blocks << 32 | t;
            }
        }
        Arrays.sort(queries, 0, count);
        int made = 0;
        int from = 0;
        while (from < count) {
            int to = from;
            int total = 0;
            while (to < count && joins(to - from, total, (int) (queries[to] >>> 32))) {
                total += (int) (queries[to++] >>> 32);
            }
            group(rows, g, from, to, total);
            made++;
            from = to;
        }
        return made;
    }

    /** Whether a query of so many blocks, the most so far, goes with {@code total}: at most half is padding. */
    private boolean joins(int members, int total, int blocks) {
        return members == 0 || total + blocks <= mostEntries && (members + 1L) * blocks <= 2L * (total + blocks);
    }

    private void group(StepRows rows, int g, int from, int to, int total) {
        int blockSize = groups.get(g).blockSize();
        int places = (int) (queries[to - 1] >>> 32);
        if (entries.length < total) {
            entries = new long[2 * total];
        }
        int n = 0;
        for (int q = from; q < to; q++) {
            int t = (int) queries[q];
            int blocks = (int) (queries[q] >>> 32);
            int first = firstSeen(g, rows.tokenPosition[t]) / blockSize;
            for (int j = 0; j < blocks; j++) {
                long block = block(rows, g, rows.tokenRow[t], first + j);
                entries[n++] = block << 32 | (long) (q - from) * places + j;
            }
        }
        Arrays.sort(entries, 0, total);
        long firstBlock = entries[0] >>> 32;
        boolean neighbours = true;
        for (int i = 1; i < total && neighbours; i++) {
            neighbours = entries[i] >>> 32 == firstBlock + i;
        }
        add(to - from);
        add(total);
        add(places);
        add(neighbours ? firstBlock : -1);
        add(size);
        int members = to - from;
        int base = room(5 * total + members * places + members);
        int pads = base + 5 * total;
        for (int i = 0; i < members * places; i++) {
            set(pads + i, total);
        }
        for (int i = 0; i < total; i++) {
            int place = (int) entries[i];
            int t = (int) queries[from + place / places];
            int position = rows.tokenPosition[t];
            int seen = firstSeen(g, position);
            int blockStart = (seen / blockSize + place % places) * blockSize;
            set(base + i, entries[i] >>> 32);
            set(base + total + i, t);
            set(base + 2 * total + i, place / places);
            set(base + 3 * total + i, Math.max(0, seen - blockStart));
            set(base + 4 * total + i, Math.min(blockSize, position + 1 - blockStart));
            set(pads + place, i);
        }
        for (int q = 0; q < members; q++) {
            set(pads + members * places + q, (int) queries[from + q]);
        }
    }

    private void single(StepRows rows, int g, int row) {
        int blockSize = groups.get(g).blockSize();
        int start = rows.inputStart[row];
        int position = rows.position[row];
        int count = inputs(rows, row);
        int firstBlock = firstSeen(g, position) / blockSize;
        int blocks = position == 0 ? 0 : (position + count - 1) / blockSize - firstBlock + 1;
        boolean neighbours = true;
        for (int i = 1; i < blocks && neighbours; i++) {
            neighbours = block(rows, g, row, firstBlock + i) == block(rows, g, row, firstBlock) + i;
        }
        add(start);
        add(count);
        add(position - (long) firstBlock * blockSize);
        add(blocks);
        add(neighbours && blocks > 0 ? block(rows, g, row, firstBlock) : -1);
        add(size);
        for (int i = 0; i < blocks; i++) {
            put(block(rows, g, row, firstBlock + i));
        }
    }

    private void add(long number) {
        if (length == a.length) {
            a = Arrays.copyOf(a, 2 * length);
        }
        a[length++] = number;
    }

    private void put(int[] numbers, int count) {
        int base = room(count);
        for (int i = 0; i < count; i++) {
            set(base + i, numbers[i]);
        }
    }

    private void put(long number) {
        set(room(1), number);
    }

    private void set(int index, long number) {
        x.setAtIndex(ValueLayout.JAVA_LONG, index, number);
    }

    /** The index of the first of {@code count} new places. */
    private int room(int count) {
        int base = size;
        size = Math.addExact(base, count);
        if (8L * size > x.byteSize()) {
            grow(2 * size);
        }
        return base;
    }

    private void grow(int longs) {
        assert ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;
        Arena larger = Arena.ofShared();
        MemorySegment memory = larger.allocate(8L * longs, 8);
        MemorySegment.copy(x, 0, memory, 0, x.byteSize());
        arena.close();
        arena = larger;
        x = memory;
    }

    @Override
    public void close() {
        arena.close();
    }
}
