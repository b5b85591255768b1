package dev.jeton.accounting;

import java.math.BigInteger;

/**
 * What a request cost, as far as it is known when it ends. The price of its answer's bytes is not: the answer says what
 * it cost before all of them are counted.
 *
 * @param currency ISO 4217 code of both amounts
 * @param priceBook version of the book that priced it
 * @param list list money of its tokens, nano-units: final
 * @param metered what its device time and energy come to at the device's rates, nano-units: an estimate, because the
 *     window that divides the device's cost is still open; the ledger has the exact amount
 * @param deviceNanos device time that the tenant pays for
 * @param microjoules energy of that time, modelled
 */
public record Bill(String currency, String priceBook, long list, long metered, long deviceNanos, long microjoules) {

    private static final BigInteger MICROS_PER_HOUR = BigInteger.valueOf(3_600_000_000L);

    /** What device time comes to at the device's own rate of the hour until now, and the list price beside it. */
    static Bill estimate(PriceBook book, String device, long now, long deviceNanos, long list) {
        DevicePrice price = book.device(device);
        long hour = price.cost(now - MICROS_PER_HOUR.longValueExact(), now);
        long capital = Money.round(
                BigInteger.valueOf(hour).multiply(BigInteger.valueOf(deviceNanos)),
                MICROS_PER_HOUR.multiply(BigInteger.valueOf(1_000)));
        long microjoules = Money.round(
                BigInteger.valueOf(deviceNanos)
                        .multiply(BigInteger.valueOf(price.busyWatts().unscaled())),
                price.busyWatts().denominator().multiply(BigInteger.valueOf(1_000)));
        long metered = Money.add(capital, price.energyCost(microjoules, book.electricity()));
        return new Bill(book.currency().getCurrencyCode(), book.version(), list, metered, deviceNanos, microjoules);
    }

    /** List money less metered money. */
    public long margin() {
        return list - metered;
    }
}
