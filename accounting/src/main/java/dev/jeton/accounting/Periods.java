package dev.jeton.accounting;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** Which hours are frozen or have other prices, and where what is about them is booked instead. Hours, days and months are of UTC. */
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

    /**
     * Other prices for a time.
     *
     * @param node whose journal says so
     * @param sequence the fact there
     * @param at when it was decided, in microseconds since 1970
     * @param priceBook version of the book
     */
    record Recost(String node, long sequence, long at, Period span, String priceBook) {

        /** The later decision is the greater; nodes that decide in the same moment are told apart by name. */
        static final Comparator<Recost> LAST =
                Comparator.comparingLong(Recost::at).thenComparing(Recost::node).thenComparingLong(Recost::sequence);
    }

    private final Map<String, Long> closed;
    private final List<Recost> recosts;

    /** With the closed periods and when each was closed, in microseconds, and what was decided on prices. */
    Periods(Map<String, Long> closed, List<Recost> recosts) {
        this.closed = Map.copyOf(closed);
        this.recosts = List.copyOf(recosts);
    }

    /** The prices that were decided for a window that began at a moment; empty where it has those in force then. */
    Optional<Recost> recost(long at) {
        return recosts.stream().filter(recost -> recost.span().contains(at)).max(Recost.LAST);
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
