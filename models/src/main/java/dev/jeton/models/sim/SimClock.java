package dev.jeton.models.sim;

import java.util.function.LongSupplier;

/** A clock that stands still until it is moved; nanoseconds. Single-threaded. */
public final class SimClock implements LongSupplier {

    private long now;

    /** A clock that shows {@code start}. */
    public SimClock(long start) {
        now = start;
    }

    @Override
    public long getAsLong() {
        return now;
    }

    /** Moves on to {@code time}; the past is ignored. */
    public void advanceTo(long time) {
        now = Math.max(now, time);
    }

    /** Moves on by {@code nanos}. */
    public void advance(long nanos) {
        now += nanos;
    }
}
