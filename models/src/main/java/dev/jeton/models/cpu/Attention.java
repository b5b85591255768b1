package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.AttentionKernels.SEGMENT;
import static dev.jeton.models.vector.VectorMath.LANES;

import dev.jeton.models.vector.VectorMath;
import java.lang.foreign.SegmentAllocator;
import java.util.Arrays;

/**
 * Attention of a few queries of one sequence and one key head over its blocks, read in place.
 *
 * <p>Softmax with a running maximum (Milakov, Gimelshein: Online normalizer calculation for softmax), by segments of
 * {@value AttentionKernels#SEGMENT} tokens that are absolute: token t is always in segment t / 256. For each segment:
 * scores of all queries; the new maximum; the former sum and output scaled by e^(old - new); exponents, added lane by
 * lane; values added token by token.
 *
 * <p><b>Same bits however queries are grouped.</b> A score is one chain over the head's elements. A query's maximum,
 * sum and output depend on the tokens it may see alone: tokens that only other queries of its group see have score
 * minus infinity, so weight zero, and adding zero changes no sum. Blocks are visited in order of position, so where
 * they lie does not matter. A context is never split between threads.
 *
 * <p>Scratch of one thread; queries in groups of at most {@value #GROUP} (positions times the heads that share a key
 * head), so that a key or value that was read serves them all.
 *
 * <p>Keys and values of BF16 are widened, a vector of tokens' keys or some tokens' values at a time, into scratch that
 * stays in the first cache, and go through the same loops: their bits are those that F32 of the same numbers would
 * give. Where {@link NativeKernels} are there, they do so without the scratch.
 */
final class Attention {

    /** Queries computed together. */
    static final int GROUP = 8;

    /** Tokens whose values are widened at a time. */
    private static final int WIDENED = 16;

    private final float cap;
    private final int keyDim;
    private final int valueDim;
    private final int width;
    private final float[] query;
    private final float[] scores = new float[GROUP * SEGMENT];
    private final float[] out;
    private final float[] sums = new float[GROUP * LANES];
    private final float[] maxima = new float[GROUP];
    private final int[] low = new int[GROUP];
    private final int[] high = new int[GROUP];
    private final float[] lanes = new float[LANES];
    private final boolean natively;
    private final int pairedWidth;
    private final long widened;

    Attention(HeadWidths widths, SegmentAllocator memory) {
        this(widths, 0, NativeKernels.ATTENTION, memory);
    }

    /**
     * The same.
     *
     * @param cap the c where scores s become c tanh(s / c); 0 for none
     * @param natively whether BF16 is left to the kernels in C, which must be there
     */
    Attention(HeadWidths widths, float cap, boolean natively, SegmentAllocator memory) {
        this.cap = cap;
        this.natively = natively;
        keyDim = widths.key();
        valueDim = widths.value();
        pairedWidth = KvArena.pairedWidth(valueDim);
        widened = memory.allocate(4L * Math.max(WIDENED * pairedWidth, LANES * keyDim), 64)
                .address();
        this.width = KvArena.width(valueDim);
        this.query = new float[GROUP * keyDim];
        this.out = new float[GROUP * width];
    }

