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

    /** Whether it holds for a device at a time. */
    public boolean holds(String name, long at) {
        return period.contains(at) && new NamePattern(device).matches(name);
    }
}
