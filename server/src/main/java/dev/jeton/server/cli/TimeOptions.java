package dev.jeton.server.cli;

import dev.jeton.server.reports.TimeSpan;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Option;

/** Options that name a span of time; all of it where nothing is named. */
final class TimeOptions {

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
        return period.map(named -> TimeSpan.period(named).from())
                .or(() -> from.map(TimeSpan::begin))
                .orElse(0L);
    }

    /** First microsecond after. */
    long to() {
        return period.map(named -> TimeSpan.period(named).to())
                .or(() -> to.map(TimeSpan::begin))
                .orElseGet(
                        () -> TimeUnit.MILLISECONDS.toMicros(System.currentTimeMillis()) + TimeUnit.HOURS.toMicros(1));
    }

    /** Both. */
    TimeSpan span() {
        return new TimeSpan(from(), to());
    }
}
