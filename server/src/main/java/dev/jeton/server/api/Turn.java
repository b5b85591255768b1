package dev.jeton.server.api;

import java.util.Optional;

/**
 * What a stored response adds to its conversation: the items that came in and those that went out, as JSON arrays. What
 * went before is shared with the responses that went before. Only {@link ResponseStore} reads and writes how many hold
 * it, under its lock.
 */
final class Turn {

    /** What one takes beside its items, about. */
    private static final int OVERHEAD = 256;

    private final Optional<Turn> before;
    private final byte[] input;
    private final byte[] output;
    private final long whole;
    int held;

    /**
     * @param before the turn that it goes on from
     * @param input items that came in, a JSON array
     * @param output items that went out, a JSON array
     */
    Turn(Optional<Turn> before, byte[] input, byte[] output) {
        this.before = before;
        this.input = input;
        this.output = output;
        whole = bytes() + before.map(Turn::whole).orElse(0L);
    }

    Optional<Turn> before() {
        return before;
    }

    byte[] input() {
        return input;
    }

    byte[] output() {
        return output;
    }

    /** Bytes of it alone. */
    long bytes() {
        return OVERHEAD + input.length + output.length;
    }

    /** Bytes of it and of all that went before. */
    long whole() {
        return whole;
    }
}
