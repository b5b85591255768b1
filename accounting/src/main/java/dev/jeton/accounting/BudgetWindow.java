package dev.jeton.accounting;

import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.temporal.ChronoUnit;
import java.time.zone.ZoneOffsetTransition;
import java.util.Locale;

/**
 * When a budget begins anew.
 *
 * @param kind how often
 * @param zone by whose clock hours, days and months begin; the days on which a clock is moved have 23 or 25 hours
 */
public record BudgetWindow(Kind kind, ZoneId zone) {

    private static final long HOUR_MICROS = 3_600_000_000L;

    /** How often a budget begins anew. */
    public enum Kind {
        /** With each hour. */
        HOUR,
        /** With each day. */
        DAY,
        /** With each month. */
        MONTH,
        /** Never. */
        TOTAL,
        /** Never; and there is nothing to spend but what was topped up and has not expired. */
        PREPAID;

        /** As configuration, API and metrics say it. */
        public String text() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** Never begins anew. */
    public static final BudgetWindow TOTAL = new BudgetWindow(Kind.TOTAL, ZoneId.of("UTC"));

    /**
     * A stretch of time.
     *
     * @param from its first microsecond since 1970
     * @param to the first after it; {@link Long#MAX_VALUE} for no end
     */
    public record Span(long from, long to) {

        /** Of budgets that never begin anew. */
        static final Span ALWAYS = new Span(Long.MIN_VALUE, Long.MAX_VALUE);

        /** Whether a moment is in it. */
        public boolean contains(long at) {
            return from <= at && at < to;
        }
    }

    /** The window that a moment is in, microseconds since 1970. */
    public Span at(long micros) {
        ZonedDateTime now = Instant.EPOCH.plus(micros, ChronoUnit.MICROS).atZone(zone);
        return switch (kind) {
            case HOUR -> hour(micros, now);
            case DAY -> {
                LocalDate day = now.toLocalDate();
                yield span(day.atStartOfDay(zone), day.plusDays(1).atStartOfDay(zone));
            }
            case MONTH -> {
                LocalDate first = now.toLocalDate().withDayOfMonth(1);
                yield span(first.atStartOfDay(zone), first.plusMonths(1).atStartOfDay(zone));
            }
            case TOTAL, PREPAID -> Span.ALWAYS;
        };
    }

    /**
     * The hour of a clock as it goes now, cut where the clock is moved: what it shows twice is two hours, and where it
     * is moved by half an hour there are two short ones.
     */
    private Span hour(long micros, ZonedDateTime now) {
        long offset = now.getOffset().getTotalSeconds() * 1_000_000L;
        long from = Math.floorDiv(micros + offset, HOUR_MICROS) * HOUR_MICROS - offset;
        long to = from + HOUR_MICROS;
        Instant instant = now.toInstant();
        ZoneOffsetTransition next = zone.getRules().nextTransition(instant);
        ZoneOffsetTransition last = zone.getRules().previousTransition(instant.plusNanos(1));
        return new Span(
                last == null ? from : Math.max(from, micros(last.getInstant())),
                next == null ? to : Math.min(to, micros(next.getInstant())));
    }

    private static Span span(ZonedDateTime from, ZonedDateTime to) {
        return new Span(micros(from), micros(to));
    }

    private static long micros(ZonedDateTime time) {
        return micros(time.toInstant());
    }

    private static long micros(Instant instant) {
        return ChronoUnit.MICROS.between(Instant.EPOCH, instant);
    }
}
