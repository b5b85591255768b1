package dev.jeton.accounting;

import java.math.BigDecimal;
import java.util.Comparator;
import java.util.Currency;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Reads a price book and refuses what cannot be meant; messages name the file, the line and the key. */
final class PriceBookReader {

    /** Most of any price, in units of currency: what is more is a slip, and its products would not fit. */
    private static final Rate MAX_PRICE = Rate.of("1000000000");

    private static final Rate MAX_WATTS = Rate.of("100000000");
    private static final Rate MAX_PUE = Rate.of("10");
    private static final Rate MAX_DAYS = Rate.of("36525");
    private static final Rate HUNDRED = Rate.of("100");
    private static final long MICROS_PER_DAY = 86_400_000_000L;
    /** Each is looked at for each window. */
    private static final int MAX_RESERVATIONS = 1_000;

    private final String file;

    PriceBookReader(String file) {
        this.file = file;
    }

    PriceBook read(String content) {
        BookKeys root = new BookKeys(file, "", BookNode.read(file, content));
        Currency currency = currency(root);
        Rate electricity = root.rate("electricity", MAX_PRICE).orElse(Rate.ZERO);
        Rate residency = root.rate("residency-share", Rate.ONE).orElse(Rate.ZERO);
        Set<String> names = new HashSet<>();
        List<DevicePrice> devices = root.list("devices", entry -> device(entry, residency, names));
        Tariffs taken = new Tariffs();
        List<Tariff> tariffs = root.list("tariffs", entry -> taken.add(entry, tariff(entry)));
        Set<EgressPrice> pairs = new HashSet<>();
        List<EgressPrice> egress = root.list("egress", entry -> egress(entry, pairs));
        List<Reservation> reservations = root.list("reservations", PriceBookReader::reservation);
        Set<StepPrice> kinds = new HashSet<>();
        List<StepPrice> steps = root.list("steps", entry -> step(entry, kinds));
        root.finish();
        checkShares(root, reservations);
        return new PriceBook(
                PriceBook.version(content),
                content,
                currency,
                electricity,
                devices,
                tariffs,
                egress,
                reservations,
                steps);
    }

    private static Currency currency(BookKeys root) {
        String code = root.needed("currency", "a code of ISO 4217, as EUR or USD");
        try {
            return Currency.getInstance(code);
        } catch (IllegalArgumentException e) {
            throw root.error(
                    "currency", "'%s' is not a currency: a code of ISO 4217 as EUR or USD is expected".formatted(code));
        }
    }

    private static DevicePrice device(BookKeys entry, Rate residency, Set<String> names) {
        String name = entry.pattern("name", "the name of a device group, or a beginning with *");
        if (!names.add(name)) {
            throw entry.error("name", "'%s' has an entry already: one entry a name".formatted(name));
        }
        Optional<Rate> rent = entry.rate("per-hour", MAX_PRICE);
        Optional<Rate> price = entry.rate("purchase", MAX_PRICE);
        Optional<Rate> days = entry.rate("lifetime-days", MAX_DAYS);
        Optional<Long> purchased = entry.time("purchased");
        if (rent.isPresent() == price.isPresent()) {
            throw entry.error(
                    "name", "a device is either rented ('per-hour') or owned ('purchase' and 'lifetime-days')");
        }
        if (rent.isPresent() && (days.isPresent() || purchased.isPresent())) {
            throw entry.error("per-hour", "a rented device has neither 'lifetime-days' nor 'purchased'");
        }
        DevicePrice.Capital capital =
                rent.isPresent() ? new DevicePrice.Rented(rent.get()) : owned(entry, price, days, purchased);
        Rate idle = entry.rate("idle-watts", MAX_WATTS).orElse(Rate.ZERO);
        Rate busy = entry.rate("busy-watts", MAX_WATTS).orElse(idle);
        if (busy.compareTo(idle) < 0) {
            throw entry.error("busy-watts", "%s is less than 'idle-watts' (%s)".formatted(busy, idle));
        }
        Rate pue = entry.rate("pue", MAX_PUE).orElse(Rate.ONE);
        if (pue.compareTo(Rate.ONE) < 0) {
            throw entry.error("pue", "%s is less than 1: a building adds to what its devices draw".formatted(pue));
        }
        boolean included = entry.flag("energy", "included", "extra", rent.isPresent());
        return new DevicePrice(
                name,
                capital,
                idle,
                busy,
                pue,
                included,
                entry.rate("residency-share", Rate.ONE).orElse(residency));
    }

    private static DevicePrice.Owned owned(
            BookKeys entry, Optional<Rate> price, Optional<Rate> days, Optional<Long> purchased) {
        long lifetime = days.map(rate -> rate.decimal()
                        .multiply(BigDecimal.valueOf(MICROS_PER_DAY))
                        .longValue())
                .orElse(0L);
        if (lifetime == 0) {
            throw entry.error("lifetime-days", "is missing or 0: days over which 'purchase' is written off");
        }
        return new DevicePrice.Owned(price.orElse(Rate.ZERO), lifetime, purchased.orElse(Long.MIN_VALUE));
    }

