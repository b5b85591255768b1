package dev.jeton.server.reports;

import dev.jeton.accounting.AccountingException;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.YearMonth;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;

/**
 * A time that is asked about, in microseconds since 1970. The ledger books by the hour, so it begins and ends on hours:
 * with the hour that its first moment is in, and with the one that its last moment is in.
 *
 * @param from first microsecond
 * @param to the one after the last
 */
public record TimeSpan(long from, long to) {

    private static final int MONTH_LENGTH = 7;
    private static final int DAY_LENGTH = 10;
    private static final Instant FIRST = Instant.EPOCH;
    private static final Instant LAST = Instant.parse("9999-12-31T23:59:59Z");
    private static final String EXPECTED =
            "a month (2026-11), a day (2026-11-20) or an hour (2026-11-20T15:00:00Z) is expected";

    /**
     * A whole month or day of UTC.
     *
     * @param text {@code 2026-11}, {@code 2026-11-20}
     * @throws AccountingException where it is neither
     */
    public static TimeSpan period(String text) {
        try {
            return text.length() == MONTH_LENGTH
                    ? new TimeSpan(begin(text), start(YearMonth.parse(text).plusMonths(1)))
                    : new TimeSpan(begin(text), start(LocalDate.parse(text).plusDays(1)));
        } catch (DateTimeException e) {
            throw wrong(text);
        }
    }

    /**
     * Where a month, a day or an hour begins.
     *
     * @param text {@code 2026-11}, {@code 2026-11-20}, {@code 2026-11-20T15:00:00Z}
     * @throws AccountingException where it is none, or before 1970 or after 9999
     */
    public static long begin(String text) {
        try {
            return switch (text.length()) {
                case MONTH_LENGTH -> start(YearMonth.parse(text));
                case DAY_LENGTH -> start(LocalDate.parse(text));
                default -> micros(Instant.parse(text));
            };
        } catch (DateTimeException e) {
            throw wrong(text);
        }
    }

    private static long start(YearMonth month) {
        return start(month.atDay(1));
    }

    private static long start(LocalDate day) {
        return micros(day.atStartOfDay(ZoneOffset.UTC).toInstant());
    }

    private static long micros(Instant instant) {
        if (instant.isBefore(FIRST) || instant.isAfter(LAST)) {
            throw new DateTimeException("no time of any books");
        }
        return ChronoUnit.MICROS.between(FIRST, instant);
    }

    private static AccountingException wrong(String text) {
        return new AccountingException("'%s' is no time: %s".formatted(text, EXPECTED));
    }
}
