package dev.jeton.models.cpu;

import static dev.jeton.models.vector.VectorMath.LANES;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Delta;
import dev.jeton.models.cpu.DecoderWeights.DeltaWeights;
import dev.jeton.models.rows.StepRows;
import dev.jeton.models.vector.VectorMath;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Layers of linear attention of a {@link DecoderStep} ({@link Delta}), between the multiplication of the layer's input
 * and the one that takes what is given: one phase, whose tiles are a value head of a row, all its tokens one after the
 * other. So what a token gets does not hang on how its prompt was cut, or on what else is in the step.
 *
 * <p>Heads of q and k that several value heads share are computed by each of these: a twentieth of what the matrices
 * take.
 *
 * <p>Owned by the step; tiles write disjoint parts.
 */
final class DeltaLayers {

    /** What a thread has of the head at hand, of whole vectors: q, k and v one after the other. */
    private static final class Scratch {
        final float[] window;
        final float[] x;
        final float[] out;
        final float[] z;
        final float[] lanes = new float[LANES];

        Scratch(int taps, int width, int values) {
            window = new float[taps * width];
            x = new float[width];
            out = new float[values];
            z = new float[values];
        }
    }

    private final Delta delta;
    private final float epsilon;
    private final float queryFactor;
    private final DecoderWeights weights;
    private final StepRows batch;
    private final DeltaStates states;
    private final float[] projected;
    private final int stride;
    private final float[] given;
    private final int keys;
    private final int values;
    private final int width;
    private final int[] place;
    private final boolean[] readsSecond;
    private final Scratch[] scratch;

    /** @param projected what the multiplication of a layer's input gives: {@code [token][stride]} */
    DeltaLayers(
            DecoderSpec spec,
            DecoderWeights weights,
            DeltaStates states,
            StepRows batch,
            float[] projected,
            int stride,
            int maxTokens,
            int threads) {
        delta = spec.delta();
        epsilon = (float) spec.normEpsilon();
        queryFactor = (float) (1 / Math.sqrt(delta.keyWidth()));
        this.weights = weights;
        this.states = states;
        this.batch = batch;
        this.projected = projected;
        this.stride = stride;
        given = new float[(maxTokens + MatMul.SPARE_ROWS) * delta.valuesWidth()];
        keys = VectorMath.padded(delta.keyWidth());
        values = VectorMath.padded(delta.valueWidth());
        width = 2 * keys + values;
        place = new int[spec.layers()];
        int before = 0;
        for (int i = 0; i < place.length; i++) {
            place[i] = delta.in(i) ? before++ : -1;
        }
        readsSecond = new boolean[batch.slot.length];
        scratch = new Scratch[threads];
        Arrays.setAll(scratch, i -> new Scratch(delta.taps(), width, values));
    }

    /** What is given: {@code [token][valuesWidth]}. */
    float[] given() {
        return given;
    }

    /** Begins a step. */
    void begin() {
        for (int row = 0; row < batch.rows; row++) {
            readsSecond[row] = states.turn(batch.slot[row]);
        }
    }

    /** How many tiles each layer has. */
    int tiles() {
        return batch.rows * delta.valueHeads();
    }

    /** Computes a value head of a row. */
    void tile(int layer, int tile, int member) {
        int row = tile / delta.valueHeads();
        int head = tile % delta.valueHeads();
        int slot = batch.slot[row];
        Scratch own = scratch[member];
        DeltaWeights of = weights.layer(layer).delta().orElseThrow();
        boolean first = batch.position[row] == 0;
        long matrix = states.matrix(slot, place[layer], head);
        if (first) {
            NativeMemory.ALL.asSlice(matrix, 4L * delta.keyWidth() * values).fill((byte) 0);
        }
        remember(states.past(slot, place[layer], readsSecond[row]), first, head, own.window);
        int oldest = delta.taps() - 1;
        for (int t = batch.inputStart[row]; t < batch.inputStart[row + 1]; t++) {
            bring(t * stride, head, own.window, oldest * width);
            oldest = oldest + 1 < delta.taps() ? oldest + 1 : 0;
            token(of, t, head, oldest, matrix, own);
        }
        keep(states.past(slot, place[layer], !readsSecond[row]), head, own.window, oldest);
    }

