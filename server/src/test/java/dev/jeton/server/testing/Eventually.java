package dev.jeton.server.testing;

import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Waits for what other threads bring about. */
public final class Eventually {

    private static final long LIMIT_NANOS = 30_000_000_000L;
    private static final long PAUSE_NANOS = 2_000_000L;

    private Eventually() {}

    /** Returns once {@code condition} holds; fails if it does not come to. */
    public static void until(String what, BooleanSupplier condition) {
        long start = System.nanoTime();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - start > LIMIT_NANOS) {
                throw new AssertionError("did not come about: " + what);
            }
            // A look is a request to a server that wants the processor for itself.
            LockSupport.parkNanos(PAUSE_NANOS);
        }
    }
}
