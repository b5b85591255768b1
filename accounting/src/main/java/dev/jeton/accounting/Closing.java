package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;

/** Freezes periods. */
final class Closing {

    /** What a period says. */
    record Totals(long requests, long list, long egress, long metered) {}

    private Closing() {}

    /**
     * Freezes a period and notes what it says; one that is closed stays as it was. The caller holds the books' lock.
     *
     * @return the closed periods then
     */
    static Periods close(Connection connection, Periods periods, String period, long at) throws SQLException {
        Period span = Period.named(period);
        if (periods.isClosed(period)) {
            return periods;
        }
        Totals totals = totals(connection, span);
        try (PreparedStatement row = connection.prepareStatement("""
                INSERT INTO period (period, closed_at, requests, list_money, egress_money, metered)
                VALUES (?, ?, ?, ?, ?, ?)
                """)) {
            row.setString(1, period);
            row.setLong(2, at);
            row.setLong(3, totals.requests());
            row.setLong(4, totals.list());
            row.setLong(5, totals.egress());
            row.setLong(6, totals.metered());
            row.executeUpdate();
        }
        return Books.periods(connection);
    }

    static Totals totals(Connection connection, Period span) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("""
                SELECT COALESCE(SUM(requests), 0), COALESCE(SUM(list_money), 0), COALESCE(SUM(egress_money), 0),
                       COALESCE(SUM(metered), 0)
                FROM usage_hour WHERE hour >= ? AND hour < ?
                """)) {
            query.setLong(1, span.from());
            query.setLong(2, span.until());
            try (ResultSet rows = query.executeQuery()) {
                rows.next();
                return new Totals(rows.getLong(1), rows.getLong(2), rows.getLong(3), rows.getLong(4));
            }
        }
    }
}
