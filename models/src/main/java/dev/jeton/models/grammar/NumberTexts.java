package dev.jeton.models.grammar;

import static dev.jeton.models.grammar.Expression.digit;
import static dev.jeton.models.grammar.Expression.digits;
import static dev.jeton.models.grammar.Expression.either;
import static dev.jeton.models.grammar.Expression.optional;
import static dev.jeton.models.grammar.Expression.sequence;
import static dev.jeton.models.grammar.Expression.text;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;

/**
 * The texts of JSON numbers, those between bounds, and those that are multiples of a number.
 *
 * <p>Integers have at most {@value #INTEGER_DIGITS} digits, or as many as their bounds, and fractions at most
 * {@value #FRACTION_DIGITS}, since a model that has begun to repeat a digit goes on with it. Exponents have at most two
 * digits, or what reads them as doubles would read an infinity; with bounds there are none, and no negative zero.
 */
final class NumberTexts {

    static final int INTEGER_DIGITS = 19;
    static final int FRACTION_DIGITS = 17;
    /** Largest number, as an integer in units of its last digit, of which multiples can be told. */
    static final int MAX_MULTIPLE = 10_000;

    private static final int MAX_PLACES = 9;
    private static final int MAX_BOUND_DIGITS = 400;
    private static final Expression NOTHING = new Expression.Chars();
    private static final Expression MINUS = text("-");
    private static final Expression POINT = text(".");

    /**
     * One end of a number's range.
     *
     * @param value where it is
     * @param open whether the value itself is outside
     */
    record Bound(BigDecimal value, boolean open) {

        Bound negated() {
            return new Bound(value.negate(), open);
        }
    }

    private NumberTexts() {}

    /** Any number, or any integer. */
    static Expression any(boolean integer) {
        Expression whole = either(text("0"), sequence(digit(1, 9), digits(0, INTEGER_DIGITS - 1)));
        if (integer) {
            return sequence(optional(MINUS), whole);
        }
        Expression exponent = sequence(
                new Expression.Chars('E', 'E', 'e', 'e'),
                optional(new Expression.Chars('+', '+', '-', '-')),
                digits(1, 2));
        return sequence(optional(MINUS), whole, anyFraction(), optional(exponent));
    }

    /**
     * Numbers between bounds, where there are any.
     *
     * @throws GrammarException where a bound has more digits than can be told
     */
    static TextAutomaton between(Optional<Bound> least, Optional<Bound> most, boolean integer) {
        int digits = Math.max(farDigits(least, 1), farDigits(most, -1));
        Expression zeroUp = upFrom(new Bound(BigDecimal.ZERO, false), integer, digits);
        Expression aboveZero = upFrom(new Bound(BigDecimal.ZERO, true), integer, digits);
        TextAutomaton numbers = signed(zeroUp, aboveZero);
        if (least.isPresent()) {
            Bound bound = checked(least.get());
            numbers = numbers.and(signed(upFrom(bound, integer, digits), downFrom(bound.negated(), integer)));
        }
        if (most.isPresent()) {
            Bound bound = checked(most.get());
            numbers = numbers.and(signed(downFrom(bound, integer), upFrom(bound.negated(), integer, digits)));
        }
        return numbers;
    }

    /** Most digits before the point: one more than the bound has that all numbers are further from zero than. */
    private static int farDigits(Optional<Bound> bound, int sign) {
        return bound.filter(end -> end.value.signum() == sign)
                .map(end -> checked(end).value)
                .map(value -> Math.max(INTEGER_DIGITS, value.precision() - value.scale() + 1))
                .orElse(INTEGER_DIGITS);
    }

    private static TextAutomaton signed(Expression positive, Expression negative) {
        return ExpressionAutomaton.whole(either(positive, sequence(MINUS, negative)));
    }

    private static Bound checked(Bound bound) {
        BigDecimal value = bound.value;
        if (value.precision() > MAX_BOUND_DIGITS || Math.abs((long) value.scale()) > MAX_BOUND_DIGITS) {
            throw new GrammarException("a bound of a number has more than %d digits".formatted(MAX_BOUND_DIGITS));
        }
        return bound;
    }

    /** Numbers without sign from a bound on. */
    private static Expression upFrom(Bound bound, boolean integer, int digits) {
        boolean negative = bound.value.signum() < 0;
        BigDecimal least = negative ? BigDecimal.ZERO : bound.value;
        boolean open = !negative && bound.open;
        BigInteger whole = least.toBigInteger();
        String fraction = fraction(least);
        if (integer) {
            return wholes(open || !fraction.isEmpty() ? whole.add(BigInteger.ONE) : whole, Optional.empty(), digits);
        }
        return either(
                sequence(text(whole.toString()), fractionsFrom(fraction, open)),
                sequence(wholes(whole.add(BigInteger.ONE), Optional.empty(), digits), anyFraction()));
    }

