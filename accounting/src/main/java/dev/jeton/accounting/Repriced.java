package dev.jeton.accounting;

import java.util.Currency;
import java.util.List;
import java.util.Map;

/**
 * What a time cost as booked, and what it would have cost by another price book. Nothing is stored.
 *
 * <p>By the other book, too, what tenants are metered and {@link #own} together are what {@link #devices} cost, to the
 * nano-unit.
 *
 * @param priceBook version of the other price book
 * @param currency of every amount
 * @param usage by tenant and model
 * @param own metered money of nobody's requests: idle, overhead, house and rounding; empty for a tenant
 * @param devices what each device cost; empty for a tenant
 * @param unexplained requests whose list money their own price book does not account for: they are repriced as plain
 *     requests, though they may have been something else
 */
public record Repriced(
        String priceBook,
        Currency currency,
        List<Usage> usage,
        Map<Posting.Account, Amounts> own,
        List<Device> devices,
        long unexplained) {

    /**
     * Money before and after.
     *
     * @param booked nano-units as booked
     * @param other nano-units by the other price book
     */
    public record Amounts(long booked, long other) {

        /** Nothing. */
        public static final Amounts NONE = new Amounts(0, 0);

        /** The other less the booked. */
        public long difference() {
            return Money.add(other, -booked);
        }

        /** The sum of both. */
        public Amounts plus(Amounts more) {
            return new Amounts(Money.add(booked, more.booked), Money.add(other, more.other));
        }
    }

    /**
     * What a tenant's requests to a model cost.
     *
     * @param tenant who pays
     * @param model the served model; empty for what the tenant reserved and did not use
     * @param requests that ended
     * @param list money of tokens by the price list
     * @param egress money of bytes by the price list: owed beside {@code list}
     * @param metered money by the devices' cost
     */
    public record Usage(String tenant, String model, long requests, Amounts list, Amounts egress, Amounts metered) {}

    /**
     * What a device cost.
     *
     * @param node whose device
     * @param device the device group
     * @param nanos time on its clock
     * @param microjoules energy as journaled: where it was modelled, by the watts of the book in force then
     * @param cost energy included
     * @param capital of the other cost, what having the device costs, nano-units
     * @param energy of the other cost, what its energy costs, nano-units
     */
    public record Device(
            String node, String device, long nanos, long microjoules, Amounts cost, long capital, long energy) {}

    /** With lists of its own, accounts in their order. */
    public Repriced {
        usage = List.copyOf(usage);
        own = java.util.Collections.unmodifiableMap(new java.util.TreeMap<>(own));
        devices = List.copyOf(devices);
    }

    /** The sum over all tenants and models. */
    public Usage total() {
        return usage.stream()
                .reduce((a, b) -> new Usage(
                        "",
                        "",
                        a.requests() + b.requests(),
                        a.list().plus(b.list()),
                        a.egress().plus(b.egress()),
                        a.metered().plus(b.metered())))
                .orElse(new Usage("", "", 0, Amounts.NONE, Amounts.NONE, Amounts.NONE));
    }
}
