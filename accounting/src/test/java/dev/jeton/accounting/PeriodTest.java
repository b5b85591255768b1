package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PeriodTest {

    private static long micros(String instant) {
        return Period.micros(Instant.parse(instant));
    }

    @Test
    void aMonthEndsWhereTheNextBegins() {
        assertThat(Period.named("2026-12"))
                .isEqualTo(new Period(micros("2026-12-01T00:00:00Z"), micros("2027-01-01T00:00:00Z")));
    }

    @Test
    void aDayHasTwentyFourHours() {
        assertThat(Period.named("2028-02-29"))
                .isEqualTo(new Period(micros("2028-02-29T00:00:00Z"), micros("2028-03-01T00:00:00Z")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "2026", "2026-13", "2026-02-30", "2026-11-20T00:00:00Z", "November", "2026-1"})
    void whatIsNeitherMonthNorDayIsRefused(String name) {
        assertThatThrownBy(() -> Period.named(name))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("write a month as 2026-11");
    }

    @Test
    void aTimeIsABeginningOrAMomentOfAnyOffset() {
        assertThat(Period.begin("2026-11")).isEqualTo(micros("2026-11-01T00:00:00Z"));
        assertThat(Period.begin("2026-11-20")).isEqualTo(micros("2026-11-20T00:00:00Z"));
        assertThat(Period.begin("2026-11-20T15:00:00Z")).isEqualTo(micros("2026-11-20T15:00:00Z"));
        assertThat(Period.begin("2026-11-20T15:00:00.5+02:00")).isEqualTo(micros("2026-11-20T13:00:00.5Z"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "2026", "2026-13", "2026-02-30", "2026-11-20 15:00", "yesterday"})
    void whatIsNoTimeIsRefused(String text) {
        assertThatThrownBy(() -> Period.begin(text))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("is no time");
    }

    @Test
    void aMomentIsInTheMonthAndTheDayThatAreNamed() {
        long last = micros("2026-12-01T00:00:00Z") - 1;
        assertThat(Period.month(last)).isEqualTo("2026-11");
        assertThat(Period.day(last)).isEqualTo("2026-11-30");
        assertThat(Period.month(last + 1)).isEqualTo("2026-12");
    }
}
