package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Reads what writers of the books must know before they write. */
final class Books {

    /** The sequence that stands for no request. */
    static final long NO_REQUEST = 0;

    /**
     * How far a node is projected, and what is in force there.
     *
     * @param first number of the first fact; 0 for none yet
     * @param last number of the newest fact; 0 for none yet
     * @param lastAt time of that fact
     * @param run number of the fact with which the process's run began
     * @param priceBook version in force, empty for none
     * @param policy version in force, empty for none
     */
    record Progress(String node, long first, long last, long lastAt, long run, String priceBook, String policy) {

        static Progress none(String node) {
            return new Progress(node, 0, 0, 0, 0, "", "");
        }

        Progress at(long sequence, long at) {
            return new Progress(
                    node, first == 0 ? sequence : first, sequence, Math.max(lastAt, at), run, priceBook, policy);
        }

        Progress started(long sequence) {
            return new Progress(node, first, last, lastAt, sequence, priceBook, policy);
        }

        Progress adopted(String newPriceBook, String newPolicy) {
            return new Progress(node, first, last, lastAt, run, newPriceBook, newPolicy);
        }
    }

    /**
     * A request as it was opened.
     *
     * @param sequence number of the fact that opened it; {@link #NO_REQUEST} for none
     */
    record Known(
            long sequence,
            Payer payer,
            String model,
            String labels,
            String priceBook,
            String policy,
            Zones zones,
            Work work) {

        /** Stands for a request that was never opened. */
        static final Known NONE =
                new Known(NO_REQUEST, Payer.UNKNOWN, "", Labels.NONE, "", "", Zones.UNKNOWN, Work.UNKNOWN);

        UsageKey usage(Periods.Booking booking, String bookedPriceBook) {
            return new UsageKey(
                    booking.hour(),
                    payer.tenant(),
                    payer.project(),
                    payer.key(),
                    model,
                    labels,
                    bookedPriceBook,
                    booking.corrects(),
                    zones,
                    work,
                    "");
        }
    }

    private Books() {}

    /**
     * The closed periods, and those costed again. Also the lock that {@link Database#lockBooks} waits for, so writers
     * read it first.
     */
    static Periods periods(Connection connection) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("SELECT period, closed_at FROM period");
                ResultSet rows = statement.executeQuery()) {
            Map<String, Long> closed = new HashMap<>();
            while (rows.next()) {
                closed.put(rows.getString(1), rows.getLong(2));
            }
            return new Periods(closed, Closing.taken(connection), Recosting.decided(connection));
        }
    }

    /** Number of the newest fact, by node. */
    static Map<String, Long> taken(Connection connection) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("SELECT node, last_sequence FROM node");
                ResultSet rows = statement.executeQuery()) {
            Map<String, Long> taken = new HashMap<>();
            while (rows.next()) {
                taken.put(rows.getString(1), rows.getLong(2));
            }
            return taken;
        }
    }

    /** How many erasures there were: where it has risen, what is remembered of requests is stale. */
    static long erasures(Connection connection) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("SELECT COUNT(*) FROM erasure");
                ResultSet rows = statement.executeQuery()) {
            rows.next();
            return rows.getLong(1);
        }
    }

    static Optional<Progress> progress(Connection connection, String node) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("""
                SELECT first_sequence, last_sequence, last_at, run, price_book, policy FROM node WHERE node = ?
                """)) {
            statement.setString(1, node);
            try (ResultSet rows = statement.executeQuery()) {
                if (!rows.next()) {
                    return Optional.empty();
                }
                return Optional.of(new Progress(
                        node,
                        rows.getLong(1),
                        rows.getLong(2),
                        rows.getLong(3),
                        rows.getLong(4),
                        rows.getString(5),
                        rows.getString(6)));
            }
        }
    }

    /** The content of a document; empty where the version is. */
    static String document(Connection connection, Fact.DocumentKind kind, String version) throws SQLException {
        if (version.isEmpty()) {
            return "";
        }
        return findDocument(connection, kind, version)
                .orElseThrow(() -> new AccountingException(("the ledger lacks the %s %s that was in force; "
                                + "restore it from a backup, or empty it and let the journal be projected again")
                        .formatted(kind, version)));
    }

    /** The content of a document; empty where there is none of that version. */
    static Optional<String> findDocument(Connection connection, Fact.DocumentKind kind, String version)
            throws SQLException {
        try (PreparedStatement statement =
                connection.prepareStatement("SELECT content FROM document WHERE kind = ? AND version = ?")) {
            statement.setString(1, kind.name());
            statement.setString(2, version);
            try (ResultSet rows = statement.executeQuery()) {
                return rows.next() ? Optional.of(rows.getString(1)) : Optional.empty();
            }
        }
    }

    /** Versions of the price books by which money was booked in the hours of a time. */
    static List<String> priceBooks(Connection connection, long from, long to) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("""
                SELECT DISTINCT price_book FROM posting
                WHERE hour >= ? AND hour < ? AND account = 'DEVICE' AND unit = 'MONEY'
                UNION SELECT DISTINCT price_book FROM usage_hour
                WHERE hour >= ? AND hour < ? AND (list_money <> 0 OR egress_money <> 0 OR step_money <> 0)
                """)) {
            statement.setLong(1, from);
            statement.setLong(2, to);
            statement.setLong(3, from);
            statement.setLong(4, to);
            try (ResultSet rows = statement.executeQuery()) {
                List<String> versions = new ArrayList<>();
                while (rows.next()) {
                    versions.add(rows.getString(1));
                }
                return versions;
            }
        }
    }

    /** The request of an id as a node opened it; {@link Known#NONE} for one that was not. */
    static Known request(Connection connection, String node, String id) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("""
                SELECT sequence, tenant, project, key_id, model, labels, price_book, policy, zone_from, zone_to, work
                FROM request WHERE node = ? AND id = ?
                """)) {
            statement.setString(1, node);
            statement.setString(2, SqlText.clean(id));
            try (ResultSet rows = statement.executeQuery()) {
                if (!rows.next()) {
                    return Known.NONE;
                }
                return new Known(
                        rows.getLong(1),
                        new Payer(rows.getString(2), rows.getString(3), rows.getString(4)),
                        rows.getString(5),
                        rows.getString(6),
                        rows.getString(7),
                        rows.getString(8),
                        new Zones(rows.getString(9), rows.getString(10)),
                        Work.named(rows.getString(11)));
            }
        }
    }

    /** The id of the request that a fact opened. */
    static Optional<String> id(Connection connection, String node, long sequence) throws SQLException {
        try (PreparedStatement statement =
                connection.prepareStatement("SELECT id FROM request WHERE node = ? AND sequence = ?")) {
            statement.setString(1, node);
            statement.setLong(2, sequence);
            try (ResultSet rows = statement.executeQuery()) {
                return rows.next() ? Optional.of(rows.getString(1)) : Optional.empty();
            }
        }
    }
}
