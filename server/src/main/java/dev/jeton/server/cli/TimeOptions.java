package dev.jeton.server.cli;

import dev.jeton.accounting.AccountingException;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.YearMonth;
import java.time.ZoneOffset;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Option;

/** Options that name a span of time; all of it where nothing is named. */
final class TimeOptions {

    private static final int MONTH_LENGTH = 7;
    private static final int DAY_LENGTH = 10;

    @Option(
            names = "--from",
            paramLabel = "TIME",
            description = "From this month, day or hour on (UTC): 2026-11, 2026-11-20, 2026-11-20T15:00:00Z.")
    private Optional<String> from = Optional.empty();

    @Option(names = "--to", paramLabel = "TIME", description = "Up to this month, day or hour, which is left out.")
    private Optional<String> to = Optional.empty();

    @Option(names = "--period", paramLabel = "PERIOD", description = "One month or day: 2026-11, 2026-11-20.")
    private Optional<String> period = Optional.empty();

    /** First microsecond. */
    long from() {
        return period.or(() -> from).map(TimeOptions::begin).orElse(0L);
    }

    /** First microsecond after. */
    long to() {
        return period.map(TimeOptions::end)
                .or(() -> to.map(TimeOptions::begin))
                .orElseGet(() -> micros(Instant.now()) + TimeUnit.HOURS.toMicros(1));
    }

    private static long begin(String text) {
        try {
            return micros(
                    switch (text.length()) {
                        case MONTH_LENGTH -> start(YearMonth.parse(text).atDay(1));
                        case DAY_LENGTH -> start(LocalDate.parse(text));
                        default -> Instant.parse(text);
                    });
        } catch (DateTimeException e) {
            throw wrong(text);
        }
    }

    private static long end(String text) {
        try {
            return micros(
                    text.length() == MONTH_LENGTH
                            ? start(YearMonth.parse(text).plusMonths(1).atDay(1))
                            : start(LocalDate.parse(text).plusDays(1)));
        } catch (DateTimeException e) {
            throw wrong(text);
        }
    }

    private static AccountingException wrong(String text) {
        return new AccountingException(
                "'%s' is no time: a month (2026-11), a day (2026-11-20) or an hour (2026-11-20T15:00:00Z) is expected"
                        .formatted(text));
    }

    private static Instant start(LocalDate day) {
        return day.atStartOfDay(ZoneOffset.UTC).toInstant();
    }

    private static long micros(Instant instant) {
        return TimeUnit.SECONDS.toMicros(instant.getEpochSecond()) + instant.getNano() / 1_000;
    }
}
