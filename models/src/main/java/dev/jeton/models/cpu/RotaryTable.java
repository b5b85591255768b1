package dev.jeton.models.cpu;

import dev.jeton.models.Rotary;

/** Cosines and sines of the positions of a step's tokens, for the layers that are turned alike. */
final class RotaryTable {

    private final double[] frequencies;
    private final double factor;
    private final float[] cosines;
    private final float[] sines;

    RotaryTable(Rotary rotary, int maxTokens) {
        frequencies = rotary.frequencies();
        factor = rotary.attentionFactor();
        cosines = new float[maxTokens * frequencies.length];
        sines = new float[maxTokens * frequencies.length];
    }

    /** Takes the position of a token of the step. */
    void set(int token, int position) {
        int pairs = frequencies.length;
        for (int i = 0; i < pairs; i++) {
            double angle = position * frequencies[i];
            cosines[token * pairs + i] = (float) (Math.cos(angle) * factor);
            sines[token * pairs + i] = (float) (Math.sin(angle) * factor);
        }
    }

    /** Turns pairs of neighbours, all of them from {@code at} on, and multiplies by {@code scale}. */
    void rotatePairs(int token, float[] x, int at, float scale) {
        int pairs = frequencies.length;
        RowKernels.rotatePairs(x, at, pairs, cosines, sines, token * pairs, scale);
    }

    /** Turns what is turned of a head, and multiplies all of it by {@code scale}. */
    void rotate(int token, float[] x, int at, int headDim, float scale) {
        int pairs = frequencies.length;
        RowKernels.rotate(x, at, pairs, cosines, sines, token * pairs, scale);
        if (2 * pairs < headDim) {
            RowKernels.scale(x, at + 2 * pairs, headDim - 2 * pairs, scale);
        }
    }
}
