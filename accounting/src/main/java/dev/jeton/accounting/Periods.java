package dev.jeton.accounting;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * Which hours are frozen or have other prices, and where what is about frozen ones is booked instead. Hours, days and
 * months are of UTC.
 */
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

    /**
     * A close and a node.
     *
     * @param period the closed one
     */
    record Seen(String period, String node) {}

    private final Map<String, Long> closed;
    private final Map<Seen, Long> taken;
    private final List<Recost> recosts;

    /**
     * With what was decided.
     *
     * @param closed when each period was closed, in microseconds
     * @param taken number of the newest fact of a node that the ledger had when a period was closed
     * @param recosts other prices
     */
    Periods(Map<String, Long> closed, Map<Seen, Long> taken, List<Recost> recosts) {
        this.closed = Map.copyOf(closed);
        this.taken = Map.copyOf(taken);
        this.recosts = List.copyOf(recosts);
    }

    /**
     * Whether the ledger had a node's fact when a period was closed: it counts there, though it comes again only now.
     */
    boolean had(String period, String node, long sequence) {
        return taken.getOrDefault(new Seen(period, node), 0L) >= sequence;
    }

    /** The closed periods that a moment is in: month, day, both or none. */
    List<String> closedAt(long at) {
        if (closed.isEmpty()) {
            return List.of();
        }
        return Stream.of(Period.month(hour(at)), Period.day(hour(at)))
                .filter(closed::containsKey)
                .toList();
    }

    /**
     * Where to book a node's fact about a moment: as {@link #book(long)}, but that closed periods keep what they had.
     */
    Booking book(long at, String node, long sequence) {
        return book(at, period -> closed.containsKey(period) && !had(period, node, sequence));
    }

    /** The prices that were decided for a window that began at a moment; empty where it has those in force then. */
    Optional<Recost> recost(long at) {
        return recost(at, Long.MAX_VALUE);
    }

    /** The same, of what was decided up to a time. */
    Optional<Recost> recost(long at, long until) {
        return recosts.stream()
                .filter(recost -> recost.span().contains(at) && recost.at() <= until)
                .max(Recost.LAST);
    }

    /** When the hour was frozen; {@link Long#MAX_VALUE} for one that is open. */
    long frozenAt(long hour) {
        return closedAt(hour).stream()
                .mapToLong(period -> closed.getOrDefault(period, Long.MAX_VALUE))
                .min()
                .orElse(Long.MAX_VALUE);
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
        return book(at, closed::containsKey);
    }

    private Booking book(long at, Predicate<String> isFrozen) {
        long hour = hour(at);
        if (closed.isEmpty()) {
            return new Booking(hour, "");
        }
        String about = frozenBy(hour, isFrozen);
        long open = hour;
        String frozen = about;
        while (!frozen.isEmpty()) {
            // At least the end of the period: one may be closed by a clock that is behind.
            open = Math.max(
                    hour(closed.getOrDefault(frozen, 0L)), Period.named(frozen).until());
            frozen = frozenBy(open, isFrozen);
        }
        return new Booking(open, about);
    }

    /** The frozen month or day that an hour is in; empty for none. A month goes before its days. */
    private static String frozenBy(long hour, Predicate<String> isFrozen) {
        String month = Period.month(hour);
        if (isFrozen.test(month)) {
            return month;
        }
        String day = Period.day(hour);
        return isFrozen.test(day) ? day : "";
    }
}
