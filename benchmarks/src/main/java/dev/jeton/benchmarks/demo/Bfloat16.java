package dev.jeton.benchmarks.demo;

/** Conversion between f32 and bf16 bits, done here because DJL's own bf16 type cannot be used on the CPU. */
public final class Bfloat16 {

    private Bfloat16() {}

    /** The nearest bf16, ties to even; a NaN stays a (quiet) NaN. */
    public static short fromFloat(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) ((bits >>> 16) | 0x40);
        }
        int roundingBias = 0x7fff + ((bits >>> 16) & 1);
        return (short) ((bits + roundingBias) >>> 16);
    }

    /** The exact f32 value of a bf16. */
    public static float toFloat(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }
}
