package dev.jeton.models.reference;

import java.util.stream.DoubleStream;

/** What values become in eight bits, written from the formats' definitions and independent of any engine. */
public final class EightBits {

    private EightBits() {}

    /**
     * The nearest of the values of e4m3 (up to 448, three bits of fraction, steps of 2^-9 below 2^-6), ties to even.
     */
    public static double e4m3(double value) {
        double magnitude = Math.min(448, Math.abs(value));
        double step = Math.scalb(1, Math.max(-6, magnitude == 0 ? -6 : Math.getExponent(magnitude)) - 3);
        return Math.copySign(Math.min(448, Math.rint(magnitude / step) * step), value);
    }

    /** The byte of a value that e4m3 has exactly. */
    public static byte e4m3Bits(double value) {
        double magnitude = Math.abs(value);
        int exponent = Math.max(-6, magnitude == 0 ? -6 : Math.getExponent(magnitude));
        int mantissa = (int) Math.round(magnitude / Math.scalb(1, exponent - 3));
        int bits = mantissa < 8 ? mantissa : (exponent + 7 << 3) + mantissa - 8;
        return (byte) (value < 0 ? bits | 128 : bits);
    }

    /** Values of e4m3 times one scale. */
    public static double[] e4m3(double[] values, double scale) {
        return DoubleStream.of(values).map(v -> e4m3(v / scale) * scale).toArray();
    }

    /** Values divided by the scale that brings the greatest to 448, in e4m3, and multiplied again. */
    public static double[] scaledE4m3(double[] values) {
        double scale = greatest(values) / 448;
        return scale == 0 ? values : e4m3(values, scale);
    }

    /** Integers to 127 times one scale. */
    public static double[] int8(double[] values) {
        double scale = greatest(values) / 127;
        return scale == 0
                ? values
                : DoubleStream.of(values).map(v -> Math.rint(v / scale) * scale).toArray();
    }

    private static double greatest(double[] values) {
        return DoubleStream.of(values).map(Math::abs).max().orElse(0);
    }
}
