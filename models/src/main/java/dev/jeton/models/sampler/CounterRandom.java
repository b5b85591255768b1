package dev.jeton.models.sampler;

/**
 * Randomness without state: draw k of a seed is a hash of the two, so a sequence that is preempted, moved or recomputed
 * goes on with the very draws it would have had.
 *
 * <p>The hash is SplitMix64's finaliser (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators), applied
 * to the counter and again with the seed.
 */
public final class CounterRandom {

    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    private CounterRandom() {}

    /** A number in [0, 1) with 53 random bits. */
    public static double uniform(long seed, long counter) {
        return (mix(mix(counter * GOLDEN + 1) ^ mix(seed + GOLDEN)) >>> 11) * 0x1p-53;
    }

    private static long mix(long value) {
        long z = value;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
