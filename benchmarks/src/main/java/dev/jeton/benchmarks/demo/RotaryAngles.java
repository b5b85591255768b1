package dev.jeton.benchmarks.demo;

/** The rotary position frequencies that training and evaluation share. */
final class RotaryAngles {

    private RotaryAngles() {}

    /**
     * Radians a position for one pair of components (RoFormer, section 3.2.2).
     *
     * @param pair index below half the head width
     */
    static double frequency(int pair, int headDim) {
        return Math.pow(ModelShape.ROPE_THETA, -2.0 * pair / headDim);
    }
}
