package dev.jeton.benchmarks.demo;

/**
 * How one model is trained.
 *
 * @param shape its dimensions
 * @param steps optimiser steps
 * @param tokensPerBatch tokens a step, padding included
 * @param peakRate learning rate after the warm-up
 * @param seed of the weights and of the order of samples
 */
public record Plan(ModelShape shape, int steps, int tokensPerBatch, float peakRate, long seed) {
    private static final int WARM_UP = 150;
    private static final float FLOOR = 0.03f;

    public Plan {
        if (steps < 1 || steps > 1_000_000) {
            throw new IllegalArgumentException("steps must be 1 to 1,000,000, not " + steps);
        }
    }

    /** Linear warm-up, then half a cosine down to a small share of the peak. */
    public float rate(int step) {
        if (step < WARM_UP) {
            return peakRate * (step + 1) / WARM_UP;
        }
        double progress = (step - WARM_UP) / (double) Math.max(1, steps - WARM_UP);
        return (float) (peakRate * (FLOOR + (1 - FLOOR) * 0.5 * (1 + Math.cos(Math.PI * progress))));
    }
}