    private void token(DeltaWeights of, int token, int head, int oldest, long matrix, Scratch own) {
        int taps = delta.taps();
        DeltaKernels.convolve(of.convolution(), head * taps * width, own.window, oldest, taps, width, own.x);
        DeltaKernels.unit(own.x, 0, delta.keyWidth(), Delta.LENGTH_EPSILON, queryFactor);
        DeltaKernels.unit(own.x, keys, delta.keyWidth(), Delta.LENGTH_EPSILON, 1);
        int rates = token * stride + delta.channels() + delta.valuesWidth();
        double rate = 1 / (1 + Math.exp(-projected[rates + head]));
        double step = projected[rates + delta.valueHeads() + head] + of.stepBias()[head];
        double decay = Math.exp(of.decay()[head] * softplus(step));
        DeltaKernels.update(
                matrix, delta.keyWidth(), values, own.x, 0, keys, 2 * keys, (float) decay, (float) rate, own.out);
        int gate = token * stride + delta.channels() + head * delta.valueWidth();
        System.arraycopy(projected, gate, own.z, 0, delta.valueWidth());
        DeltaKernels.gatedNorm(own.out, delta.valueWidth(), values, epsilon, of.norm(), own.z, own.lanes);
        int to = token * delta.valuesWidth() + head * delta.valueWidth();
        System.arraycopy(own.out, 0, given, to, delta.valueWidth());
    }

    /** log(1 + e^x), which is x where that is all that a float tells. */
    private static double softplus(double x) {
        return x > 20 ? x : Math.log1p(Math.exp(x));
    }

    /** The projections of the tokens before the step, in the first rows of the window. */
    private void remember(long past, boolean none, int head, float[] window) {
        int before = delta.taps() - 1;
        if (none) {
            Arrays.fill(window, 0, before * width, 0);
            return;
        }
        for (int i = 0; i < before; i++) {
            long from = past + 4L * i * delta.channels();
            int to = i * width;
            fetch(from + 4L * queryAt(head), window, to, delta.keyWidth());
            fetch(from + 4L * keyAt(head), window, to + keys, delta.keyWidth());
            fetch(from + 4L * valueAt(head), window, to + 2 * keys, delta.valueWidth());
        }
    }

    /** The projection of a token of the step. */
    private void bring(int from, int head, float[] window, int to) {
        System.arraycopy(projected, from + queryAt(head), window, to, delta.keyWidth());
        System.arraycopy(projected, from + keyAt(head), window, to + keys, delta.keyWidth());
        System.arraycopy(projected, from + valueAt(head), window, to + 2 * keys, delta.valueWidth());
    }

    /** Keeps the projections of the last tokens; the first of the value heads that share a key head keeps its part. */
    private void keep(long past, int head, float[] window, int oldest) {
        boolean ofKeys = delta.isFirst(head);
        for (int i = 0; i < delta.taps() - 1; i++) {
            int from = (oldest + 1 + i) % delta.taps() * width;
            long to = past + 4L * i * delta.channels();
            if (ofKeys) {
                store(window, from, to + 4L * queryAt(head), delta.keyWidth());
                store(window, from + keys, to + 4L * keyAt(head), delta.keyWidth());
            }
            store(window, from + 2 * keys, to + 4L * valueAt(head), delta.valueWidth());
        }
    }

    private int queryAt(int head) {
        return delta.keyHead(head) * delta.keyWidth();
    }

    private int keyAt(int head) {
        return delta.keysWidth() + queryAt(head);
    }

    private int valueAt(int head) {
        return 2 * delta.keysWidth() + head * delta.valueWidth();
    }

    private static void fetch(long from, float[] to, int at, int count) {
        MemorySegment.copy(NativeMemory.ALL, ValueLayout.JAVA_FLOAT_UNALIGNED, from, to, at, count);
    }

    private static void store(float[] from, int at, long to, int count) {
        MemorySegment.copy(from, at, NativeMemory.ALL, ValueLayout.JAVA_FLOAT_UNALIGNED, to, count);
    }
}
