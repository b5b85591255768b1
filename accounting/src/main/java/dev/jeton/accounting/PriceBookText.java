package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Writes another list of reservations into a price book's document, and leaves every other line as its author wrote it.
 */
final class PriceBookText {

    private static final Pattern RESERVATIONS =
            Pattern.compile("(reservations|\"reservations\"|'reservations')\\s*:.*");
    /** A line that goes on with the value of the key above: indented, empty, a comment, an item or a bracket's end. */
    private static final Pattern WITHIN = Pattern.compile("\\s.*|#.*|-|- .*|[\\]}].*|");

    private PriceBookText() {}

    /**
     * The document with other reservations.
     *
     * @throws AccountingException where the document is written in a way that leaves no place for them
     */
    static PriceBook withReservations(PriceBook book, List<Reservation> reservations) {
        List<String> lines = new ArrayList<>();
        boolean within = false;
        for (String line : book.content().lines().toList()) {
            if (RESERVATIONS.matcher(line).matches()) {
                within = true;
            } else if (!within || !WITHIN.matcher(line).matches()) {
                within = false;
                lines.add(line);
            }
        }
        if (!reservations.isEmpty()) {
            lines.add("reservations:");
            reservations.forEach(reservation -> lines.add("  - " + text(reservation)));
        }
        PriceBook written;
        try {
            written = PriceBook.parse("the price book with these reservations", String.join("\n", lines) + "\n");
        } catch (AccountingException e) {
            // The same reservations alone: where they are at fault, that is what is to be said.
            PriceBook.parse("reservations", reservationsAlone(book, reservations));
            throw unwritable(e);
        }
        boolean same = written.reservations().equals(reservations)
                && written.currency().equals(book.currency())
                && written.electricity().equals(book.electricity())
                && written.devices().equals(book.devices())
                && written.tariffs().equals(book.tariffs())
                && written.egress().equals(book.egress())
                && written.steps().equals(book.steps());
        if (!same) {
            throw unwritable(null);
        }
        return written;
    }

    private static String reservationsAlone(PriceBook book, List<Reservation> reservations) {
        StringBuilder text = new StringBuilder("currency: " + book.currency().getCurrencyCode() + "\nreservations:\n");
        reservations.forEach(
                reservation -> text.append("  - ").append(text(reservation)).append('\n'));
        return text.toString();
    }

    private static AccountingException unwritable(@org.jspecify.annotations.Nullable Throwable cause) {
        String message =
                "the reservations cannot be written into the price book's document, because 'reservations' does"
                        + " not stand there as a section of its own at the beginning of a line: write the document so, or change the"
                        + " document as a whole";
        return cause == null ? new AccountingException(message) : new AccountingException(message, cause);
    }

    private static String text(Reservation reservation) {
        StringBuilder text = new StringBuilder("{tenant: %s, device: %s, share: %s"
                .formatted(quoted(reservation.tenant()), quoted(reservation.device()), reservation.share()));
        if (reservation.period().from() != Long.MIN_VALUE) {
            text.append(", from: ")
                    .append(quoted(Period.text(reservation.period().from())));
        }
        if (reservation.period().until() != Long.MAX_VALUE) {
            text.append(", until: ")
                    .append(quoted(Period.text(reservation.period().until())));
        }
        return text.append('}').toString();
    }

    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }
}
