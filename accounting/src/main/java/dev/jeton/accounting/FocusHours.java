package dev.jeton.accounting;

import java.util.List;

/**
 * Hands the ledger's hours to an export, one after the other, as it wants them. Each hour is one state of the books.
 * Not for more than one thread at a time.
 */
public final class FocusHours {

    /** An hour of usage becomes a row for each kind of token, one for bytes and sometimes one more. */
    private static final int LINES = 5;

    private static final int LINE_CHARACTERS = 800;

    private final Reports reports;
    private final Scope scope;
    private final List<Reports.HourSize> hours;
    private int next;

    /**
     * Looks which hours there are.
     *
     * @param from first microsecond, since 1970
     * @param to the one after the last
     */
    public FocusHours(Reports reports, Scope scope, long from, long to) {
        if (from >= to) {
            throw new AccountingException("the time ends before it begins: let it end later");
        }
        this.reports = reports;
        this.scope = scope;
        this.hours = reports.sizes(scope, from, to);
    }

    /** Rows of usage in all hours; an export has a few lines for each. */
    public long rows() {
        return hours.stream().mapToLong(Reports.HourSize::rows).sum();
    }

    /** How many characters the longest hour may become, about. */
    public long longestHour() {
        return hours.stream()
                .mapToLong(hour -> LINES * (hour.rows() * LINE_CHARACTERS + hour.labelCharacters()))
                .max()
                .orElse(0);
    }

    /**
     * Writes the next hour.
     *
     * @return false where none is left: {@link FocusExport#finish} completes the export
     */
    public boolean next(FocusExport export) {
        if (next == hours.size()) {
            return false;
        }
        long hour = hours.get(next++).hour();
        long end = hour + Periods.HOUR;
        reports.hours(scope, hour, end, Filter.ALL, booked -> {
            if (booked.row().priceBook().isEmpty()) {
                // Steps that nobody owned, by no price book: the hours of devices have their time and its cost.
                return;
            }
            if (booked.corrects().isEmpty()) {
                export.usage(booked.row());
            } else {
                export.correction(booked.row(), Period.named(booked.corrects()));
            }
        });
        reports.deviceHours(scope, hour, end, booked -> {
            if (booked.corrects().isEmpty()) {
                export.device(booked.row());
            } else {
                export.correction(booked.row(), Period.named(booked.corrects()));
            }
        });
        return true;
    }
}
