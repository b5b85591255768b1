package dev.jeton.benchmarks.demo;

/**
 * Sequences padded to one length, ready for a training step.
 *
 * @param rows number of sequences
 * @param length padded length in tokens
 * @param inputs token ids, row-major
 * @param targets the id that follows each input
 * @param weights loss weight of each target, zero for padding
 */
record Batch(int rows, int length, long[] inputs, long[] targets, float[] weights) {

    /** The sum of the loss weights, which the loss is divided by. */
    float weightSum() {
        double sum = 0;
        for (float weight : weights) {
            sum += weight;
        }
        return (float) sum;
    }

    /** Tokens computed, padding included. */
    int tokens() {
        return rows * length;
    }
}
