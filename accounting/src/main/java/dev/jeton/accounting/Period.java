package dev.jeton.accounting;

import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * A span of time in which an entry of the price book holds, in microseconds since 1970.
 *
 * @param from its first microsecond; {@link Long#MIN_VALUE} where it has no beginning
 * @param until the microsecond after its last; {@link Long#MAX_VALUE} where it has no end
 */
public record Period(long from, long until) {

    /** Without beginning or end. */
    public static final Period ALWAYS = new Period(Long.MIN_VALUE, Long.MAX_VALUE);

    /** Checks that it is not empty. */
    public Period {
        if (from >= until) {
            throw new AccountingException(
                    "a period that begins at %s and ends at %s is empty: 'until' must be after 'from'"
                            .formatted(text(from), text(until)));
        }
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
    static String text(long micros) {
        return Instant.EPOCH.plus(micros, ChronoUnit.MICROS).toString();
    }

    /** Microseconds since 1970. */
    static long micros(Instant instant) {
        return ChronoUnit.MICROS.between(Instant.EPOCH, instant);
    }
}
