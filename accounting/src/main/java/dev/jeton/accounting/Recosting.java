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
import java.util.TreeMap;

/**
 * Costs a window again: what its money postings still say is reversed and the new ones are posted beside them. Both are
 * booked where the window's hour is booked now: in that hour while it is open, else as a correction.
 */
final class Recosting {

    private record Live(int number, Posting posting, Books.Known request, String priceBook, String policy) {}

    private final Connection connection;
    private final String node;
    private final WindowCosting costing;
    private final String priceBook;
    private final Map<Long, Books.Known> requests = new HashMap<>();
    private final Map<Long, String> ids = new HashMap<>();

    private Recosting(Connection connection, String node, WindowCosting costing, String priceBook) {
        this.connection = connection;
        this.node = node;
        this.costing = costing;
        this.priceBook = priceBook;
    }

    /** Costs the windows of a time again; how many were posted anew. The caller holds the books' lock. */
    static int recost(Connection connection, long from, long to, WindowCosting costing, String priceBook)
            throws SQLException {
        Periods periods = Books.periods(connection);
        int changed = 0;
        for (Map.Entry<String, List<Long>> windows :
                windows(connection, from, to).entrySet()) {
            String node = windows.getKey();
            Recosting recosting = new Recosting(connection, node, costing, priceBook);
            try (BookWriter writer = new BookWriter(connection, node)) {
                for (long sequence : windows.getValue()) {
                    changed += recosting.recost(writer, sequence, periods) ? 1 : 0;
                }
                writer.flush();
            }
        }
        return changed;
    }

