package dev.jeton.accounting;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * The dimensions of a row of hourly usage.
 *
 * @param step kind of the steps that the row sums; empty where it sums requests
 */
record UsageKey(
        long hour,
        String tenant,
        String project,
        String key,
        String model,
        String labels,
        String priceBook,
        String corrects,
        Zones zones,
        Work work,
        String step) {

    private static final int DIGITS = 32;

    /**
     * Zones and work that are not known add nothing, so that such rows are those of ledgers that had neither. How many
     * parts there are says which of the two are among them.
     */
    private List<String> parts() {
        List<String> parts = new ArrayList<>(List.of(tenant, project, key, model, labels, priceBook, corrects));
        if (!zones.equals(Zones.UNKNOWN)) {
            parts.add(zones.from());
            parts.add(zones.to());
        }
        if (work != Work.UNKNOWN) {
            parts.add(work.text());
        }
        if (!step.isEmpty()) {
            // more parts than requests have
            parts.addAll(List.of("", "", "", step));
        }
        return parts;
    }

    /** Of steps, which have neither model nor labels, zones or work. */
    static UsageKey step(Periods.Booking booking, Payer payer, String priceBook, TaskStep.Kind kind) {
        return new UsageKey(
                booking.hour(),
                payer.tenant(),
                payer.project(),
                payer.key(),
                "",
                Labels.NONE,
                priceBook,
                booking.corrects(),
                Zones.UNKNOWN,
                Work.UNKNOWN,
                kind.text());
    }

    /** What stands for all dimensions but the hour in the table's key: 128 bits of SHA-256. */
    String digest() {
        try {
            MessageDigest sha = MessageDigest.getInstance("SHA-256");
            for (String part : parts()) {
                byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
                // The length keeps ("a", "bc") and ("ab", "c") apart.
                sha.update(new byte[] {
                    (byte) (bytes.length >> 24),
                    (byte) (bytes.length >> 16),
                    (byte) (bytes.length >> 8),
                    (byte) bytes.length
                });
                sha.update(bytes);
            }
            return HexFormat.of().formatHex(sha.digest()).substring(0, DIGITS);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java has SHA-256", e);
        }
    }
}
