package dev.jeton.accounting;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;

/**
 * Finds how the requests of an hour were priced by the list: by the kind of work they were. Where an earlier version
 * did not book that, whichever price accounts for the money, up to rounding, is the one. Where none does, because
 * several were in force or the tariff changed, the plain price is, and the difference is no rounding.
 *
 * @param charges one or more
 * @param rounding whether they differ from the hour's money by rounding only
 */
record TokenCharges(List<Charge> charges, boolean rounding) {

    private static final BigDecimal HUNDRED = BigDecimal.valueOf(100);

    /** Half a nano-unit for each of three kinds. */
    private static final BigDecimal ROUNDING = new BigDecimal("0.0000000015");

    /**
     * Tokens of a kind.
     *
     * @param price units of currency of 1,000,000
     */
    record Charge(Tariff.Meter meter, long tokens, BigDecimal price) {

        BigDecimal cost() {
            return price.multiply(BigDecimal.valueOf(tokens, 6));
        }
    }

    static TokenCharges of(PriceBook book, HourRow row) {
        // The list counts when a request was opened, which may lie before the hour in which it ended.
        Tariff tariff = book.tariff(row.model(), row.tenant(), row.hour())
                .orElse(new Tariff("*", "", Rate.ZERO, Rate.ZERO, Rate.ZERO, Rate.ZERO, Rate.ZERO, Period.ALWAYS));
        BigDecimal most = ROUNDING.multiply(BigDecimal.valueOf(Math.max(1, row.requests())));
        for (Work work : row.work() == Work.UNKNOWN ? List.of(Work.values()) : List.of(row.work())) {
            List<Charge> charges = charges(tariff, row.tokens(), work);
            BigDecimal sum = charges.stream().map(Charge::cost).reduce(BigDecimal.ZERO, BigDecimal::add);
            if (sum.subtract(Money.decimal(row.list())).abs().compareTo(most) <= 0) {
                return new TokenCharges(charges, true);
            }
        }
        return new TokenCharges(charges(tariff, row.tokens(), row.work()), false);
    }

    private static List<Charge> charges(Tariff tariff, Tokens tokens, Work work) {
        List<Charge> result = new ArrayList<>();
        if (work.embeddings()) {
            long all = Money.add(tokens.input(), tokens.cached());
            result.add(charge(tariff, Tariff.Meter.EMBEDDINGS, all, work.batch()));
            return result;
        }
        for (Tariff.Meter meter : List.of(Tariff.Meter.INPUT, Tariff.Meter.CACHED, Tariff.Meter.OUTPUT)) {
            long count = switch (meter) {
                case INPUT, EMBEDDINGS -> tokens.input();
                case CACHED -> tokens.cached();
                case OUTPUT -> tokens.output();
            };
            if (count > 0) {
                result.add(charge(tariff, meter, count, work.batch()));
            }
        }
        if (result.isEmpty()) {
            result.add(charge(tariff, Tariff.Meter.INPUT, 0, work.batch()));
        }
        return result;
    }

    private static Charge charge(Tariff tariff, Tariff.Meter meter, long tokens, boolean batch) {
        BigDecimal price = tariff.rate(meter).decimal();
        if (batch) {
            price = price.multiply(HUNDRED.subtract(tariff.batchDiscount().decimal()))
                    .divide(HUNDRED);
        }
        return new Charge(meter, tokens, price);
    }
}
