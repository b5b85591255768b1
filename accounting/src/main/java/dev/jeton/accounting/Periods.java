package dev.jeton.accounting;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.YearMonth;
import java.time.ZoneOffset;
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

    /**
     * First and last moment of a period.
     *
     * @param from first microsecond
     * @param to first microsecond after it
     */
    record Span(long from, long to) {}

    private final Map<String, Long> closed;

    /** With the closed periods and when each was closed, in microseconds. */
    Periods(Map<String, Long> closed) {
        this.closed = Map.copyOf(closed);
    }

    /** First microsecond of the hour of a moment. */
    static long hour(long at) {
        return Math.floorDiv(at, HOUR) * HOUR;
    }

    /** The time that a period names; an AccountingException where it names none. */
    static Span span(String period) {
        try {
            if (period.length() == 7) {
                YearMonth month = YearMonth.parse(period);
                return new Span(start(month.atDay(1)), start(month.plusMonths(1).atDay(1)));
            }
            LocalDate day = LocalDate.parse(period);
            return new Span(start(day), start(day.plusDays(1)));
        } catch (DateTimeException e) {
            throw new AccountingException(
                    "'%s' is no period; write a month as 2026-11 or a day as 2026-11-20".formatted(period), e);
        }
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
            open = Math.max(hour(closed.getOrDefault(frozen, 0L)), span(frozen).to());
            frozen = frozenBy(open);
        }
        return new Booking(open, about);
    }

    /** The closed month or day that an hour is in; empty for none. A month goes before its days. */
    private String frozenBy(long hour) {
        LocalDate day =
                LocalDate.ofInstant(Instant.ofEpochSecond(TimeUnit.MICROSECONDS.toSeconds(hour)), ZoneOffset.UTC);
        String month = YearMonth.from(day).toString();
        if (closed.containsKey(month)) {
            return month;
        }
        String date = day.toString();
        return closed.containsKey(date) ? date : "";
    }

    private static long start(LocalDate day) {
        return TimeUnit.SECONDS.toMicros(day.atStartOfDay(ZoneOffset.UTC).toEpochSecond());
    }
}
