package dev.jeton.benchmarks.demo;

/**
 * A part of the training with a learning-rate curve and a mixture of its own.
 *
 * @param steps optimiser steps
 * @param peakRate learning rate after the warm-up
 * @param arithmetic share of the exchanges that are arithmetic, 0 to 1
 */
public record Stage(int steps, float peakRate, double arithmetic) {
    private static final int LONGEST_WARM_UP = 150;
    private static final float FLOOR = 0.03f;

    public Stage {
        if (steps < 1 || steps > 1_000_000) {
            throw new IllegalArgumentException("steps must be 1 to 1,000,000, not " + steps);
        }
    }

    /** Linear warm-up, then half a cosine down to a small share of the peak. */
    public float rate(int step) {
        int warmUp = Math.clamp(steps / 10, 1, LONGEST_WARM_UP);
        if (step < warmUp) {
            return peakRate * (step + 1) / warmUp;
        }
        double progress = (step - warmUp) / (double) Math.max(1, steps - warmUp);
        return (float) (peakRate * (FLOOR + (1 - FLOOR) * 0.5 * (1 + Math.cos(Math.PI * progress))));
    }
}
