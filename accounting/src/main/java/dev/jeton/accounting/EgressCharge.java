package dev.jeton.accounting;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Optional;

/**
 * How the bytes of an hour were priced. The price book's price is the one where it accounts for their money, up to
 * rounding. Where it does not, because a part of them was booked by a program that did not price bytes yet, the hour's
 * average is.
 *
 * @param gigabytes of {@link EgressPrice#BYTES} bytes, exactly
 * @param price units of currency of one of them
 * @param listed whether it is the price book's
 */
record EgressCharge(BigDecimal gigabytes, BigDecimal price, boolean listed) {

    private static final int SCALE = 9;
    private static final int PRICE_DECIMALS = 12;
    private static final BigDecimal ROUNDING = new BigDecimal("0.0000000005");

    /** The charge of an hour that is no correction; empty where its book has no price for such bytes. */
    static Optional<EgressCharge> of(PriceBook book, HourRow row) {
        Optional<Rate> rate = book.egressRate(row.zones());
        if (row.egressBytes() == 0 || rate.isEmpty() && row.egress() == 0) {
            return Optional.empty();
        }
        BigDecimal gigabytes = gigabytes(row);
        BigDecimal money = Money.decimal(row.egress());
        BigDecimal price = rate.orElse(Rate.ZERO).decimal();
        BigDecimal most = ROUNDING.multiply(BigDecimal.valueOf(Math.max(1, row.requests())));
        if (price.multiply(gigabytes).subtract(money).abs().compareTo(most) <= 0) {
            return Optional.of(new EgressCharge(gigabytes, price, true));
        }
        return Optional.of(
                new EgressCharge(gigabytes, money.divide(gigabytes, PRICE_DECIMALS, RoundingMode.DOWN), false));
    }

    /** The bytes of an hour. */
    static BigDecimal gigabytes(HourRow row) {
        return BigDecimal.valueOf(row.egressBytes(), SCALE);
    }
}
