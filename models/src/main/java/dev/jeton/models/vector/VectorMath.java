package dev.jeton.models.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Elementary functions on vectors of floats.
 *
 * <p>Every function is a fixed sequence of correctly rounded IEEE operations on each lane, so a value's result depends
 * neither on the vector's length nor on the lane, nor on whether the code is interpreted or compiled. Reductions across
 * lanes go through memory in a fixed order: the Vector API's own floating-point reductions promise none.
 */
public final class VectorMath {

    /** The machine's widest vector of floats. */
    public static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;

    /** As many ints as {@link #FLOATS} has floats. */
    public static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;

    /** Lanes of {@link #FLOATS}. */
    public static final int LANES = FLOATS.length();

    private static final float LOG2_E = 1.44269504f;
    /** 1.5 * 2^23: adding it leaves the nearest integer in the low bits of the mantissa. */
    private static final float ROUND = 12_582_912f;

    private static final float LN2_HIGH = 0.693359375f;
    private static final float LN2_LOW = -2.12194440e-4f;
    private static final float SQRT_2_OVER_PI = 0.7978845608f;
    private static final float LEAST = -87.3f;
    private static final float MOST = 88.3f;

    private VectorMath() {}

    /**
     * e^x with a relative error below 2e-7; 0 below -87.3, e^88.3 above 88.3, NaN for NaN, exactly 1 for 0.
     *
     * <p>Cephes expf: x = n ln 2 + r, a polynomial of degree 6 in r, times 2^n by adding n to the exponent.
     */
    public static FloatVector exp(FloatVector x) {
        FloatVector bounded = x.blend(MOST, x.compare(VectorOperators.GT, MOST));
        FloatVector shifted = bounded.fma(FloatVector.broadcast(FLOATS, LOG2_E), FloatVector.broadcast(FLOATS, ROUND));
        FloatVector n = shifted.sub(ROUND);
        FloatVector r = n.fma(FloatVector.broadcast(FLOATS, -LN2_HIGH), bounded);
        r = n.fma(FloatVector.broadcast(FLOATS, -LN2_LOW), r);
        FloatVector p =
                r.fma(FloatVector.broadcast(FLOATS, 1.9875691500e-4f), FloatVector.broadcast(FLOATS, 1.3981999507e-3f));
        p = p.fma(r, FloatVector.broadcast(FLOATS, 8.3334519073e-3f));
        p = p.fma(r, FloatVector.broadcast(FLOATS, 4.1665795894e-2f));
        p = p.fma(r, FloatVector.broadcast(FLOATS, 1.6666665459e-1f));
        p = p.fma(r, FloatVector.broadcast(FLOATS, 5.0000001201e-1f));
        p = p.fma(r.mul(r), r).add(1f);
        IntVector exponent = shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
        FloatVector result = p.reinterpretAsInts().add(exponent).reinterpretAsFloats();
        VectorMask<Float> under = x.compare(VectorOperators.LT, LEAST);
        return result.blend(0f, under);
    }

    /** x / (1 + e^-x), the activation of the supported families. */
    public static FloatVector silu(FloatVector x) {
        return x.div(exp(x.neg()).add(1f));
    }

    /** x (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x / (1 + e^-2u). */
    public static FloatVector geluTanh(FloatVector x) {
        FloatVector cubic = x.mul(x).mul(0.044715f).fma(x, x);
        return x.div(exp(cubic.mul(-2 * SQRT_2_OVER_PI)).add(1f));
    }

    /**
     * The hyperbolic tangent with an error below 2e-7 relative.
     *
     * <p>Cephes tanhf: a polynomial of x^2 below 0.625, 1 - 2 / (e^2|x| + 1) with the sign of x above.
     */
    public static FloatVector tanh(FloatVector x) {
        FloatVector size = x.abs();
        FloatVector z = x.mul(x);
        FloatVector p = z.fma(
                FloatVector.broadcast(FLOATS, -5.70498872745e-3f), FloatVector.broadcast(FLOATS, 2.06390887954e-2f));
        p = p.fma(z, FloatVector.broadcast(FLOATS, -5.37397155531e-2f));
        p = p.fma(z, FloatVector.broadcast(FLOATS, 1.33314422036e-1f));
        p = p.fma(z, FloatVector.broadcast(FLOATS, -3.33332819422e-1f));
        FloatVector near = p.mul(z).fma(x, x);
        FloatVector far = FloatVector.broadcast(FLOATS, 1f)
                .sub(FloatVector.broadcast(FLOATS, 2f).div(exp(size.add(size)).add(1f)));
        FloatVector signed = far.blend(far.neg(), x.compare(VectorOperators.LT, 0f));
        return signed.blend(near, size.compare(VectorOperators.LT, 0.625f));
    }

    /** So many floats rounded up to whole vectors. */
    public static int padded(int count) {
        return (count + LANES - 1) / LANES * LANES;
    }

    /** Sum of {@code count} floats (a power of two) from {@code from} on, by halves: the tree is always the same. */
    public static float sumTree(float[] values, int from, int count) {
        for (int half = count / 2; half >= 1; half /= 2) {
            for (int i = 0; i < half; i++) {
                values[from + i] += values[from + i + half];
            }
        }
        return values[from];
    }
}