    /** The hours in which windows of a time began, in order. */
    static List<Long> hours(Connection connection, long from, long to) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("""
                SELECT DISTINCT from_at / ? FROM device_window WHERE from_at >= ? AND from_at < ? ORDER BY 1
                """)) {
            query.setLong(1, Periods.HOUR);
            query.setLong(2, from);
            query.setLong(3, to);
            List<Long> hours = new ArrayList<>();
            try (ResultSet rows = query.executeQuery()) {
                while (rows.next()) {
                    hours.add(rows.getLong(1) * Periods.HOUR);
                }
            }
            return hours;
        }
    }

    /** The windows that began in a time, by node. */
    private static Map<String, List<Long>> windows(Connection connection, long from, long to) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("""
                SELECT node, sequence FROM device_window WHERE from_at >= ? AND from_at < ? ORDER BY node, sequence
                """)) {
            query.setLong(1, from);
            query.setLong(2, to);
            Map<String, List<Long>> windows = new TreeMap<>();
            try (ResultSet rows = query.executeQuery()) {
                while (rows.next()) {
                    windows.computeIfAbsent(rows.getString(1), added -> new ArrayList<>())
                            .add(rows.getLong(2));
                }
            }
            return windows;
        }
    }

    /** Costs one window again; whether anything changed. */
    private boolean recost(BookWriter writer, long sequence, Periods periods) throws SQLException {
        Fact.Window window = window(sequence);
        List<Live> live = live(sequence);
        Map<String, Books.Known> users = new HashMap<>();
        requests.forEach((number, known) -> users.put(ids.getOrDefault(number, ""), known));
        List<Posting> fresh = costing
                .postings(window, id -> users.getOrDefault(id, Books.Known.NONE).payer())
                .stream()
                .filter(posting -> posting.unit() == Posting.Unit.MONEY)
                .toList();
        if (fresh.equals(live.stream().map(Live::posting).toList())) {
            return false;
        }
        requireBalance(sequence, fresh);
        Periods.Booking booking = periods.book(window.from());
        int number = nextNumber(sequence);
        for (Live old : live) {
            Posting was = old.posting();
            Posting reversal = new Posting(
                    was.account(), was.party(), was.request(), was.kind(), was.unit(), Math.negateExact(was.amount()));
            writer.post(
                    sequence,
                    number++,
                    old.number(),
                    reversal,
                    old.request(),
                    old.priceBook(),
                    old.policy(),
                    booking,
                    window.device());
        }
        String policy = live.isEmpty() ? "" : live.getFirst().policy();
        for (Posting posting : fresh) {
            Books.Known user = users.getOrDefault(posting.request(), Books.Known.NONE);
            boolean known = user.sequence() != Books.NO_REQUEST;
            writer.post(
                    sequence,
                    number++,
                    -1,
                    posting,
                    user,
                    priceBook,
                    known ? user.policy() : policy,
                    booking,
                    window.device());
        }
        return true;
    }

    private void requireBalance(long sequence, List<Posting> postings) {
        long sum = 0;
        for (Posting posting : postings) {
            sum = Math.addExact(sum, posting.amount());
        }
        if (sum != 0) {
            throw new AccountingException(
                    ("fact %d of node %s, costed again, does not balance: %d nano-units are left over; "
                                    + "nothing was changed in its hour. This is a defect of the costing: report it")
                            .formatted(sequence, node, sum));
        }
    }

    private Fact.Window window(long sequence) throws SQLException {
        List<Line> lines = lines(sequence);
        try (PreparedStatement query = connection.prepareStatement(
                "SELECT " + WindowRows.WINDOW + " FROM device_window WHERE node = ? AND sequence = ?")) {
            query.setString(1, node);
            query.setLong(2, sequence);
            try (ResultSet row = query.executeQuery()) {
                row.next();
                return WindowRows.window(row, lines);
            }
        }
    }

    private List<Line> lines(long sequence) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("SELECT " + WindowRows.LINE
                + ", l.request FROM line l WHERE l.node = ? AND l.sequence = ? ORDER BY l.number")) {
            query.setString(1, node);
            query.setLong(2, sequence);
            List<Line> lines = new ArrayList<>();
            try (ResultSet rows = query.executeQuery()) {
                while (rows.next()) {
                    lines.add(WindowRows.line(rows, id(rows.getLong("request"))));
                }
            }
            return lines;
        }
    }

    /** Money postings that no other reverses, in their order. */
    private List<Live> live(long sequence) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("""
                SELECT p.number, p.account, p.party, p.request, p.kind, p.amount, p.price_book, p.policy
                FROM posting p
                LEFT JOIN posting r ON r.node = p.node AND r.sequence = p.sequence AND r.reversal_of = p.number
                WHERE p.node = ? AND p.sequence = ? AND p.unit = 'MONEY' AND p.reversal_of < 0 AND r.node IS NULL
                ORDER BY p.number
                """)) {
            query.setString(1, node);
            query.setLong(2, sequence);
            List<Live> live = new ArrayList<>();
            try (ResultSet rows = query.executeQuery()) {
                while (rows.next()) {
                    String id = id(rows.getLong(4));
                    Posting posting = new Posting(
                            Posting.Account.valueOf(rows.getString(2)),
                            rows.getString(3),
                            id,
                            Posting.Kind.valueOf(rows.getString(5)),
                            Posting.Unit.MONEY,
                            rows.getLong(6));
                    live.add(new Live(
                            rows.getInt(1),
                            posting,
                            requests.getOrDefault(rows.getLong(4), Books.Known.NONE),
                            rows.getString(7),
                            rows.getString(8)));
                }
            }
            return live;
        }
    }

    /** The id of a request by its number; empty for none. Also remembers who it was. */
    private String id(long request) throws SQLException {
        if (request == Books.NO_REQUEST) {
            return "";
        }
        String id = ids.get(request);
        if (id == null) {
            Optional<String> found = Books.id(connection, node, request);
            id = found.orElse("");
            ids.put(request, id);
            requests.put(request, Books.request(connection, node, id));
        }
        return id;
    }

    private int nextNumber(long sequence) throws SQLException {
        try (PreparedStatement query =
                connection.prepareStatement("SELECT MAX(number) + 1 FROM posting WHERE node = ? AND sequence = ?")) {
            query.setString(1, node);
            query.setLong(2, sequence);
            try (ResultSet row = query.executeQuery()) {
                row.next();
                return row.getInt(1);
            }
        }
    }
}
