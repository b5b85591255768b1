package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MoneyTest {

    @Test
    void shouldPriceAQuantityExactly() {
        assertThat(Money.priced(1_234_567, Rate.of("0.25"), 1_000_000)).isEqualTo(308_641_750L);
        assertThat(Money.priced(3, Rate.of("7"), 1)).isEqualTo(21 * Money.NANOS_PER_UNIT);
    }

    @Test
    void shouldRoundHalvesToTheEvenNeighbour() {
        assertThat(Money.priced(1, Rate.of("0.0000000005"), 1)).isZero();
        assertThat(Money.priced(3, Rate.of("0.0000000005"), 1)).isEqualTo(2);
        assertThat(Money.priced(5, Rate.of("0.0000000005"), 1)).isEqualTo(2);
        assertThat(Money.priced(-3, Rate.of("0.0000000005"), 1)).isEqualTo(-2);
        assertThat(Money.priced(1, Rate.of("0.000000000500000001"), 1)).isEqualTo(1);
    }

    @Test
    void shouldRoundAsBigDecimalDoes() {
        Random random = new Random(11);
        for (int i = 0; i < 20_000; i++) {
            long a = random.nextLong() >> random.nextInt(60);
            long b = (random.nextLong() >>> 1 >> random.nextInt(60)) + 1;
            long expected = new BigDecimal(a)
                    .divide(new BigDecimal(b), 0, RoundingMode.HALF_EVEN)
                    .longValueExact();
            assertThat(Money.round(BigInteger.valueOf(a), BigInteger.valueOf(b)))
                    .as("seed 11: %d / %d", a, b)
                    .isEqualTo(expected);
        }
    }

    @Test
    void shouldRefuseAnAmountThatDoesNotFit() {
        assertThatThrownBy(() -> Money.priced(Long.MAX_VALUE, Rate.of("2"), 1))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("does not fit");
        assertThatThrownBy(() -> Money.add(Long.MAX_VALUE, 1)).isInstanceOf(AccountingException.class);
        assertThat(Money.add(Long.MAX_VALUE, -1)).isEqualTo(Long.MAX_VALUE - 1);
    }

    @Test
    void shouldSplitByLargestRemainder() {
        assertThat(Money.split(10, new long[] {1, 1, 1})).containsExactly(4, 3, 3);
        assertThat(Money.split(7, new long[] {5, 0, 3, 2})).containsExactly(4, 0, 2, 1);
        assertThat(Money.split(0, new long[] {0, 0})).containsExactly(0, 0);
        assertThat(Money.split(1, new long[] {0, 1, 2})).containsExactly(0, 0, 1);
    }

    @Test
    void shouldSplitWithoutLossAndWithinOneOfTheExactShare() {
        Random random = new Random(12);
        for (int round = 0; round < 3_000; round++) {
            long[] weights = new long[1 + random.nextInt(12)];
            for (int i = 0; i < weights.length; i++) {
                weights[i] = random.nextInt(4) == 0 ? 0 : random.nextLong() >>> 1 + random.nextInt(62);
            }
            weights[random.nextInt(weights.length)] = 1 + random.nextInt(100);
            long total = random.nextLong() >>> 1 + random.nextInt(62);
            long[] parts = Money.split(total, weights);
            String what = "seed 12: %d by %s".formatted(total, Arrays.toString(weights));
            BigInteger sum =
                    Arrays.stream(weights).mapToObj(BigInteger::valueOf).reduce(BigInteger.ZERO, BigInteger::add);
            BigInteger given = BigInteger.ZERO;
            for (int i = 0; i < parts.length; i++) {
                long floor = BigInteger.valueOf(total)
                        .multiply(BigInteger.valueOf(weights[i]))
                        .divide(sum)
                        .longValueExact();
                assertThat(parts[i] - floor).as(what).isBetween(0L, weights[i] == 0 ? 0L : 1L);
                given = given.add(BigInteger.valueOf(parts[i]));
            }
            assertThat(given).as(what).isEqualTo(BigInteger.valueOf(total));
        }
    }

    @Test
    void shouldNotDivideAmongNobody() {
        assertThatThrownBy(() -> Money.split(1, new long[] {0, 0})).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Money.split(1, new long[] {2, -1})).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void shouldWriteAmountsWithoutExponents() {
        assertThat(Money.text(1)).isEqualTo("0.000000001");
        assertThat(Money.text(-1_500_000_000L)).isEqualTo("-1.5");
        assertThat(Money.text(0)).isEqualTo("0");
        assertThat(Money.text(Long.MIN_VALUE)).isEqualTo("-9223372036.854775808");
        assertThat(Money.nanos(new BigDecimal("1.0000000015"))).isEqualTo(1_000_000_002L);
    }

    @Test
    void shouldReadRatesExactlyAndEquateTheSameValue() {
        assertThat(Rate.of("0.10")).isEqualTo(Rate.of("0.1")).isEqualTo(Rate.of("1e-1"));
        assertThat(Rate.of("5e3")).isEqualTo(new Rate(5_000, 0));
        assertThat(Rate.of("0.000000000000000001").toString()).isEqualTo("0.000000000000000001");
        assertThat(Rate.of("0e999999999")).isEqualTo(Rate.ZERO);
    }

    @Test
    void shouldRefuseRatesThatAreNotPlainNumbers() {
        for (String text : new String[] {
            "-1",
            "x",
            "",
            "1,5",
            "1_000",
            "1e18",
            "1e999999999",
            "1e-999999999",
            "0.0000000000000000001",
            "1234567890123456789",
            "NaN",
            "9".repeat(100)
        }) {
            assertThatThrownBy(() -> Rate.of(text)).as(text).isInstanceOf(AccountingException.class);
        }
    }
}