    /** Numbers without sign up to a bound. */
    private static Expression downFrom(Bound bound, boolean integer) {
        if (bound.value.signum() < 0) {
            return NOTHING;
        }
        BigInteger whole = bound.value.toBigInteger();
        String fraction = fraction(bound.value);
        BigInteger before = whole.subtract(BigInteger.ONE);
        if (integer) {
            return wholes(BigInteger.ZERO, Optional.of(bound.open && fraction.isEmpty() ? before : whole), 0);
        }
        return either(
                sequence(wholes(BigInteger.ZERO, Optional.of(before), 0), anyFraction()),
                sequence(text(whole.toString()), fractionsTo(fraction, bound.open)));
    }

    private static Expression anyFraction() {
        return optional(sequence(POINT, digits(1, FRACTION_DIGITS)));
    }

    /** Digits after the point, without zeros at the end. */
    private static String fraction(BigDecimal number) {
        BigDecimal fraction = number.subtract(new BigDecimal(number.toBigInteger()));
        if (fraction.signum() == 0) {
            return "";
        }
        BigDecimal stripped = fraction.stripTrailingZeros();
        String digits = stripped.unscaledValue().toString();
        return "0".repeat(stripped.scale() - digits.length()) + digits;
    }

    /** A point and digits, or nothing, of at least a fraction. */
    private static Expression fractionsFrom(String fraction, boolean above) {
        if (fraction.isEmpty() && !above) {
            return anyFraction();
        }
        return sequence(POINT, digitsFrom(fraction, above));
    }

    private static Expression digitsFrom(String least, boolean above) {
        if (least.isEmpty()) {
            Expression zeros = new Expression.Repeat(digit(0, 0), 0, FRACTION_DIGITS - 1);
            return above ? sequence(zeros, digit(1, 9), digits(0, FRACTION_DIGITS - 1)) : digits(0, FRACTION_DIGITS);
        }
        int first = least.charAt(0) - '0';
        Expression same = sequence(digit(first, first), digitsFrom(least.substring(1), above));
        return first == 9 ? same : either(same, sequence(digit(first + 1, 9), digits(0, FRACTION_DIGITS)));
    }

    /** A point and digits, or nothing, of at most a fraction. */
    private static Expression fractionsTo(String fraction, boolean below) {
        if (fraction.isEmpty()) {
            Expression zeros = sequence(POINT, new Expression.Repeat(digit(0, 0), 1, FRACTION_DIGITS));
            return below ? NOTHING : optional(zeros);
        }
        return optional(sequence(POINT, firstDigitsTo(fraction, below)));
    }

    private static Expression firstDigitsTo(String most, boolean below) {
        int first = most.charAt(0) - '0';
        Expression rest = most.length() == 1
                ? below ? NOTHING : new Expression.Repeat(digit(0, 0), 0, FRACTION_DIGITS)
                : optional(firstDigitsTo(most.substring(1), below));
        Expression same = sequence(digit(first, first), rest);
        return first == 0 ? same : either(same, sequence(digit(0, first - 1), digits(0, FRACTION_DIGITS)));
    }

    // ---- integers that are not negative ----

    private static Expression wholes(BigInteger first, Optional<BigInteger> last, int digits) {
        List<Expression> parts = new ArrayList<>();
        String from = first.toString();
        if (last.isEmpty()) {
            parts.add(sameLength(from, "9".repeat(from.length())));
            if (digits > from.length()) {
                parts.add(sequence(digit(1, 9), digits(from.length(), digits - 1)));
            }
            return new Expression.Either(parts);
        }
        if (last.get().compareTo(first) < 0) {
            return NOTHING;
        }
        String to = last.get().toString();
        if (from.length() == to.length()) {
            return sameLength(from, to);
        }
        parts.add(sameLength(from, "9".repeat(from.length())));
        if (to.length() > from.length() + 1) {
            parts.add(sequence(digit(1, 9), digits(from.length(), to.length() - 2)));
        }
        parts.add(sameLength("1" + "0".repeat(to.length() - 1), to));
        return new Expression.Either(parts);
    }

