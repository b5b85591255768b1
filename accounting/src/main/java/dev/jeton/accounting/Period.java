package dev.jeton.accounting;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.YearMonth;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;

/**
 * A span of time, in microseconds since 1970: a month or a day of the books, or when an entry of the price book holds.
 *
 * @param from its first microsecond; {@link Long#MIN_VALUE} where it has no beginning
 * @param until the microsecond after its last; {@link Long#MAX_VALUE} where it has no end
 */
public record Period(long from, long until) {

    /** Without beginning or end. */
    public static final Period ALWAYS = new Period(Long.MIN_VALUE, Long.MAX_VALUE);

    private static final int FIRST_YEAR = 1970;
    private static final int LAST_YEAR = 9999;
    private static final int MONTH_LENGTH = 7;
    private static final int DAY_LENGTH = 10;

    /** Checks that it is not empty. */
    public Period {
        if (from >= until) {
            throw new AccountingException(
                    "a period that begins at %s and ends at %s is empty: 'until' must be after 'from'"
                            .formatted(text(from), text(until)));
        }
    }

    /**
     * The month or day of UTC of that name.
     *
     * @param name a month as {@code 2026-11}, a day as {@code 2026-11-20}
     * @throws AccountingException where it names neither, or one before 1970 or after 9999
     */
    public static Period named(String name) {
        try {
            if (name.length() == MONTH_LENGTH) {
                LocalDate first = booked(YearMonth.parse(name).atDay(1));
                return new Period(start(first), start(first.plusMonths(1)));
            }
            LocalDate day = booked(LocalDate.parse(name));
            return new Period(start(day), start(day.plusDays(1)));
        } catch (DateTimeException | ArithmeticException e) {
            throw new AccountingException(
                    "'%s' is no period; write a month as 2026-11 or a day as 2026-11-20".formatted(name), e);
        }
    }

    /**
     * The first microsecond of a month or day of UTC, or a moment.
     *
     * @param text {@code 2026-11}, {@code 2026-11-20}, {@code 2026-11-20T15:00:00Z} or with another offset than Z
     * @throws AccountingException where it is none of these, or before 1970 or after 9999
     */
    public static long begin(String text) {
        try {
            return text.length() == MONTH_LENGTH || text.length() == DAY_LENGTH
                    ? named(text).from()
                    : booked(OffsetDateTime.parse(text));
        } catch (DateTimeException | ArithmeticException | AccountingException e) {
            throw new AccountingException(
                    ("'%s' is no time: a month (2026-11), a day (2026-11-20) or a moment (2026-11-20T15:00:00Z) is"
                                    + " expected, from 1970 to 9999")
                            .formatted(text),
                    e);
        }
    }

    /** The name of the month of UTC that a microsecond lies in. */
    public static String month(long at) {
        return YearMonth.from(date(at)).toString();
    }

    /** The name of the day of UTC that a microsecond lies in. */
    public static String day(long at) {
        return date(at).toString();
    }

    private static LocalDate date(long at) {
        return LocalDate.ofInstant(Instant.EPOCH.plus(at, ChronoUnit.MICROS), ZoneOffset.UTC);
    }

    private static long booked(OffsetDateTime moment) {
        booked(moment.toLocalDate());
        return micros(moment.toInstant());
    }

    private static LocalDate booked(LocalDate day) {
        if (day.getYear() < FIRST_YEAR || day.getYear() > LAST_YEAR) {
            throw new DateTimeException("no books are kept before 1970 and after 9999");
        }
        return day;
    }

    private static long start(LocalDate day) {
        return micros(day.atStartOfDay(ZoneOffset.UTC).toInstant());
    }

    /** Whether the microsecond lies in it. */
    public boolean contains(long at) {
        return from <= at && at < until;
    }

    /** Whether the two have a microsecond in common. */
    public boolean overlaps(Period other) {
        return from < other.until && other.from < until;
    }

    /** Microseconds since 1970 as an ISO 8601 time in UTC. */
    public static String text(long micros) {
        return Instant.EPOCH.plus(micros, ChronoUnit.MICROS).toString();
    }

    /** Microseconds since 1970. */
    public static long micros(Instant instant) {
        return ChronoUnit.MICROS.between(Instant.EPOCH, instant);
    }
}
