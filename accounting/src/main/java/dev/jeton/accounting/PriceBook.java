package dev.jeton.accounting;

import java.io.IOException;
import java.io.InputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.Currency;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * All prices, as one document. It is never changed: another content is another version, and whatever was priced names
 * the version it was priced by.
 *
 * @param version the first 16 hexadecimal digits of the SHA-256 of the content
 * @param content the document, YAML
 * @param currency of every amount in it
 * @param electricity units of currency of one kilowatt hour
 * @param devices what device groups cost
 * @param tariffs the price list
 * @param egress prices of bytes by zones, the one for any zones included
 * @param reservations shares of devices that tenants have booked
 * @param steps prices of tasks' steps that say how much there was and not what it cost
 */
public record PriceBook(
        String version,
        String content,
        Currency currency,
        Rate electricity,
        List<DevicePrice> devices,
        List<Tariff> tariffs,
        List<EgressPrice> egress,
        List<Reservation> reservations,
        List<StepPrice> steps) {

    /** Most bytes of a document. */
    public static final int MAX_BYTES = 1 << 20;
    /** Most entries of a list in it. */
    public static final int MAX_ENTRIES = 10_000;

    private static final String FREE = "free-prices.yaml";

    /** With lists of its own. */
    public PriceBook {
        devices = List.copyOf(devices);
        tariffs = List.copyOf(tariffs);
        egress = List.copyOf(egress);
        reservations = List.copyOf(reservations);
        steps = List.copyOf(steps);
    }

    /** Reads a file. */
    public static PriceBook load(Path file) {
        String name = String.valueOf(file.getFileName());
        try (InputStream in = Files.newInputStream(file)) {
            byte[] bytes = in.readNBytes(MAX_BYTES + 1);
            if (bytes.length > MAX_BYTES) {
                throw tooLarge(name);
            }
            return parse(name, new String(bytes, StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new AccountingException(
                    "cannot read the price book %s: %s. Check the path and the rights.".formatted(file, e), e);
        }
    }

    /**
     * Reads a document.
     *
     * @param name what messages call it
     */
    public static PriceBook parse(String name, String content) {
        if (content.getBytes(StandardCharsets.UTF_8).length > MAX_BYTES) {
            throw tooLarge(name);
        }
        return new PriceBookReader(name).read(content);
    }

    private static AccountingException tooLarge(String name) {
        return new AccountingException(
                "%s is larger than %,d bytes, the most that a price book may have: use patterns instead of single names"
                        .formatted(name, MAX_BYTES));
    }

    /** The book for servers that were given none: everything costs nothing. */
    public static PriceBook free() {
        try (InputStream in = PriceBook.class.getResourceAsStream(FREE)) {
            if (in == null) {
                throw new IllegalStateException(FREE + " is missing from the jar");
            }
            return parse(FREE, new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new IllegalStateException(FREE + " cannot be read from the jar", e);
        }
    }

    /** What someone who adopts the book should know; empty where there is nothing to say. */
    public Optional<String> warning() {
        boolean priced = tariffs.stream().anyMatch(PriceBook::priced)
                || devices.stream().anyMatch(device -> !device.capital().isZero())
                || egress.stream().anyMatch(price -> !price.perGigabyte().isZero())
                || steps.stream().anyMatch(price -> !price.price().isZero());
        if (priced) {
            return Optional.empty();
        }
        return Optional.of(
                "price book %s has no price above 0: time, energy, tokens and bytes are counted, but every amount"
                                .formatted(version)
                        + " of money will be 0. Name a book with prices (docs/price-book.yaml is an example).");
    }

    private static boolean priced(Tariff tariff) {
        for (Tariff.Meter meter : Tariff.Meter.values()) {
            if (!tariff.rate(meter).isZero()) {
                return true;
            }
        }
        return false;
    }

    /**
     * Why this book cannot be followed by another while the process runs; empty where it can. What devices cost is
     * divided by windows of their time and their energy is modelled by it, so that stays; list prices, egress and
     * reservations may change.
     */
    public Optional<String> obstacle(PriceBook next) {
        String part;
        if (!currency.equals(next.currency())) {
            part = "'currency' (%s, not %s)"
                    .formatted(currency.getCurrencyCode(), next.currency().getCurrencyCode());
        } else if (!electricity.equals(next.electricity())) {
            part = "'electricity' (%s, not %s)".formatted(electricity, next.electricity());
        } else if (!devices.equals(next.devices())) {
            part = "'devices'";
        } else {
            return Optional.empty();
        }
        return Optional.of(
                ("%s differs from the price book in force, and what devices cost cannot change while the server runs:"
                                + " change it in the file of books.prices and restart; 'jeton recost' corrects the past")
                        .formatted(part));
    }

    /**
     * The same book with other reservations; the document's other lines, comments too, stay as they are.
     *
     * @throws AccountingException where a device would be booked more than once over, or the document has no place
     */
    public PriceBook withReservations(List<Reservation> others) {
        return PriceBookText.withReservations(this, others);
    }

    /** Whether an entry is for the device; one without is free. */
    public boolean prices(String device) {
        return devices.stream().anyMatch(price -> price.pattern().matches(device));
    }

    /**
     * What a device group costs: the entry with its name, or else the longest pattern for it, or else nothing. A name
     * joins its members by {@code +}, as {@code cuda-0+1}: an entry with that name is for the group, a pattern for each
     * member.
     */
    public DevicePrice device(String device) {
        DevicePrice found = devices.stream()
                .filter(price -> price.pattern().matches(device))
                .max(Comparator.comparingInt(price -> price.pattern().closeness()))
                .orElse(DevicePrice.FREE);
        return found.pattern().open() ? found.times(members(device)) : found;
    }

    private static int members(String device) {
        return 1 + (int) device.chars().filter(c -> c == '+').count();
    }

    /**
     * The entry of the list that holds. One for the tenant goes before one for all; then one with the model's name
     * before patterns, and a long pattern before a short one.
     *
     * @param at microseconds since 1970
     */
    public Optional<Tariff> tariff(String model, String tenant, long at) {
        return tariffs.stream()
                .filter(tariff -> tariff.period().contains(at)
                        && (tariff.tenant().isEmpty() || tariff.tenant().equals(tenant))
                        && tariff.pattern().matches(model))
                .max(Comparator.comparing((Tariff tariff) -> !tariff.tenant().isEmpty())
                        .thenComparingInt(tariff -> tariff.pattern().closeness()));
    }

    /** Whether any entry of the list begins or ends to hold. */
    public boolean changes() {
        return tariffs.stream().anyMatch(tariff -> !tariff.period().equals(Period.ALWAYS));
    }

    /**
     * Whether the same entry of the list, or none, holds from one moment to another.
     *
     * @param first microseconds since 1970
     * @param last microseconds since 1970, not before {@code first}
     */
    public boolean holds(String model, String tenant, long first, long last) {
        return tariffs.stream()
                .filter(tariff -> (tariff.tenant().isEmpty() || tariff.tenant().equals(tenant))
                        && tariff.pattern().matches(model))
                .allMatch(tariff ->
                        tariff.period().contains(first) == tariff.period().contains(last)
                                && (tariff.period().contains(first)
                                        || tariff.period().until() <= first
                                        || tariff.period().from() > last));
    }

    /**
     * What bytes that go from one zone to another cost, in nano-units, rounded once; nothing where no entry is for
     * them.
     *
     * @param bytes 0 or more
     */
    public long egress(Zones zones, long bytes) {
        return egressRate(zones)
                .map(rate -> Money.priced(bytes, rate, EgressPrice.BYTES))
                .orElse(0L);
    }

    /**
     * The price of {@link EgressPrice#BYTES} bytes that go from one zone to another. Zones that no entry names, and
     * those that are not known, have the price for any; empty where there is none.
     */
    public Optional<Rate> egressRate(Zones zones) {
        return egress.stream()
                .filter(price -> matches(price.from(), zones.from()) && matches(price.to(), zones.to()))
                .max(Comparator.comparing((EgressPrice price) -> !price.from().equals(EgressPrice.ANY))
                        .thenComparing(price -> !price.to().equals(EgressPrice.ANY)))
                .map(EgressPrice::perGigabyte);
    }

    /**
     * What a quantity of a kind of step costs, in nano-units, rounded once; an entry for its unit goes before one for
     * any. Nothing where no entry is for it.
     */
    public long step(TaskStep.Kind kind, Rate quantity, String unit) {
        return steps.stream()
                .filter(price -> price.kind() == kind && matches(price.unit(), unit))
                .max(Comparator.comparing((StepPrice price) -> !price.unit().equals(StepPrice.ANY)))
                .map(price -> Money.round(
                        BigInteger.valueOf(quantity.unscaled())
                                .multiply(BigInteger.valueOf(price.price().unscaled()))
                                .multiply(BigInteger.valueOf(Money.NANOS_PER_UNIT)),
                        quantity.denominator()
                                .multiply(price.price().denominator())
                                .multiply(BigInteger.valueOf(price.per()))))
                .orElse(0L);
    }

    private static boolean matches(String pattern, String zone) {
        return pattern.equals(EgressPrice.ANY) || pattern.equals(zone);
    }

    /** The name of a content. */
    public static String version(String content) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(content.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