    /**
     * Computes {@code count} positions of a row for all query heads of one key head.
     *
     * @param kv blocks of the layer's group
     * @param layer of the group
     * @param head key head
     * @param table block ids, the row's first at {@code tableAt}
     * @param position of the first query
     * @param queries rows of rotated, scaled queries, the first at {@code queryAt}, {@code queryStride} apart
     * @param heads query heads per key head
     * @param sinks by query head, the first at {@code sinkAt}: a logit beside those of the tokens; empty for none
     * @param result rows of outputs, the first at {@code resultAt}, {@code resultStride} apart
     */
    void compute(
            KvArena kv,
            int layer,
            int head,
            int[] table,
            int tableAt,
            int position,
            int count,
            float[] queries,
            int queryAt,
            int queryStride,
            int heads,
            float[] sinks,
            int sinkAt,
            float[] result,
            int resultAt,
            int resultStride) {
        int window = kv.group().window();
        int all = count * heads;
        for (int first = 0; first < all; first += GROUP) {
            int size = Math.min(GROUP, all - first);
            Arrays.fill(sums, 0);
            Arrays.fill(out, 0);
            for (int j = 0; j < size; j++) {
                int p = (first + j) / heads;
                int at = queryAt + p * queryStride + (first + j) % heads * keyDim;
                System.arraycopy(queries, at, query, j * keyDim, keyDim);
                high[j] = position + p;
                low[j] = window == 0 ? 0 : Math.max(0, high[j] - window + 1);
                begin(j, sinks.length == 0 ? Float.NEGATIVE_INFINITY : sinks[sinkAt + (first + j) % heads]);
            }
            group(kv, layer, head, table, tableAt, size);
            for (int j = 0; j < size; j++) {
                int p = (first + j) / heads;
                int at = resultAt + p * resultStride + (first + j) % heads * valueDim;
                System.arraycopy(out, j * width, result, at, valueDim);
            }
        }
    }

    /** A softmax without tokens yet, in which a sink stands for one with a value of zero. */
    private void begin(int j, float sink) {
        maxima[j] = sink;
        sums[j * LANES] = sink > Float.NEGATIVE_INFINITY ? 1 : 0;
    }

    private void group(KvArena kv, int layer, int head, int[] table, int tableAt, int size) {
        int from = low[0] / LANES * LANES;
        int end = high[size - 1] + 1;
        while (from < end) {
            int base = from / SEGMENT * SEGMENT;
            int to = Math.min(end, base + SEGMENT);
            int padded = VectorMath.padded(to);
            takeScores(kv, layer, head, table, tableAt, size, base, from, padded);
            for (int j = 0; j < size; j++) {
                takeWeights(j, base, from, padded);
            }
            addValues(kv, layer, head, table, tableAt, size, base, Math.max(from, low[0]), to);
            from = base + SEGMENT;
        }
        for (int j = 0; j < size; j++) {
            System.arraycopy(sums, j * LANES, lanes, 0, LANES);
            AttentionKernels.scale(out, j * width, width, 1 / VectorMath.sumTree(lanes, 0, LANES));
        }
    }

    private void takeScores(
            KvArena kv, int layer, int head, int[] table, int tableAt, int size, int base, int from, int to) {
        boolean words = kv.type() == KvArena.Type.BF16;
        if (words && natively) {
            NativeKernels.scores(kv, layer, head, table, tableAt, from, to, keyDim, query, size, scores, from - base);
            return;
        }
        int blockSize = kv.group().blockSize();
        long step = words ? 4L * LANES : 4L * blockSize;
        for (int t = from; t < to; t += LANES) {
            if (t == from || t % blockSize == 0) {
                readKeys(kv, layer, head, table, tableAt, t - t % blockSize + blockSize, to);
            }
            long at = kv.keys(table[tableAt + t / blockSize], layer, head) + 4L * (t % blockSize);
            if (words) {
                AttentionKernels.widenKeys(at, 4L * blockSize, keyDim, widened);
                at = widened;
            }
            if (size == 1) {
                AttentionKernels.scores1(at, step, query, keyDim, scores, t - base);
            } else if (size <= 4) {
                AttentionKernels.scores4(at, step, query, keyDim, scores, t - base);
            } else {
                AttentionKernels.scores8(at, step, query, keyDim, scores, t - base);
            }
        }
    }

    /** Asks memory for the keys of the block of a token, if it is before {@code to}. */
    private static void readKeys(KvArena kv, int layer, int head, int[] table, int tableAt, int token, int to) {
        if (Prefetch.AVAILABLE && token < to) {
            long at = kv.keys(table[tableAt + token / kv.group().blockSize()], layer, head);
            Prefetch.lines(at, at + kv.headKeyBytes());
        }
    }

