package dev.jeton.accounting;

/**
 * What one device gave in one hour that is in no {@link HourRow}: together with those, the device's whole cost.
 *
 * @param hour first microsecond of the hour, since 1970
 * @param device the device group
 * @param account whose it is: idle, overhead, the house (what is for none of its requests), rounding, or a tenant for
 *     what it reserved and did not use
 * @param tenant the tenant; empty for other accounts
 * @param priceBook version of the price book
 * @param nanos of device time
 * @param microjoules of energy
 * @param money metered, nano-units
 */
public record DeviceHour(
        long hour,
        String device,
        Posting.Account account,
        String tenant,
        String priceBook,
        long nanos,
        long microjoules,
        long money) {

    /** Checks that it is no device's own side. */
    public DeviceHour {
        if (account == Posting.Account.DEVICE) {
            throw new IllegalArgumentException("a device's own postings are the negative of what is exported");
        }
        if ((account == Posting.Account.TENANT) == tenant.isEmpty()) {
            throw new IllegalArgumentException("account %s of tenant '%s'".formatted(account, tenant));
        }
    }
}
