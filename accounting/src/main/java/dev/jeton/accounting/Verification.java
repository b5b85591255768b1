package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** Recomputes what the books must be from the rows they are made of. */
final class Verification {

    /** Most findings of one kind; more of the same would not say more. */
    private static final int MOST = 100;

    private Verification() {}

    /** What is wrong, in words; empty in sound books. */
    static List<String> run(Connection connection) throws SQLException {
        List<String> findings = new ArrayList<>();
        for (VerificationSql check : VerificationSql.values()) {
            try (PreparedStatement query = connection.prepareStatement(check.text())) {
                query.setMaxRows(MOST + 1);
                try (ResultSet rows = query.executeQuery()) {
                    collect(rows, findings);
                }
            }
        }
        periods(connection, findings);
        return findings;
    }

    private static void collect(ResultSet rows, List<String> findings) throws SQLException {
        int found = 0;
        while (rows.next()) {
            if (found++ == MOST) {
                findings.add("and more of this kind");
                return;
            }
            findings.add(rows.getString(1));
        }
    }

    /** A frozen period says what it said when it was frozen. */
    private static void periods(Connection connection, List<String> findings) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement(
                        "SELECT period, requests, list_money, egress_money, step_money, metered FROM period");
                ResultSet rows = query.executeQuery()) {
            while (rows.next()) {
                String period = rows.getString(1);
                Closing.Totals then = new Closing.Totals(
                        rows.getLong(2), rows.getLong(3), rows.getLong(4), rows.getLong(5), rows.getLong(6));
                Closing.Totals now = Closing.totals(connection, Period.named(period));
                if (!now.equals(then)) {
                    findings.add(
                            "period %s was closed with %s; now it has %s".formatted(period, text(then), text(now)));
                }
            }
        }
    }

    private static String text(Closing.Totals totals) {
        return "%d requests, %d list, %d egress, %d steps, %d metered"
                .formatted(totals.requests(), totals.list(), totals.egress(), totals.steps(), totals.metered());
    }
}
