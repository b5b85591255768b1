package dev.jeton.accounting;

import java.math.BigDecimal;
import java.math.BigInteger;

/**
 * A price, a share or a factor as it was written: an exact decimal, never negative. The value is {@code unscaled}
 * divided by ten to the power {@code scale}; trailing zeros are dropped, so equal rates are equal records.
 *
 * @param unscaled the digits, 0 to 10^18 - 1
 * @param scale decimals, 0 to 18
 */
public record Rate(long unscaled, int scale) implements Comparable<Rate> {

    /** Most digits, and most decimals. */
    public static final int MAX_DIGITS = 18;
    /** Nothing. */
    public static final Rate ZERO = new Rate(0, 0);
    /** One. */
    public static final Rate ONE = new Rate(1, 0);

    /** Most characters of a rate as text; keeps absurd exponents out. */
    private static final int MAX_TEXT = 64;

    private static final long LIMIT = 1_000_000_000_000_000_000L;

    /** Checks the bounds and drops trailing zeros. */
    public Rate {
        if (unscaled < 0 || unscaled >= LIMIT || scale < 0 || scale > MAX_DIGITS) {
            throw new AccountingException(
                    "%d with %d decimals is not a rate: 0 or more, with at most %d digits and %d decimals, is expected"
                            .formatted(unscaled, scale, MAX_DIGITS, MAX_DIGITS));
        }
        while (scale > 0 && unscaled % 10 == 0) {
            unscaled /= 10;
            scale--;
        }
    }

    /** A rate from text as {@code 0.25}; anything else is an {@link AccountingException}. */
    public static Rate of(String text) {
        if (text.length() > MAX_TEXT) {
            throw new AccountingException("a number of %d characters is not a rate: at most %d digits are expected"
                    .formatted(text.length(), MAX_DIGITS));
        }
        try {
            return of(new BigDecimal(text));
        } catch (NumberFormatException e) {
            throw new AccountingException("'%s' is not a number: a decimal as 0.25 is expected".formatted(text), e);
        }
    }

    /** So many times this. */
    Rate times(int count) {
        return of(decimal().multiply(BigDecimal.valueOf(count)));
    }

    /** A rate of this value, exactly. */
    public static Rate of(BigDecimal value) {
        if (value.signum() < 0) {
            throw new AccountingException("%s is negative: 0 or more is expected".formatted(value));
        }
        if (value.signum() == 0) {
            return ZERO;
        }
        // Before anything is expanded: 1e999999999 is a short text and a long number.
        long whole = (long) value.precision() - value.scale();
        if (whole > MAX_DIGITS || value.scale() > 4 * MAX_TEXT) {
            throw tooLong(value);
        }
        BigDecimal plain = value.stripTrailingZeros();
        if (plain.scale() < 0) {
            plain = plain.setScale(0);
        }
        if (plain.precision() > MAX_DIGITS || plain.scale() > MAX_DIGITS) {
            throw tooLong(value);
        }
        return new Rate(plain.unscaledValue().longValueExact(), plain.scale());
    }

    private static AccountingException tooLong(BigDecimal value) {
        return new AccountingException("%s has too many digits: at most %d digits and %d decimals are expected"
                .formatted(value, MAX_DIGITS, MAX_DIGITS));
    }

    /** The same value as a decimal. */
    public BigDecimal decimal() {
        return BigDecimal.valueOf(unscaled, scale);
    }

    /** The power of ten by which {@link #unscaled} is divided. */
    BigInteger denominator() {
        return BigInteger.TEN.pow(scale);
    }

    /** Whether it is nothing. */
    public boolean isZero() {
        return unscaled == 0;
    }

    @Override
    public int compareTo(Rate other) {
        return decimal().compareTo(other.decimal());
    }

    /** Without an exponent. */
    @Override
    public String toString() {
        return decimal().toPlainString();
    }
}
