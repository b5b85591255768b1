package dev.jeton.accounting;

import java.math.BigInteger;

/**
 * What a device group costs.
 *
 * @param name of the device group, or a beginning with {@code *}, which is then the price of each of a group's members
 * @param capital what having it costs
 * @param idleWatts drawn while no step runs, for modelled energy
 * @param busyWatts drawn while a step runs, for modelled energy
 * @param pue power usage effectiveness: what the building draws for each watt of the device; 1 or more
 * @param energyIncluded whether energy is paid with the rent, so that it is counted but not priced
 * @param residency part of the device's cost that is divided by KV memory held instead of time, 0 to 1
 */
public record DevicePrice(
        String name,
        Capital capital,
        Rate idleWatts,
        Rate busyWatts,
        Rate pue,
        boolean energyIncluded,
        Rate residency) {

    /** A device that the price book does not name: it costs nothing. */
    public static final DevicePrice FREE =
            new DevicePrice("*", new Rented(Rate.ZERO), Rate.ZERO, Rate.ZERO, Rate.ONE, true, Rate.ZERO);

    private static final BigInteger UNIT = BigInteger.valueOf(Money.NANOS_PER_UNIT);
    private static final BigInteger MICROS_PER_HOUR = BigInteger.valueOf(3_600_000_000L);
    private static final BigInteger MICROJOULES_PER_KWH = BigInteger.valueOf(3_600_000_000_000L);

    /** What having a device costs. */
    public sealed interface Capital {
        /** Whether it is nothing. */
        boolean isZero();
    }

    /**
     * For rent.
     *
     * @param perHour units of currency
     */
    public record Rented(Rate perHour) implements Capital {
        @Override
        public boolean isZero() {
            return perHour.isZero();
        }
    }

    /**
     * Bought, and written off evenly over its life.
     *
     * @param price units of currency
     * @param lifetimeMicros microseconds, more than 0
     * @param purchased microsecond since 1970 at which its life began, after which it has cost exactly its price when
     *     its life ends; {@link Long#MIN_VALUE} where that is not known, and it then costs the same for ever
     */
    public record Owned(Rate price, long lifetimeMicros, long purchased) implements Capital {
        @Override
        public boolean isZero() {
            return price.isZero();
        }
    }

    /**
     * What having the device costs over a span of time: the whole cost until its end less the whole cost until its
     * beginning, each rounded half-even. So spans that follow one another cost together exactly what they cost as one,
     * however they are cut.
     *
     * @param from microseconds since 1970
     * @param to microseconds since 1970, not before {@code from}
     * @return nano-units, 0 or more
     */
    public long cost(long from, long to) {
        if (to < from) {
            throw new AccountingException("a span that ends at %s, before it begins at %s, has no cost"
                    .formatted(Period.text(to), Period.text(from)));
        }
        return Money.exact(until(to).subtract(until(from)));
    }

    private BigInteger until(long at) {
        return switch (capital) {
            case Rented rented ->
                Money.rounded(
                        micros(rented.perHour(), at),
                        rented.perHour().denominator().multiply(MICROS_PER_HOUR));
            case Owned owned ->
                Money.rounded(
                        micros(owned.price(), age(owned, at)),
                        owned.price().denominator().multiply(BigInteger.valueOf(owned.lifetimeMicros())));
        };
    }

    /** What so many of the device cost together. */
    DevicePrice times(int count) {
        if (count == 1) {
            return this;
        }
        Capital all = switch (capital) {
            case Rented rented -> new Rented(rented.perHour().times(count));
            case Owned owned -> new Owned(owned.price().times(count), owned.lifetimeMicros(), owned.purchased());
        };
        return new DevicePrice(
                name, all, idleWatts.times(count), busyWatts.times(count), pue, energyIncluded, residency);
    }

    NamePattern pattern() {
        return new NamePattern(name);
    }

    private static long age(Owned owned, long at) {
        return owned.purchased() == Long.MIN_VALUE
                ? at
                : Math.clamp(Math.subtractExact(at, owned.purchased()), 0, owned.lifetimeMicros());
    }

    private static BigInteger micros(Rate rate, long micros) {
        return BigInteger.valueOf(rate.unscaled()).multiply(UNIT).multiply(BigInteger.valueOf(micros));
    }

    /**
     * What energy costs: the device's, times what the building adds, priced once.
     *
     * @param microjoules of the device, 0 or more
     * @param perKwh units of currency of one kilowatt hour
     * @return nano-units
     */
    public long energyCost(long microjoules, Rate perKwh) {
        if (energyIncluded) {
            return 0;
        }
        return Money.round(
                BigInteger.valueOf(microjoules)
                        .multiply(BigInteger.valueOf(pue.unscaled()))
                        .multiply(BigInteger.valueOf(perKwh.unscaled()))
                        .multiply(UNIT),
                pue.denominator().multiply(perKwh.denominator()).multiply(MICROJOULES_PER_KWH));
    }
}
