package dev.jeton.scheduler;

/**
 * Where a device group's time went. At any instant of one monotonic clock the group is in exactly one
 * {@link DeviceState}; every state is accumulated from spans with their own two stamps, none by subtraction, so that
 * the sum can be checked against clocks taken independently: {@link #imbalance} is 0 as long as spans follow one
 * another without gap or overlap.
 *
 * <p>Owned by the thread of the loop that records; nanoseconds.
 */
public final class DeviceTimeline {

    private final long start;
    private final long[] nanos = new long[DeviceState.values().length];

    /** A timeline that begins at {@code start}. */
    public DeviceTimeline(long start) {
        this.start = start;
    }

    /** Books the span from {@code from} to {@code to}. */
    public void record(DeviceState state, long from, long to) {
        assert to >= from : state + " ends " + (from - to) + " ns before it begins";
        nanos[state.ordinal()] += to - from;
    }

    /** Nanoseconds booked to a state. */
    public long nanos(DeviceState state) {
        return nanos[state.ordinal()];
    }

    /** Copies all states' nanoseconds, indexed by ordinal. */
    public void copyTo(long[] target) {
        System.arraycopy(nanos, 0, target, 0, nanos.length);
    }

    /** When the timeline began. */
    public long start() {
        return start;
    }

    /**
     * What is missing (positive) or booked twice (negative) if the timeline is complete up to {@code end}.
     *
     * @param end a stamp taken independently of the spans
     */
    public long imbalance(long end) {
        long sum = 0;
        for (long n : nanos) {
            sum += n;
        }
        return end - start - sum;
    }
}
