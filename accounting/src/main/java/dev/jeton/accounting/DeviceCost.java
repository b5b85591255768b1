package dev.jeton.accounting;

/**
 * What a device cost in an hour, with all that was corrected later: by when it was used, not by when it was booked.
 *
 * @param node whose device
 * @param device the device group
 * @param hour first microsecond of the hour, since 1970
 * @param nanos time on the device's clock
 * @param money nano-units
 */
public record DeviceCost(String node, String device, long hour, long nanos, long money) {}