    /** The same for values. */
    private static void readValues(KvArena kv, int layer, int head, int[] table, int tableAt, int token, int to) {
        if (Prefetch.AVAILABLE && token < to) {
            long at = kv.values(table[tableAt + token / kv.group().blockSize()], layer, head);
            Prefetch.lines(at, at + kv.headValueBytes());
        }
    }

    /** Turns scores of query {@code j} into weights and brings its sum and output up to the new maximum. */
    private void takeWeights(int j, int base, int from, int to) {
        int at = j * SEGMENT - base;
        if (high[j] < from || low[j] >= to) {
            Arrays.fill(scores, at + from, at + to, 0);
            return;
        }
        if (cap > 0) {
            RowKernels.cap(scores, at + from, to - from, cap);
        }
        AttentionKernels.mask(scores, at, from, to, low[j], high[j]);
        float before = maxima[j];
        float max = Math.max(before, AttentionKernels.max(scores, at, from, to));
        if (max > before) {
            if (before > Float.NEGATIVE_INFINITY) {
                float factor = AttentionKernels.exponent(before - max);
                AttentionKernels.scale(sums, j * LANES, LANES, factor);
                AttentionKernels.scale(out, j * width, width, factor);
            }
            maxima[j] = max;
        }
        AttentionKernels.exponents(scores, at, from, to, max, sums, j * LANES);
    }

    private void addValues(
            KvArena kv, int layer, int head, int[] table, int tableAt, int size, int base, int from, int to) {
        boolean words = kv.type() == KvArena.Type.BF16;
        if (words && natively) {
            NativeKernels.values(kv, layer, head, table, tableAt, from, to, scores, from - base, size, out, width);
            return;
        }
        readValues(kv, layer, head, table, tableAt, from, to);
        int blockSize = kv.group().blockSize();
        long step = 4L * (words ? pairedWidth : width);
        for (int t = from; t < to; ) {
            int inBlock = t % blockSize;
            if (inBlock == 0 || t == from) {
                readValues(kv, layer, head, table, tableAt, t - inBlock + blockSize, to);
            }
            int count = Math.min(words ? Math.min(blockSize - inBlock, WIDENED) : blockSize - inBlock, to - t);
            long at = kv.values(table[tableAt + t / blockSize], layer, head) + (long) kv.tokenBytes() * inBlock;
            if (words) {
                AttentionKernels.widenValues(at, count * (pairedWidth / (2 * LANES)), widened);
                at = widened;
            }
            for (int d = 0; d < width; d += 4 * LANES) {
                int vectors = Math.min(4, (width - d) / LANES);
                for (int j = 0; j < size; j += 4) {
                    values(at + 4L * d, step, size == 1, vectors, j * SEGMENT + t - base, count, j * width + d);
                }
            }
            t += count;
        }
    }

    private void values(long at, long step, boolean single, int vectors, int from, int count, int to) {
        if (single) {
            switch (vectors) {
                case 1 -> AttentionKernels.values1x1(at, step, scores, from, count, out, to, width);
                case 2 -> AttentionKernels.values1x2(at, step, scores, from, count, out, to, width);
                case 3 -> AttentionKernels.values1x3(at, step, scores, from, count, out, to, width);
                default -> AttentionKernels.values1x4(at, step, scores, from, count, out, to, width);
            }
        } else {
            switch (vectors) {
                case 1 -> AttentionKernels.values4x1(at, step, scores, from, count, out, to, width);
                case 2 -> AttentionKernels.values4x2(at, step, scores, from, count, out, to, width);
                case 3 -> AttentionKernels.values4x3(at, step, scores, from, count, out, to, width);
                default -> AttentionKernels.values4x4(at, step, scores, from, count, out, to, width);
            }
        }
    }
}
