package dev.jeton.accounting;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.Arrays;

/**
 * Exact arithmetic on money. An amount is a {@code long} of nano-units, 1e-9 of the price book's currency: more than
 * nine thousand million units either way. Nothing wraps around: an amount that does not fit is an
 * {@link AccountingException}. Products are exact (128 bits, or more); the one rounding that a price needs is
 * half-even, so that many small prices do not drift.
 */
public final class Money {

    /** Nano-units of one unit of currency. */
    public static final long NANOS_PER_UNIT = 1_000_000_000L;
    /** Decimals of an amount. */
    public static final int DECIMALS = 9;

    private static final BigInteger UNIT = BigInteger.valueOf(NANOS_PER_UNIT);

    private Money() {}

    /**
     * What a quantity costs, rounded half-even once.
     *
     * @param quantity how much
     * @param rate price in units of currency of {@code per} of it
     * @param per 1 or more, as 1,000,000 for a price of a million tokens
     * @return nano-units
     */
    public static long priced(long quantity, Rate rate, long per) {
        return round(
                BigInteger.valueOf(quantity)
                        .multiply(BigInteger.valueOf(rate.unscaled()))
                        .multiply(UNIT),
                rate.denominator().multiply(BigInteger.valueOf(per)));
    }

    /**
     * A fraction rounded half-even to a whole number.
     *
     * @param denominator more than 0
     */
    public static long round(BigInteger numerator, BigInteger denominator) {
        return exact(rounded(numerator, denominator));
    }

    /** As {@link #round}, of any size. */
    static BigInteger rounded(BigInteger numerator, BigInteger denominator) {
        if (denominator.signum() <= 0) {
            throw new IllegalArgumentException("a denominator of " + denominator);
        }
        BigInteger[] parts = numerator.abs().divideAndRemainder(denominator);
        int half = parts[1].shiftLeft(1).compareTo(denominator);
        boolean up = half > 0 || (half == 0 && parts[0].testBit(0));
        BigInteger result = up ? parts[0].add(BigInteger.ONE) : parts[0];
        return numerator.signum() < 0 ? result.negate() : result;
    }

    /** The number as a {@code long}, or an {@link AccountingException} that says it does not fit. */
    static long exact(BigInteger value) {
        if (value.bitLength() > 63) {
            throw new AccountingException(
                    "%s does not fit into the books: amounts end at %d. Is a price or a quantity wrong?"
                            .formatted(value, Long.MAX_VALUE));
        }
        return value.longValue();
    }

    /** The sum; an {@link AccountingException} where it does not fit. */
    public static long add(long a, long b) {
        long sum = a + b;
        if (((a ^ sum) & (b ^ sum)) < 0) {
            return exact(BigInteger.valueOf(a).add(BigInteger.valueOf(b)));
        }
        return sum;
    }

    /**
     * Divides a total into whole parts in proportion to weights, by largest remainder: each part is its exact share
     * rounded down or up, and together they are the total. Of equal remainders the first is rounded up.
     *
     * @param total 0 or more
     * @param weights each 0 or more, and not all 0 unless the total is; a weight of 0 gets 0
     * @return as many parts as weights
     */
    public static long[] split(long total, long[] weights) {
        long[] parts = new long[weights.length];
        if (total == 0) {
            return parts;
        }
        BigInteger sum = sum(weights);
        if (total < 0 || sum.signum() == 0) {
            throw new IllegalArgumentException("%d cannot be divided by weights that sum to %s".formatted(total, sum));
        }
        return sum.bitLength() <= 62 ? split(total, weights, sum.longValue()) : split(total, weights, sum);
    }

    private static BigInteger sum(long[] weights) {
        long small = 0;
        BigInteger large = BigInteger.ZERO;
        for (long weight : weights) {
            if (weight < 0) {
                throw new IllegalArgumentException("a weight of " + weight);
            }
            if (small + weight < 0) {
                large = large.add(BigInteger.valueOf(small));
                small = 0;
            }
            small += weight;
        }
        return large.add(BigInteger.valueOf(small));
    }

    private static long[] split(long total, long[] weights, long sum) {
        long[] parts = new long[weights.length];
        long[] remainders = new long[weights.length];
        long left = total;
        for (int i = 0; i < weights.length; i++) {
            long high = Math.multiplyHigh(total, weights[i]);
            long low = total * weights[i];
            if (high == 0 && low >= 0) {
                parts[i] = low / sum;
                remainders[i] = low % sum;
            } else {
                BigInteger[] exact = BigInteger.valueOf(total)
                        .multiply(BigInteger.valueOf(weights[i]))
                        .divideAndRemainder(BigInteger.valueOf(sum));
                parts[i] = exact[0].longValue();
                remainders[i] = exact[1].longValue();
            }
            left -= parts[i];
        }
        roundUp(parts, remainders, (int) left);
        return parts;
    }

    /** Only for weights that together pass 2^62: their remainders are compared by their upper bits. */
    private static long[] split(long total, long[] weights, BigInteger sum) {
        long[] parts = new long[weights.length];
        long[] remainders = new long[weights.length];
        int shift = sum.bitLength() - 62;
        long left = total;
        for (int i = 0; i < weights.length; i++) {
            BigInteger[] exact = BigInteger.valueOf(total)
                    .multiply(BigInteger.valueOf(weights[i]))
                    .divideAndRemainder(sum);
            parts[i] = exact[0].longValue();
            // A remainder that is not 0 stays so: a weight of 0 must not be rounded up.
            remainders[i] = exact[1].signum() == 0
                    ? 0
                    : Math.max(1, exact[1].shiftRight(shift).longValue());
            left -= parts[i];
        }
        roundUp(parts, remainders, (int) left);
        return parts;
    }

    /** Adds one to each of the {@code count} parts of the largest remainders, the first of equal ones first. */
    private static void roundUp(long[] parts, long[] remainders, int count) {
        if (count == 0) {
            return;
        }
        long[] sorted = remainders.clone();
        Arrays.sort(sorted);
        long threshold = sorted[sorted.length - count];
        int given = 0;
        for (int i = 0; i < parts.length; i++) {
            if (remainders[i] > threshold) {
                parts[i]++;
                given++;
            }
        }
        for (int i = 0; i < parts.length && given < count; i++) {
            if (remainders[i] == threshold) {
                parts[i]++;
                given++;
            }
        }
    }

    /** An amount in units of currency, exactly. */
    public static BigDecimal decimal(long nanos) {
        return BigDecimal.valueOf(nanos, DECIMALS);
    }

    /** An amount in units of currency as text, without an exponent and without trailing zeros. */
    public static String text(long nanos) {
        return text(decimal(nanos));
    }

    /** A number without an exponent and without trailing zeros. */
    static String text(BigDecimal value) {
        return value.signum() == 0 ? "0" : value.stripTrailingZeros().toPlainString();
    }

    /** Nano-units of an amount in units of currency, rounded half-even. */
    public static long nanos(BigDecimal amount) {
        return exact(amount.movePointRight(DECIMALS)
                .setScale(0, RoundingMode.HALF_EVEN)
                .toBigInteger());
    }
}
