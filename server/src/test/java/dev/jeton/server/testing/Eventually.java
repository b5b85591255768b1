package dev.jeton.server.testing;

import java.util.function.BooleanSupplier;

/** Waits for what other threads bring about. */
public final class Eventually {

    private static final long LIMIT_NANOS = 20_000_000_000L;

    private Eventually() {}

    /** Returns once {@code condition} holds; fails if it does not come to. */
    public static void until(String what, BooleanSupplier condition) {
        long start = System.nanoTime();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - start > LIMIT_NANOS) {
                throw new AssertionError("did not come about: " + what);
            }
            Thread.yield();
        }
    }
}
