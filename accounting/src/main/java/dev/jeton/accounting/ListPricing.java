package dev.jeton.accounting;

import java.math.BigInteger;

/**
 * Prices tokens by the list. Each kind is priced once, from its whole quantity, so the price of a sum differs from the
 * sum of prices by rounding only: half a nano-unit for each kind of each.
 *
 * @param book whose list
 */
public record ListPricing(PriceBook book) {

    private static final BigInteger HUNDRED = BigInteger.valueOf(100);

    /**
     * List money by kind, in nano-units.
     *
     * @param input prompt tokens that were not cached, or embedded ones
     * @param cached prompt tokens that were
     * @param output generated tokens
     */
    public record ListPrice(long input, long cached, long output) {

        /** No price. */
        public static final ListPrice NONE = new ListPrice(0, 0, 0);

        /** The sum of the kinds. */
        public long total() {
            return Money.add(Money.add(input, cached), output);
        }
    }

    /**
     * The price of a request; of embeddings all its input, cached or not, at the price of embeddings.
     *
     * @param at when the request was opened, microseconds since 1970
     * @return nothing where the list has no entry
     */
    public ListPrice price(String model, String tenant, Tokens tokens, long at, Work work) {
        return book.tariff(model, tenant, at)
                .map(tariff -> price(tokens, tariff, work))
                .orElse(ListPrice.NONE);
    }

    /**
     * The most that a request can cost, however much of its prompt is found in the cache.
     *
     * @param prompt tokens of the prompt
     * @param output tokens generated
     * @return nano-units
     */
    public long dearest(String model, String tenant, long prompt, long output, long at, Work work) {
        return book.tariff(model, tenant, at)
                .map(tariff -> {
                    long fresh =
                            price(new Tokens(prompt, 0, output), tariff, work).total();
                    long cached =
                            price(new Tokens(0, prompt, output), tariff, work).total();
                    return Money.add(Math.max(fresh, cached), rounding(tariff, work));
                })
                .orElse(0L);
    }

    /** By how much the parts of a prompt can cost more than the whole of it. */
    private static long rounding(Tariff tariff, Work work) {
        boolean whole =
                !work.batch() && whole(tariff.rate(Tariff.Meter.INPUT)) && whole(tariff.rate(Tariff.Meter.CACHED));
        return whole || work.embeddings() ? 0 : 1;
    }

    /** Whether a token costs a whole number of nano-units. */
    private static boolean whole(Rate rate) {
        BigInteger nanos = BigInteger.valueOf(rate.unscaled()).multiply(BigInteger.valueOf(Money.NANOS_PER_UNIT));
        return nanos.mod(rate.denominator().multiply(BigInteger.valueOf(Tariff.TOKENS)))
                        .signum()
                == 0;
    }

    private static ListPrice price(Tokens tokens, Tariff tariff, Work work) {
        if (work.embeddings()) {
            long all = Money.add(tokens.input(), tokens.cached());
            return new ListPrice(price(all, tariff, Tariff.Meter.EMBEDDINGS, work.batch()), 0, 0);
        }
        return new ListPrice(
                price(tokens.input(), tariff, Tariff.Meter.INPUT, work.batch()),
                price(tokens.cached(), tariff, Tariff.Meter.CACHED, work.batch()),
                price(tokens.output(), tariff, Tariff.Meter.OUTPUT, work.batch()));
    }

    private static long price(long tokens, Tariff tariff, Tariff.Meter meter, boolean batch) {
        Rate rate = tariff.rate(meter);
        if (!batch || tariff.batchDiscount().isZero()) {
            return Money.priced(tokens, rate, Tariff.TOKENS);
        }
        Rate off = tariff.batchDiscount();
        BigInteger kept = HUNDRED.multiply(off.denominator()).subtract(BigInteger.valueOf(off.unscaled()));
        return Money.round(
                BigInteger.valueOf(tokens)
                        .multiply(BigInteger.valueOf(rate.unscaled()))
                        .multiply(BigInteger.valueOf(Money.NANOS_PER_UNIT))
                        .multiply(kept),
                rate.denominator()
                        .multiply(BigInteger.valueOf(Tariff.TOKENS))
                        .multiply(HUNDRED)
                        .multiply(off.denominator()));
    }
}
