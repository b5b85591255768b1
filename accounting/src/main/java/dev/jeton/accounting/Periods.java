package dev.jeton.accounting;

import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Which hours are frozen, and where what is about them is booked instead. Hours, days and months are of UTC. */
final class Periods {

    /** Microseconds of an hour. */
    static final long HOUR = TimeUnit.HOURS.toMicros(1);

    /**
     * Where something is booked.
     *
     * @param hour first microsecond of the hour
     * @param corrects the frozen period that it is about; empty where the hour is its own
     */
    record Booking(long hour, String corrects) {}

    private final Map<String, Long> closed;

    /** With the closed periods and when each was closed, in microseconds. */
    Periods(Map<String, Long> closed) {
        this.closed = Map.copyOf(closed);
    }

    /** First microsecond of the hour of a moment. */
    static long hour(long at) {
        return Math.floorDiv(at, HOUR) * HOUR;
    }

    boolean isClosed(String period) {
        return closed.containsKey(period);
    }

    /** Where to book what happened at a moment: its own hour, or the first open one since its period was closed. */
    Booking book(long at) {
        long hour = hour(at);
        if (closed.isEmpty()) {
            return new Booking(hour, "");
        }
        String about = frozenBy(hour);
        long open = hour;
        String frozen = about;
        while (!frozen.isEmpty()) {
            // At least the end of the period: one may be closed by a clock that is behind.
            open = Math.max(
                    hour(closed.getOrDefault(frozen, 0L)), Period.named(frozen).until());
            frozen = frozenBy(open);
        }
        return new Booking(open, about);
    }

    /** The closed month or day that an hour is in; empty for none. A month goes before its days. */
    private String frozenBy(long hour) {
        String month = Period.month(hour);
        if (closed.containsKey(month)) {
            return month;
        }
        String day = Period.day(hour);
        return closed.containsKey(day) ? day : "";
    }
}
