package dev.jeton.models.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.grammar.NumberTexts.Bound;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Against arithmetic. */
class NumberTextsTest {

    private static BigDecimal number(Random random) {
        int places = random.nextInt(4);
        int digits = 1 + random.nextInt(5);
        long value = random.nextLong((long) Math.pow(10, digits));
        return BigDecimal.valueOf(random.nextBoolean() ? value : -value, places);
    }

    private static Optional<Bound> bound(Random random) {
        return random.nextInt(4) == 0 ? Optional.empty() : Optional.of(new Bound(number(random), random.nextBoolean()));
    }

    private static boolean within(BigDecimal value, Optional<Bound> least, Optional<Bound> most) {
        boolean above = least.map(bound -> value.compareTo(bound.value()) > (bound.open() ? 0 : -1))
                .orElse(true);
        boolean below = most.map(bound -> value.compareTo(bound.value()) < (bound.open() ? 0 : 1))
                .orElse(true);
        return above && below;
    }

    @Test
    void shouldTakeTheNumbersBetweenTwoBounds() {
        for (long seed = 0; seed < 150; seed++) {
            Random random = new Random(seed);
            Optional<Bound> least = bound(random);
            Optional<Bound> most = bound(random);
            boolean integer = random.nextBoolean();
            TextAutomaton numbers = NumberTexts.between(least, most, integer);
            for (int i = 0; i < 200; i++) {
                BigDecimal near = random.nextBoolean()
                        ? least.or(() -> most).map(Bound::value).orElse(BigDecimal.ONE)
                        : number(random);
                BigDecimal value = near.add(BigDecimal.valueOf(random.nextInt(5) - 2L, random.nextInt(4)));
                value = integer ? value.setScale(0, RoundingMode.FLOOR) : value;
                assertThat(numbers.accepts(value.toPlainString()))
                        .as("seed %d: %s between %s and %s", seed, value.toPlainString(), least, most)
                        .isEqualTo(within(value, least, most));
            }
        }
    }

    @Test
    void shouldTakeBoundsOfManyDigits() {
        for (String most : new String[] {"9007199254740991", "9223372036854775807"}) {
            BigDecimal end = new BigDecimal(most);
            Optional<Bound> least = Optional.of(new Bound(end.negate(), false));
            for (boolean integer : new boolean[] {true, false}) {
                TextAutomaton numbers = NumberTexts.between(least, Optional.of(new Bound(end, false)), integer);
                for (BigDecimal inside : new BigDecimal[] {end, end.subtract(BigDecimal.ONE), BigDecimal.TEN}) {
                    assertThat(numbers.accepts(inside.toPlainString())).isTrue();
                    assertThat(numbers.accepts(inside.negate().toPlainString())).isTrue();
                }
                BigDecimal outside = end.add(BigDecimal.ONE);
                assertThat(numbers.accepts(outside.toPlainString())).isFalse();
                assertThat(numbers.accepts(outside.negate().toPlainString())).isFalse();
            }
        }
    }

    @Test
    void shouldTakeNumbersThatABoundKeepsFarFromZero() {
        Optional<Bound> bound = Optional.of(new Bound(new BigDecimal("1e25"), true));
        for (boolean integer : new boolean[] {true, false}) {
            TextAutomaton numbers = NumberTexts.between(bound, Optional.empty(), integer);
            assertThat(numbers.accepts("1" + "0".repeat(24) + "1")).isTrue();
            assertThat(numbers.accepts("1" + "0".repeat(25))).isFalse();
            assertThat(numbers.accepts("9".repeat(25))).isFalse();
        }
    }

    @Test
    void shouldTakeAsBoundsTheLargestNumbersThatThereAre() {
        Optional<Bound> most = Optional.of(new Bound(BigDecimal.valueOf(Double.MAX_VALUE), false));
        Optional<Bound> least = most.map(Bound::negated);
        for (boolean integer : new boolean[] {true, false}) {
            assertThat(NumberTexts.between(least, most, integer).accepts("-1234567890123456789"))
                    .isTrue();
        }
    }

    @Test
    void shouldTakeTheMultiplesOfANumber() {
        for (String of : new String[] {"1", "2", "7", "10", "12", "0.5", "0.25", "0.01", "2.5", "100", "1e3"}) {
            BigDecimal unit = new BigDecimal(of);
            for (boolean integer : new boolean[] {false, true}) {
                TextAutomaton multiples = NumberTexts.multiples(unit, integer);
                Random random = new Random(of.hashCode());
                for (int i = 0; i < 2_000; i++) {
                    BigDecimal value = number(random);
                    if (random.nextBoolean()) {
                        value = unit.multiply(BigDecimal.valueOf(random.nextInt(400) - 200));
                    }
                    if (integer && value.stripTrailingZeros().scale() > 0) {
                        continue;
                    }
                    value = integer ? value.setScale(0) : value;
                    boolean is = value.remainder(unit).signum() == 0;
                    // zeros after the places that a multiple may have are not written
                    boolean written = value.scale()
                            <= Math.max(0, unit.stripTrailingZeros().scale());
                    assertThat(multiples.accepts(value.toPlainString()))
                            .as("%s of %s", value.toPlainString(), of)
                            .isEqualTo(is && written);
                }
            }
        }
    }

    @Test
    void shouldNotTakeOtherSpellings() {
        TextAutomaton numbers = NumberTexts.between(Optional.empty(), Optional.empty(), false);
        for (String text : new String[] {"", "-", "00", "01", "-0", "-0.0", "1.", ".5", "+1", "1e3", "0x1"}) {
            assertThat(numbers.accepts(text)).as(text).isFalse();
        }
    }
}
