package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;

/** Freezes periods. */
final class Closing {

    /** What a period says. */
    record Totals(long requests, long list, long egress, long steps, long metered) {}

    private Closing() {}

    /**
     * Freezes a period and notes what it says; one that is closed stays as it was. The caller holds the books' lock.
     *
     * @param node whose journal has the fact: its own facts come in their order anyway; empty for none
     * @return the closed periods then
     */
    static Periods close(Connection connection, Periods periods, Fact.PeriodClosed fact, String node)
            throws SQLException {
        Period span = Period.named(fact.period());
        if (periods.isClosed(fact.period())) {
            return periods;
        }
        Totals totals = totals(connection, span);
        try (PreparedStatement row = connection.prepareStatement("""
                INSERT INTO period (period, closed_at, requests, list_money, egress_money, step_money, metered)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """)) {
            row.setString(1, fact.period());
            row.setLong(2, fact.at());
            row.setLong(3, totals.requests());
            row.setLong(4, totals.list());
            row.setLong(5, totals.egress());
            row.setLong(6, totals.steps());
            row.setLong(7, totals.metered());
            row.executeUpdate();
        }
        take(connection, fact, node);
        return Books.periods(connection);
    }

    /** Notes how far each node is, or was when the fact was written: then this is not the first ledger that has it. */
    private static void take(Connection connection, Fact.PeriodClosed fact, String own) throws SQLException {
        Map<String, Long> taken = Books.taken(connection);
        fact.taken().forEach((node, sequence) -> taken.merge(node, sequence, Math::max));
        taken.remove(own);
        try (PreparedStatement row =
                connection.prepareStatement("INSERT INTO period_taken (period, node, sequence) VALUES (?, ?, ?)")) {
            for (Map.Entry<String, Long> node : taken.entrySet()) {
                row.setString(1, fact.period());
                row.setString(2, node.getKey());
                row.setLong(3, node.getValue());
                row.addBatch();
            }
            row.executeBatch();
        }
    }

    /** How far nodes were when periods were closed. */
    static Map<Periods.Seen, Long> taken(Connection connection) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("SELECT period, node, sequence FROM period_taken");
                ResultSet rows = query.executeQuery()) {
            Map<Periods.Seen, Long> taken = new HashMap<>();
            while (rows.next()) {
                taken.put(new Periods.Seen(rows.getString(1), rows.getString(2)), rows.getLong(3));
            }
            return taken;
        }
    }

    /** Adds what a closed period had when it was closed and this ledger takes only now. */
    static void complete(Connection connection, String period, Totals more) throws SQLException {
        try (PreparedStatement row = connection.prepareStatement("""
                UPDATE period SET requests = requests + ?, list_money = list_money + ?,
                                  egress_money = egress_money + ?, step_money = step_money + ?, metered = metered + ?
                WHERE period = ?
                """)) {
            row.setLong(1, more.requests());
            row.setLong(2, more.list());
            row.setLong(3, more.egress());
            row.setLong(4, more.steps());
            row.setLong(5, more.metered());
            row.setString(6, period);
            row.executeUpdate();
        }
    }

    static Totals totals(Connection connection, Period span) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("""
                SELECT COALESCE(SUM(requests), 0), COALESCE(SUM(list_money), 0), COALESCE(SUM(egress_money), 0),
                       COALESCE(SUM(step_money), 0), COALESCE(SUM(metered), 0)
                FROM usage_hour WHERE hour >= ? AND hour < ?
                """)) {
            query.setLong(1, span.from());
            query.setLong(2, span.until());
            try (ResultSet rows = query.executeQuery()) {
                rows.next();
                return new Totals(rows.getLong(1), rows.getLong(2), rows.getLong(3), rows.getLong(4), rows.getLong(5));
            }
        }
    }
}
