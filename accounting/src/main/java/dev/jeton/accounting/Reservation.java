package dev.jeton.accounting;

/**
 * A share of a device that a tenant has booked: what it leaves unused of it while the device is idle is the tenant's.
 *
 * @param tenant who
 * @param device name of the device group, or a beginning with {@code *}: the share of each
 * @param share more than 0, at most 1
 * @param period when
 */
public record Reservation(String tenant, String device, Rate share, Period period) {

    /** A reservation that has no name of its own is called by its content: 16 hexadecimal digits. */
    public String id() {
        return PriceBook.version("%s\n%s\n%s\n%d\n%d".formatted(tenant, device, share, period.from(), period.until()));
    }

    /** Whether it holds for a device at a time. */
    public boolean holds(String name, long at) {
        return period.contains(at) && new NamePattern(device).matches(name);
    }
}
