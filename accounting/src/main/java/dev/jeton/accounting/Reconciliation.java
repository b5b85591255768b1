package dev.jeton.accounting;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Currency;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What an invoice says of devices against what the books say, each to the digit. The books are compared by whole hours:
 * an hour of which the invoice bills any part is billed.
 *
 * @param currency of every amount
 * @param compared by device and period
 * @param unknown what is billed for resources that are no device of the books in that time
 * @param outside lines of the invoice that lie outside of the time that was asked for, and are left out
 */
public record Reconciliation(Currency currency, List<Compared> compared, List<Unknown> unknown, int outside) {

    /** Most overlaps that are named for one device and period. */
    public static final int MAX_OVERLAPS = 10;

    private static final int PERCENT_DECIMALS = 3;
    private static final int RATIO_DECIMALS = 9;
    private static final BigDecimal HUNDRED = BigDecimal.valueOf(100);
    private static final BigDecimal NANOS_PER_HOUR = BigDecimal.valueOf(3_600_000_000_000L);

    /** By what lines of a device are added up. A line that spans several joins them. */
    public enum Span {
        /** Days of UTC. */
        DAY,
        /** Months of UTC. */
        MONTH,
        /** All of it. */
        ALL
    }

    /**
     * What to compare, and how.
     *
     * @param time the time asked for, which every line must lie in or outside of; empty for that of the invoice
     * @param span by what lines are added up
     * @param devices names of devices by the invoice's names; a device is {@code node/device}, or the device alone
     *     where only one node has it
     */
    public record Question(Optional<Period> time, Span span, Map<String, String> devices) {

        /** With a map of its own. */
        public Question {
            devices = Map.copyOf(devices);
        }
    }

    /**
     * Two lines that bill the same charge of the same resource for the same time.
     *
     * @param first line of the file
     * @param second line of the file
     */
    public record Overlap(long first, long second) {}

    /**
     * A device in a period.
     *
     * @param node whose device
     * @param device the device group
     * @param period which time
     * @param lines of the invoice; 0 for a device that it does not bill then
     * @param invoiced their sum
     * @param booked what the books hold for the hours that are billed
     * @param billedMicros how much time is billed, whatever is billed twice counted once
     * @param meteredNanos time on the device's clock in the hours that are billed
     * @param missingHours hours that cost something in the books and are not billed
     * @param missing what they cost
     * @param overlaps the first of what is billed twice
     * @param twice how many lines overlap one before them
     */
    public record Compared(
            String node,
            String device,
            Period period,
            int lines,
            BigDecimal invoiced,
            BigDecimal booked,
            long billedMicros,
            long meteredNanos,
            int missingHours,
            BigDecimal missing,
            List<Overlap> overlaps,
            int twice) {

        /** With a list of its own. */
        public Compared {
            overlaps = List.copyOf(overlaps);
        }

        /** What the books hold less what is invoiced. */
        public BigDecimal difference() {
            return booked.subtract(invoiced);
        }

        /** The difference in per cent of what is invoiced; empty where nothing is. */
        public Optional<BigDecimal> percent() {
            return quotient(difference().multiply(HUNDRED), invoiced, PERCENT_DECIMALS);
        }

        /** By what to multiply the device's price for both to agree; empty where the books hold nothing. */
        public Optional<BigDecimal> ratio() {
            return quotient(invoiced, booked, RATIO_DECIMALS);
        }

        /** What was invoiced for each hour on the device's clock; empty where there is none. */
        public Optional<BigDecimal> perHour() {
            return quotient(invoiced.multiply(NANOS_PER_HOUR), BigDecimal.valueOf(meteredNanos), RATIO_DECIMALS);
        }

        /**
         * Whether nothing is billed twice, and neither the difference nor what is not billed is more than a tolerance.
         *
         * @param percent of what is invoiced, and of what the books hold
         */
        public boolean agrees(BigDecimal percent) {
            return twice == 0
                    && within(difference(), invoiced, percent)
                    && within(missing, booked.add(missing), percent);
        }

        private static boolean within(BigDecimal part, BigDecimal whole, BigDecimal percent) {
            return part.abs().multiply(HUNDRED).compareTo(whole.abs().multiply(percent)) <= 0;
        }

        private static Optional<BigDecimal> quotient(BigDecimal dividend, BigDecimal divisor, int decimals) {
            return divisor.signum() == 0
                    ? Optional.empty()
                    : Optional.of(dividend.divide(divisor, decimals, RoundingMode.HALF_EVEN));
        }
    }

    /**
     * What is billed for something that the books do not have.
     *
     * @param resource as the invoice calls it; empty where it does not say
     * @param lines how many
     * @param invoiced their sum
     */
    public record Unknown(String resource, int lines, BigDecimal invoiced) {}

    /** With lists of its own. */
    public Reconciliation {
        compared = List.copyOf(compared);
        unknown = List.copyOf(unknown);
    }

    /**
     * Whether invoice and books agree.
     *
     * @param percent how far they may be apart
     * @param others whether resources that the books do not have may be billed
     */
    public boolean agrees(BigDecimal percent, boolean others) {
        return compared.stream().allMatch(item -> item.agrees(percent))
                && (others || unknown.stream().allMatch(item -> item.invoiced().signum() == 0));
    }
}