    private static Tariff tariff(BookKeys entry) {
        String model = entry.pattern("model", "the name of a model, a beginning with *, or \"*\"");
        String tenant = entry.text("tenant").orElse("");
        Optional<Rate> input = entry.rate("input", MAX_PRICE);
        Optional<Rate> output = entry.rate("output", MAX_PRICE);
        Optional<Rate> cached = entry.rate("cached-input", MAX_PRICE);
        Optional<Rate> embeddings = entry.rate("embeddings", MAX_PRICE);
        if (input.isPresent() != output.isPresent()) {
            String missing = input.isPresent() ? "output" : "input";
            throw entry.error(missing, "is missing: a price of prompts needs a price of answers; 0 is a price");
        }
        if (input.isEmpty() && (embeddings.isEmpty() || cached.isPresent())) {
            throw entry.error("input", "is missing: prices of 'input' and 'output', or of 'embeddings', are expected");
        }
        Rate in = input.or(() -> embeddings).orElse(Rate.ZERO);
        return new Tariff(
                model,
                tenant,
                in,
                cached.orElse(in),
                output.orElse(Rate.ZERO),
                embeddings.orElse(in),
                entry.rate("batch-discount", HUNDRED).orElse(Rate.ZERO),
                entry.period());
    }

    /** Remembers what came before, with its line. */
    private static final class Tariffs {

        private final Map<String, Map<Tariff, Integer>> taken = new HashMap<>();

        Tariff add(BookKeys entry, Tariff tariff) {
            Map<Tariff, Integer> same =
                    taken.computeIfAbsent(tariff.model() + "\n" + tariff.tenant(), key -> new HashMap<>());
            same.forEach((other, line) -> {
                if (tariff.clashes(other)) {
                    throw entry.error(
                            "model",
                            "overlaps the tariff on line %d: same model and tenant at the same time".formatted(line));
                }
            });
            same.put(tariff, entry.line());
            return tariff;
        }
    }

    private static EgressPrice egress(BookKeys entry, Set<EgressPrice> pairs) {
        EgressPrice price = new EgressPrice(
                entry.text("from").orElse(EgressPrice.ANY),
                entry.text("to").orElse(EgressPrice.ANY),
                entry.rate("per-gb", MAX_PRICE)
                        .orElseThrow(() -> entry.error("per-gb", "is missing: the price of 1,000,000,000 bytes")));
        if (!pairs.add(new EgressPrice(price.from(), price.to(), Rate.ZERO))) {
            throw entry.error(
                    "per-gb",
                    "'%s' to '%s' has an entry already: one entry a pair".formatted(price.from(), price.to()));
        }
        return price;
    }

    private static StepPrice step(BookKeys entry, Set<StepPrice> kinds) {
        String text = entry.needed("kind", "retrieval, tool, egress, log_storage, human_review or other");
        TaskStep.Kind kind = TaskStep.Kind.of(text)
                .orElseThrow(() -> entry.error(
                        "kind",
                        "'%s' is no kind of step: retrieval, tool, egress, log_storage, human_review or other is expected"
                                .formatted(text)));
        Rate per = entry.rate("per", MAX_PRICE).orElse(Rate.ONE);
        if (per.isZero() || per.scale() > 0) {
            throw entry.error("per", "%s is not a whole number from 1 on".formatted(per));
        }
        StepPrice price = new StepPrice(
                kind,
                entry.text("unit").orElse(StepPrice.ANY),
                per.unscaled(),
                entry.rate("price", MAX_PRICE)
                        .orElseThrow(() -> entry.error("price", "is missing: the price of 'per' of it")));
        if (!kinds.add(new StepPrice(kind, price.unit(), 1, Rate.ZERO))) {
            throw entry.error("kind", "'%s' has an entry already: one entry a kind and unit".formatted(text));
        }
        return price;
    }

    private static Reservation reservation(BookKeys entry) {
        Rate share = entry.rate("share", Rate.ONE).orElse(Rate.ZERO);
        if (share.isZero()) {
            throw entry.error("share", "is missing or 0: more than 0 and at most 1 is expected");
        }
        return new Reservation(
                entry.needed("tenant", "who reserves"),
                entry.pattern("device", "the name of a device group, or a beginning with *"),
                share,
                entry.period());
    }

    /**
     * No device may be booked more than once over. Patterns only match beginnings, so of two that meet one holds the
     * other, and sums can only be greatest for a name that an entry has, at the beginning of a period.
     */
    private static void checkShares(BookKeys root, List<Reservation> reservations) {
        if (reservations.size() > MAX_RESERVATIONS) {
            throw root.error("reservations", "%,d are more than %,d".formatted(reservations.size(), MAX_RESERVATIONS));
        }
        Set<String> names = new HashSet<>();
        reservations.forEach(reservation -> names.add(new NamePattern(reservation.device()).stem()));
        List<Reservation> byStart = reservations.stream()
                .sorted(Comparator.comparingLong(
                        reservation -> reservation.period().from()))
                .toList();
        for (String name : names) {
            List<Reservation> same = byStart.stream()
                    .filter(reservation -> new NamePattern(reservation.device()).matches(name))
                    .toList();
            for (Reservation probe : same) {
                BigDecimal sum = BigDecimal.ZERO;
                for (Reservation other : same) {
                    if (other.period().contains(probe.period().from())) {
                        sum = sum.add(other.share().decimal());
                    }
                }
                if (sum.compareTo(BigDecimal.ONE) > 0) {
                    throw root.error(
                            "reservations",
                            "shares of '%s' sum to %s%s, which is more than 1"
                                    .formatted(probe.device(), sum.toPlainString(), since(probe)));
                }
            }
        }
    }

    private static String since(Reservation probe) {
        return probe.period().from() == Long.MIN_VALUE
                ? ""
                : " at " + Period.text(probe.period().from());
    }
}
