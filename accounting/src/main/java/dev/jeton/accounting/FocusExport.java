package dev.jeton.accounting;

import dev.jeton.accounting.Posting.Account;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Currency;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * Writes hours of the ledger as cost and usage data of FOCUS 1.2, the FinOps specification: CSV, UTF-8 if the caller
 * encodes so.
 *
 * <p>An export has one basis, because token rows and device rows together would count every cost twice; the other basis
 * is in the columns {@code x_ListCost} (tokens), {@code x_EgressCost} (bytes) and {@code x_StepCost} (steps of tasks),
 * both by the list too, and {@code x_MeteredCost}, each hour's in its first row. The list basis has a row for each kind
 * of token, and one for the bytes of answers where the price book has a price for them. The metered basis has a row for
 * device time, at the hour's average price of a second, and rows for idle time, overhead and the house.
 *
 * <p>In each row quantity times unit price is the cost, exactly. What that leaves of the ledger's amounts is in rows of
 * its own, one an hour and tenant, so that {@link #billed} is the ledger's sum, exactly. Rows are expected by hour; in
 * another order there are only more rows of remainders.
 *
 * <p>Not for more than one thread.
 */
public final class FocusExport {

    /** What the cost columns hold. */
    public enum Basis {
        /** Money by the price list. */
        LIST,
        /** Money by the devices' cost. */
        METERED
    }

    /** For whom an export is. */
    public enum Reader {
        /** Sees every column. */
        OPERATOR,
        /** Does not see device time, energy and metered cost: they depend on what other tenants did. */
        TENANT
    }

    /**
     * Who bills, in every row.
     *
     * @param accountId id of the billing account, not empty
     * @param accountName its name, not empty
     * @param provider who provides the service, publishes it and bills it, not empty
     * @param service name of the service, not empty
     */
    public record Issuer(String accountId, String accountName, String provider, String service) {

        /** Checks that nothing is missing. */
        public Issuer {
            if (accountId.isBlank() || accountName.isBlank() || provider.isBlank() || service.isBlank()) {
                throw new AccountingException(
                        "an export needs id and name of a billing account, a provider and a service: one is empty");
            }
        }
    }

    private static final int PRICE_DECIMALS = 12;
    /** As FOCUS writes 10^9 bytes. */
    private static final String GIGABYTES = "GB";

    private static final String DATA_TRANSFER = "Data Transfer";
    private static final String STEPS = "Steps";

    private final Basis basis;
    private final Reader reader;
    private final Issuer issuer;
    private final Function<String, PriceBook> books;
    private final Appendable out;
    private final Map<String, BigDecimal> remainders = new TreeMap<>();

    private Optional<Currency> currency = Optional.empty();
    private long remaindersOf;
    private BigDecimal billed = BigDecimal.ZERO;

    /**
     * Begins with the names of the columns.
     *
     * @param reader a tenant gets the list basis only
     * @param books price books by version
     * @param out where to; not closed
     */
    public FocusExport(Basis basis, Reader reader, Issuer issuer, Function<String, PriceBook> books, Appendable out) {
        if (basis == Basis.METERED && reader == Reader.TENANT) {
            throw new AccountingException("what devices cost is for operators; export a tenant's bill by list");
        }
        this.basis = basis;
        this.reader = reader;
        this.issuer = issuer;
        this.books = books;
        this.out = out;
        try {
            FocusRow.header(out);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The sum of BilledCost until now. */
    public BigDecimal billed() {
        return billed;
    }

    /** Writes an hour of requests. */
    public void usage(HourRow row) {
        hour(row.hour());
        if (basis == Basis.LIST) {
            list(row);
            return;
        }
        if (ofNoRequest(row)) {
            return;
        }
        FocusRow charge = requests(row, hourOf(row.hour()), Account.TENANT).tenant(row.tenant());
        memo(charge, row);
        boolean again = row.payable() == 0 && row.kvByteSeconds() == 0;
        device(charge, row.tenant(), "requests", row.payable(), row.metered(), again);
        if (row.house() != 0 || row.houseMoney() != 0) {
            FocusRow house = requests(row, hourOf(row.hour()), Account.HOUSE)
                    .set(FocusColumn.x_MeteredCost, Money.decimal(row.houseMoney()))
                    .set(FocusColumn.x_DeviceSeconds, seconds(row.house()));
            device(house, "", "house", row.house(), row.houseMoney(), row.house() == 0);
        }
    }

    /** Writes an hour of a device outside of requests; an export by list has no place for it, and skips it. */
    public void device(DeviceHour row) {
        if (basis == Basis.LIST) {
            return;
        }
        hour(row.hour());
        FocusRow charge = row(row, hourOf(row.hour()));
        if (row.account() == Account.ROUNDING) {
            adjust(charge, "What dividing the cost of " + row.device() + " left over", Money.decimal(row.money()));
        } else {
            device(charge, row.tenant(), meter(row.account()), row.nanos(), row.money(), row.nanos() == 0);
        }
    }

    /**
     * Writes what became known of a period after it was closed: a row of class Correction, which is billed in the month
     * in which it was booked.
     *
     * @param row the difference, with the hour in which it was booked; amounts of money may be negative
     * @param about the closed period
     */
    public void correction(HourRow row, Period about) {
        FocusRow charge = requests(row, about, Account.TENANT).tenant(row.tenant());
        memo(charge, row);
        if (basis == Basis.LIST && !row.step().isEmpty()) {
            correct(charge, "steps/" + row.step(), STEPS, BigDecimal.valueOf(row.steps()), row.stepMoney());
            return;
        }
        if (basis == Basis.LIST) {
            Tokens used = row.tokens();
            long sum = Money.add(Money.add(used.input(), used.cached()), used.output());
            correct(charge, "tokens/" + row.model() + "/all", "Tokens", BigDecimal.valueOf(sum), row.list());
            if (row.egress() != 0) {
                FocusRow bytes = requests(row, about, Account.TENANT).tenant(row.tenant());
                correct(bytes, row.zones().sku(), GIGABYTES, EgressCharge.gigabytes(row), row.egress());
            }
            return;
        }
        if (ofNoRequest(row)) {
            return;
        }
        correct(charge, "device-time/requests", "Seconds", seconds(row.payable()), row.metered());
        if (row.house() != 0 || row.houseMoney() != 0) {
            FocusRow house = requests(row, about, Account.HOUSE)
                    .set(FocusColumn.x_MeteredCost, Money.decimal(row.houseMoney()))
                    .set(FocusColumn.x_DeviceSeconds, seconds(row.house()));
            correct(house, "device-time/house", "Seconds", seconds(row.house()), row.houseMoney());
        }
    }

    /** As {@link #correction(HourRow, Period)}, of a device. */
    public void correction(DeviceHour row, Period about) {
        if (basis == Basis.METERED) {
            FocusRow charge = row(row, about);
            correct(charge, "device-time/" + meter(row.account()), "Seconds", seconds(row.nanos()), row.money());
        }
    }

    /** Writes what is left; the export is complete then. */
    public void finish() {
        for (Map.Entry<String, BigDecimal> entry : remainders.entrySet()) {
            if (entry.getValue().signum() != 0) {
                FocusRow charge = start(hourOf(remaindersOf), remaindersOf, Account.ROUNDING)
                        .tenant(entry.getKey());
                adjust(charge, "Rounding of the hour", entry.getValue());
            }
        }
        remainders.clear();
    }

    private void hour(long hour) {
        if (hour != remaindersOf) {
            finish();
            remaindersOf = hour;
        }
    }

    private void list(HourRow row) {
        if (!row.step().isEmpty()) {
            steps(row);
            return;
        }
        PriceBook book = book(row.priceBook());
        BigDecimal left = Money.decimal(row.list());
        boolean first = true;
        TokenCharges charges = TokenCharges.of(book, row);
        for (TokenCharges.Charge charge : charges.charges()) {
            FocusRow next = requests(row, hourOf(row.hour()), Account.TENANT).tenant(row.tenant());
            if (first) {
                memo(next, row);
                first = false;
            }
            String sku = "tokens/%s/%s%s"
                    .formatted(
                            row.model(),
                            charge.meter().name().toLowerCase(Locale.ROOT),
                            row.work().batch() ? "/batch" : "");
            sku(next, sku, charge.meter().title(), BigDecimal.valueOf(charge.tokens()), "Tokens");
            next.set(
                            FocusColumn.ChargeDescription,
                            "%s of %s".formatted(charge.meter().title(), row.model()))
                    .set(FocusColumn.PricingCategory, "Standard")
                    .set(FocusColumn.SkuPriceDetails, FocusRow.json(Map.of("x_PriceBook", row.priceBook())));
            BigDecimal quantity = BigDecimal.valueOf(charge.tokens(), 6);
            BigDecimal cost = next.priced(quantity, "1000000 Tokens", charge.price(), sku);
            left = left.subtract(cost);
            write(next, cost);
        }
        if (charges.rounding()) {
            remainders.merge(row.tenant(), left, BigDecimal::add);
        } else {
            FocusRow next = requests(row, hourOf(row.hour()), Account.TENANT).tenant(row.tenant());
            adjust(next, "Discounts and price changes within the hour for " + row.model(), left);
        }
        EgressCharge.of(book, row).ifPresent(charge -> egress(row, charge));
    }

    /** Steps of tasks, each of which has a cost of its own: at their average. */
    private void steps(HourRow row) {
        FocusRow charge = requests(row, hourOf(row.hour()), Account.TENANT).tenant(row.tenant());
        memo(charge, row);
        BigDecimal exact = Money.decimal(row.stepMoney());
        BigDecimal quantity = BigDecimal.valueOf(row.steps());
        String sku = "steps/" + row.step();
        sku(charge, sku, STEPS, quantity, STEPS);
        charge.set(FocusColumn.ChargeDescription, "Steps of tasks, " + row.step())
                .set(FocusColumn.PricingCategory, "Other");
        BigDecimal price =
                quantity.signum() == 0 ? BigDecimal.ZERO : exact.divide(quantity, PRICE_DECIMALS, RoundingMode.DOWN);
        BigDecimal cost = charge.priced(quantity, STEPS, price, sku);
        write(charge, cost);
        remainders.merge(row.tenant(), exact.subtract(cost), BigDecimal::add);
    }

    /** Bytes of answers: a usage of the same service, whatever the model. */
    private void egress(HourRow row, EgressCharge charge) {
        FocusRow next = requests(row, hourOf(row.hour()), Account.TENANT).tenant(row.tenant());
        String sku = row.zones().sku();
        sku(next, sku, DATA_TRANSFER, charge.gigabytes(), GIGABYTES);
        next.set(FocusColumn.ChargeDescription, "Bytes of answers of " + row.model())
                .set(FocusColumn.PricingCategory, charge.listed() ? "Standard" : "Dynamic")
                .set(FocusColumn.SkuPriceDetails, FocusRow.json(Map.of("x_PriceBook", row.priceBook())));
        BigDecimal cost = next.priced(charge.gigabytes(), GIGABYTES, charge.price(), sku);
        write(next, cost);
        remainders.merge(row.tenant(), Money.decimal(row.egress()).subtract(cost), BigDecimal::add);
    }

    /**
     * Device time at its average price; what held memory, but no time, is priced by the hour.
     *
     * @param again whether there is neither: other prices were decided, and the time is with those before
     */
    private void device(FocusRow charge, String tenant, String meter, long nanos, long money, boolean again) {
        if (nanos < 0 || money < 0) {
            throw new AccountingException(
                    "an hour of %d ns and %d nano-units is negative: what takes something back is a correction"
                            .formatted(nanos, money));
        }
        BigDecimal exact = Money.decimal(money);
        if (again && money != 0) {
            adjust(charge, "Device time costed again, " + meter, exact);
            return;
        }
        boolean timed = nanos > 0 || money == 0;
        BigDecimal quantity = timed ? seconds(nanos) : BigDecimal.ONE;
        String unit = timed ? "Seconds" : "Hours";
        String sku = (timed ? "device-time/" : "memory/") + meter;
        sku(charge, sku, timed ? "Device Time" : "KV Cache Residency", quantity, unit);
        charge.set(FocusColumn.ChargeDescription, "%s, %s".formatted(timed ? "Device time" : "KV memory held", meter))
                .set(FocusColumn.PricingCategory, "Dynamic");
        BigDecimal price =
                quantity.signum() == 0 ? BigDecimal.ZERO : exact.divide(quantity, PRICE_DECIMALS, RoundingMode.DOWN);
        BigDecimal cost = charge.priced(quantity, unit, price, sku);
        write(charge, cost);
        remainders.merge(tenant, exact.subtract(cost), BigDecimal::add);
    }

    private static String meter(Account account) {
        return switch (account) {
            case TENANT -> "reserved";
            case IDLE -> "idle";
            case OVERHEAD -> "overhead";
            case HOUSE -> "house";
            case ROUNDING -> "rounding";
            case DEVICE -> "device";
        };
    }

    private void correct(FocusRow charge, String sku, String unit, BigDecimal quantity, long money) {
        BigDecimal cost = Money.decimal(money);
        String meter = switch (unit) {
            case "Tokens" -> "Tokens";
            case GIGABYTES -> DATA_TRANSFER;
            case STEPS -> STEPS;
            default -> "Device Time";
        };
        sku(charge, sku, meter, quantity, unit);
        charge.set(FocusColumn.ChargeClass, "Correction")
                .set(FocusColumn.ChargeDescription, "Correction of a closed period")
                .cost(cost);
        write(charge, cost);
    }

    private static void sku(FocusRow charge, String sku, String meter, BigDecimal consumed, String unit) {
        charge.set(FocusColumn.ChargeCategory, "Usage")
                .set(FocusColumn.ChargeFrequency, "Usage-Based")
                .set(FocusColumn.SkuId, sku)
                .set(FocusColumn.SkuMeter, meter)
                .set(FocusColumn.ConsumedQuantity, consumed)
                .set(FocusColumn.ConsumedUnit, unit);
    }

    /** A cost without a quantity. */
    private void adjust(FocusRow charge, String description, BigDecimal cost) {
        charge.set(FocusColumn.ChargeCategory, "Adjustment")
                .set(FocusColumn.ChargeFrequency, "One-Time")
                .set(FocusColumn.ChargeDescription, description)
                .cost(cost);
        write(charge, cost);
    }

    /** What a tenant is metered without a request, as for what it reserved: the device's hour has it, too. */
    private static boolean ofNoRequest(HourRow row) {
        return row.model().isEmpty() && row.step().isEmpty();
    }

    private static Period hourOf(long hour) {
        return new Period(hour, hour + Periods.HOUR);
    }

    private FocusRow requests(HourRow row, Period charged, Account account) {
        book(row.priceBook());
        return start(charged, row.hour(), account)
                .tags(row.labels())
                .set(FocusColumn.x_Model, row.model())
                .set(FocusColumn.x_Project, row.project())
                .set(FocusColumn.x_KeyId, row.key())
                .set(FocusColumn.x_PriceBook, row.priceBook())
                .set(FocusColumn.x_Step, row.step())
                .set(FocusColumn.x_Work, row.work().text())
                .set(FocusColumn.x_ZoneFrom, row.zones().from())
                .set(FocusColumn.x_ZoneTo, row.zones().to());
    }

    /** What is told once an hour of requests, however many rows it becomes. */
    private void memo(FocusRow charge, HourRow row) {
        charge.set(FocusColumn.x_ListCost, Money.decimal(row.list()))
                .set(FocusColumn.x_EgressCost, Money.decimal(row.egress()))
                .set(FocusColumn.x_StepCost, Money.decimal(row.stepMoney()))
                .set(FocusColumn.x_Requests, BigDecimal.valueOf(row.requests()));
        if (reader == Reader.OPERATOR) {
            charge.set(FocusColumn.x_DeviceSeconds, seconds(row.payable()))
                    .set(FocusColumn.x_Joules, BigDecimal.valueOf(row.microjoules(), 6))
                    .set(FocusColumn.x_MeteredCost, Money.decimal(row.metered()));
        }
    }

    private FocusRow row(DeviceHour row, Period charged) {
        book(row.priceBook());
        FocusRow result = start(charged, row.hour(), row.account());
        if (row.account() == Account.TENANT) {
            result.set(FocusColumn.CapacityReservationId, row.tenant() + "/" + row.device())
                    .set(FocusColumn.CapacityReservationStatus, "Unused");
        }
        return result.tenant(row.tenant())
                .set(FocusColumn.x_Device, row.device())
                .set(FocusColumn.x_DeviceSeconds, seconds(row.nanos()))
                .set(FocusColumn.x_Joules, BigDecimal.valueOf(row.microjoules(), 6))
                .set(FocusColumn.x_MeteredCost, Money.decimal(row.money()))
                .set(FocusColumn.x_PriceBook, row.priceBook());
    }

    private FocusRow start(Period charged, long booked, Account account) {
        return new FocusRow()
                .periods(charged, booked)
                .set(FocusColumn.BillingAccountId, issuer.accountId())
                .set(FocusColumn.BillingAccountName, issuer.accountName())
                .set(
                        FocusColumn.BillingCurrency,
                        currency.map(Currency::getCurrencyCode).orElse(""))
                .set(FocusColumn.InvoiceIssuerName, issuer.provider())
                .set(FocusColumn.ProviderName, issuer.provider())
                .set(FocusColumn.PublisherName, issuer.provider())
                .set(FocusColumn.ServiceCategory, "AI and Machine Learning")
                .set(FocusColumn.ServiceSubcategory, "Generative AI")
                .set(FocusColumn.ServiceName, issuer.service())
                .set(
                        FocusColumn.x_Account,
                        account.name().charAt(0) + account.name().substring(1).toLowerCase(Locale.ROOT));
    }

    private PriceBook book(String version) {
        PriceBook book = books.apply(version);
        Currency its = book.currency();
        if (!currency.map(its::equals).orElse(true)) {
            throw new AccountingException(
                    "price book %s is in %s, books before it in %s: nothing can be summed. Export each period alone."
                            .formatted(version, its, currency.orElse(its)));
        }
        currency = Optional.of(its);
        return book;
    }

    private static BigDecimal seconds(long nanos) {
        return BigDecimal.valueOf(nanos, 9);
    }

    private void write(FocusRow row, BigDecimal cost) {
        try {
            row.write(out);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        billed = billed.add(cost);
    }
}
