package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.time.ZoneId;
import java.time.temporal.ChronoUnit;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BudgetWindowTest {

    private static long micros(String time) {
        return ChronoUnit.MICROS.between(Instant.EPOCH, Instant.parse(time));
    }

    @ParameterizedTest
    @CsvSource({
        // the day in Berlin on which the clock goes forward has 23 hours, the one on which it goes back 25
        "DAY, Europe/Berlin, 2026-03-29T10:00:00Z, 2026-03-28T23:00:00Z, 2026-03-29T22:00:00Z",
        "DAY, Europe/Berlin, 2026-10-25T10:00:00Z, 2026-10-24T22:00:00Z, 2026-10-25T23:00:00Z",
        // the hour that the clock shows twice is two hours
        "HOUR, Europe/Berlin, 2026-10-25T00:30:00Z, 2026-10-25T00:00:00Z, 2026-10-25T01:00:00Z",
        "HOUR, Europe/Berlin, 2026-10-25T01:30:00Z, 2026-10-25T01:00:00Z, 2026-10-25T02:00:00Z",
        // hours begin with the zone's clock, also where that is half an hour off
        "HOUR, Asia/Kolkata, 2026-11-28T10:10:00Z, 2026-11-28T09:30:00Z, 2026-11-28T10:30:00Z",
        // a day without a midnight begins when it begins
        "DAY, America/Santiago, 2026-09-06T12:00:00Z, 2026-09-06T04:00:00Z, 2026-09-07T03:00:00Z",
        "MONTH, America/New_York, 2026-11-15T00:00:00Z, 2026-11-01T04:00:00Z, 2026-12-01T05:00:00Z",
        "MONTH, UTC, 2028-02-29T23:59:59Z, 2028-02-01T00:00:00Z, 2028-03-01T00:00:00Z",
    })
    void windowsBeginAndEndByTheZonesClock(BudgetWindow.Kind kind, String zone, String at, String from, String to) {
        BudgetWindow.Span span = new BudgetWindow(kind, ZoneId.of(zone)).at(micros(at));
        assertThat(span).isEqualTo(new BudgetWindow.Span(micros(from), micros(to)));
    }

    @Test
    void windowsFollowOneAnotherWithoutGapOrOverlapInEveryZone() {
        Random random = Facts.random(7);
        for (String zone : ZoneId.getAvailableZoneIds()) {
            for (BudgetWindow.Kind kind :
                    new BudgetWindow.Kind[] {BudgetWindow.Kind.HOUR, BudgetWindow.Kind.DAY, BudgetWindow.Kind.MONTH}) {
                BudgetWindow window = new BudgetWindow(kind, ZoneId.of(zone));
                long at = micros("2020-01-01T00:00:00Z") + (long) (random.nextDouble() * 20e6 * 365 * 86_400);
                BudgetWindow.Span span = window.at(at);
                assertThat(span.contains(at))
                        .as("%s of %s at %d", kind, zone, at)
                        .isTrue();
                assertThat(window.at(span.to() - 1)).as("%s of %s", kind, zone).isEqualTo(span);
                assertThat(window.at(span.to()).from())
                        .as("%s of %s", kind, zone)
                        .isEqualTo(span.to());
            }
        }
    }

    private static void follow(BudgetWindow window, long at) {
        BudgetWindow.Span span = window.at(at);
        assertThat(span.contains(at)).as("%s at %d", window, at).isTrue();
        assertThat(window.at(span.to() - 1)).as("%s at %d", window, at).isEqualTo(span);
        assertThat(window.at(span.to()).from()).as("%s at %d", window, at).isEqualTo(span.to());
    }

    @Test
    void aTotalNeverEnds() {
        assertThat(BudgetWindow.TOTAL.at(5)).isEqualTo(new BudgetWindow.Span(Long.MIN_VALUE, Long.MAX_VALUE));
    }
}
