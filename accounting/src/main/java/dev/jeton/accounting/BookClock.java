package dev.jeton.accounting;

import java.util.function.LongSupplier;

/**
 * The books' time: one monotonic clock, and what it means on the wall, anchored once. So the books' time never steps
 * back or jumps within a run, whatever is done to the machine's clock; a run of a month may differ from it by what the
 * two drift apart.
 */
public final class BookClock {

    private static final long NANOS_PER_MICRO = 1_000;

    private final LongSupplier monotonic;
    private final long anchorNanos;
    private final long anchorMicros;

    /**
     * Anchors the clock.
     *
     * @param monotonic nanoseconds, the clock of steps
     * @param wallMicros microseconds since 1970
     */
    public BookClock(LongSupplier monotonic, LongSupplier wallMicros) {
        this.monotonic = monotonic;
        anchorNanos = monotonic.getAsLong();
        anchorMicros = wallMicros.getAsLong();
    }

    /** Now, on the monotonic clock. */
    public long nanos() {
        return monotonic.getAsLong();
    }

    /** Now, in microseconds since 1970. */
    public long micros() {
        return micros(nanos());
    }

    /** A stamp of the monotonic clock in microseconds since 1970. */
    public long micros(long nanos) {
        return anchorMicros + Math.floorDiv(nanos - anchorNanos, NANOS_PER_MICRO);
    }
}
