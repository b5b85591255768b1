package dev.jeton.server.cli;

import dev.jeton.accounting.Period;
import java.time.Instant;
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

    /** The span that is named; empty where nothing is. */
    Optional<Period> named() {
        return period.or(() -> from).or(() -> to).map(any -> span());
    }

    /** The span, named or not. */
    Period span() {
        return new Period(from(), to());
    }

    /** First microsecond. */
    long from() {
        return period.map(name -> Period.named(name).from())
                .or(() -> from.map(Period::begin))
                .orElse(0L);
    }

    /** First microsecond after. */
    long to() {
        return period.map(name -> Period.named(name).until())
                .or(() -> to.map(Period::begin))
                .orElseGet(() -> Period.micros(Instant.now()) + TimeUnit.HOURS.toMicros(1));
    }
}