    /** Numbers from one to another that have the same number of digits. */
    private static Expression sameLength(String low, String high) {
        if (low.isEmpty()) {
            return text("");
        }
        int first = low.charAt(0) - '0';
        int last = high.charAt(0) - '0';
        String lowRest = low.substring(1);
        String highRest = high.substring(1);
        int rest = lowRest.length();
        boolean fromZeros = lowRest.equals("0".repeat(rest));
        boolean toNines = highRest.equals("9".repeat(rest));
        if (first == last && !(fromZeros && toNines)) {
            return sequence(digit(first, first), sameLength(lowRest, highRest));
        }
        // a side that may be anything is never divided again: or each digit would double what comes after it
        List<Expression> parts = new ArrayList<>();
        if (!fromZeros) {
            parts.add(sequence(digit(first, first), sameLength(lowRest, "9".repeat(rest))));
        }
        if (!toNines) {
            parts.add(sequence(digit(last, last), sameLength("0".repeat(rest), highRest)));
        }
        int lowest = fromZeros ? first : first + 1;
        int highest = toNines ? last : last - 1;
        if (lowest <= highest) {
            parts.add(sequence(digit(lowest, highest), digits(rest, rest)));
        }
        return new Expression.Either(parts);
    }

    // ---- multiples ----

    /**
     * Numbers, without exponents, that are multiples of {@code of}.
     *
     * @throws GrammarException where {@code of} is not positive, or too large, or has too many places
     */
    static TextAutomaton multiples(BigDecimal of, boolean integer) {
        if (of.signum() <= 0) {
            throw new GrammarException("'multipleOf' must be above 0");
        }
        BigDecimal unit = of.stripTrailingZeros();
        int places = Math.max(0, unit.scale());
        BigInteger size = unit.movePointRight(places).toBigIntegerExact();
        if (places > MAX_PLACES || size.bitLength() > 31 || size.intValue() * (places + 2L) > MAX_MULTIPLE) {
            throw new GrammarException("'multipleOf' %s cannot be enforced: it is too large or has too many places"
                    .formatted(of.toPlainString()));
        }
        return new Multiples(size.intValue(), integer ? 0 : places, places).automaton();
    }

    /**
     * States are the sign, then by digits after the point, and by what is left of dividing the digits so far, as an
     * integer, by {@code size}.
     */
    private record Multiples(int size, int written, int places) {

        /** The start and after the sign; after an integer part of "0" alone; after an integer part; then fractions. */
        TextAutomaton automaton() {
            List<int[]> cuts = new ArrayList<>();
            List<int[]> targets = new ArrayList<>();
            BitSet accepting = new BitSet();
            state(cuts, targets, begin(true));
            state(cuts, targets, begin(false));
            state(cuts, targets, point(new TextAutomaton.Ranges(), 0));
            accepting.set(2);
            for (int left = 0; left < size; left++) {
                TextAutomaton.Ranges ranges = new TextAutomaton.Ranges();
                point(ranges, left);
                digits(ranges, 0, left);
                state(cuts, targets, ranges);
                accepting.set(whole(left), complete(left, 0));
            }
            for (int place = 0; place <= written; place++) {
                for (int left = 0; left < size && written > 0; left++) {
                    TextAutomaton.Ranges ranges = new TextAutomaton.Ranges();
                    if (place < written) {
                        digits(ranges, place + 1, left);
                    }
                    state(cuts, targets, ranges);
                    accepting.set(fraction(place, left), place > 0 && complete(left, place));
                }
            }
            return new TextAutomaton(cuts, targets, accepting);
        }

        private static void state(List<int[]> cuts, List<int[]> targets, TextAutomaton.Ranges ranges) {
            cuts.add(ranges.cuts());
            targets.add(ranges.targets());
        }

        private TextAutomaton.Ranges begin(boolean signed) {
            TextAutomaton.Ranges ranges = new TextAutomaton.Ranges();
            if (signed) {
                ranges.add('-', '-', 1);
            }
            ranges.add('0', '0', 2);
            for (int d = 1; d < 10; d++) {
                ranges.add('0' + d, '0' + d, whole(d % size));
            }
            return ranges;
        }

        private TextAutomaton.Ranges point(TextAutomaton.Ranges ranges, int left) {
            if (written > 0) {
                ranges.add('.', '.', fraction(0, left));
            }
            return ranges;
        }

        private void digits(TextAutomaton.Ranges ranges, int place, int left) {
            for (int d = 0; d < 10; d++) {
                int next = (10 * left + d) % size;
                ranges.add('0' + d, '0' + d, place == 0 ? whole(next) : fraction(place, next));
            }
        }

        private int whole(int left) {
            return 3 + left;
        }

        private int fraction(int place, int left) {
            return 3 + size * (1 + place) + left;
        }

        /** Whether what is left is none, once the digits that are not written are taken as zeros. */
        private boolean complete(int left, int place) {
            long scaled = left;
            for (int i = place; i < places; i++) {
                scaled = 10 * scaled % size;
            }
            return scaled % size == 0;
        }
    }
}
