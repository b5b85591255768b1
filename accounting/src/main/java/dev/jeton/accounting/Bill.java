package dev.jeton.accounting;

/**
 * What a request cost, as far as it is known when it ends.
 *
 * @param currency ISO 4217 code of both amounts
 * @param priceBook version of the book that priced it
 * @param list list money, nano-units: final
 * @param metered what its device time and energy come to at the device's rates, nano-units: an estimate, because the window
 *     that divides the device's cost is still open; the ledger has the exact amount
 * @param deviceNanos device time that the tenant pays for
 * @param microjoules energy of that time, modelled
 */
public record Bill(String currency, String priceBook, long list, long metered, long deviceNanos, long microjoules) {

    /** List money less metered money. */
    public long margin() {
        return list - metered;
    }
}
