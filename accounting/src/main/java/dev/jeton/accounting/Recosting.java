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
 * Costs windows again, by other prices that were decided for their time ({@link Fact.Recosted}): what their money
 * postings still say is reversed and the new ones are posted beside them. Both are booked where the window's hour is
 * booked now: in that hour while it is open, else as a correction.
 */
final class Recosting {

    /** Finds price books. */
    @FunctionalInterface
    interface Prices {
        /** The costing by a book that the ledger has. */
        WindowCosting of(String priceBook) throws SQLException;
    }

    private record Live(int number, Posting posting, Books.Known request, String priceBook, String policy) {}

    private final Connection connection;
    private final String node;
    private final Prices prices;
    private final Map<Long, Books.Known> requests = new HashMap<>();
    private final Map<Long, String> ids = new HashMap<>();

    private Recosting(Connection connection, String node, Prices prices) {
        this.connection = connection;
        this.node = node;
        this.prices = prices;
    }

    /** Notes what was decided; {@link #next} does it. The caller holds the books' lock. */
    static void decide(Connection connection, String node, long sequence, long at, Fact.Recosted fact)
            throws SQLException {
        Period span = Period.named(fact.period());
        try (PreparedStatement row = connection.prepareStatement("""
                INSERT INTO recost (node, sequence, decided_at, period, from_at, until_at, price_book, done_until)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """)) {
            row.setString(1, node);
            row.setLong(2, sequence);
            row.setLong(3, at);
            row.setString(4, fact.period());
            row.setLong(5, span.from());
            row.setLong(6, span.until());
            row.setString(7, fact.priceBook());
            row.setLong(8, span.from());
            row.executeUpdate();
        }
    }

    /** What was decided. */
    static List<Periods.Recost> decided(Connection connection) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement(
                        "SELECT node, sequence, decided_at, from_at, until_at, price_book FROM recost");
                ResultSet rows = query.executeQuery()) {
            List<Periods.Recost> decided = new ArrayList<>();
            while (rows.next()) {
                decided.add(new Periods.Recost(
                        rows.getString(1),
                        rows.getLong(2),
                        rows.getLong(3),
                        new Period(rows.getLong(4), rows.getLong(5)),
                        rows.getString(6)));
            }
            return decided;
        }
    }

    /** How often a period was costed again by a book, to its end. */
    static long finished(Connection connection, String period, String priceBook) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement(
                "SELECT COUNT(*) FROM recost WHERE period = ? AND price_book = ? AND done_until >= until_at")) {
            query.setString(1, period);
            query.setString(2, priceBook);
            try (ResultSet row = query.executeQuery()) {
                row.next();
                return row.getLong(1);
            }
        }
    }

    /**
     * Costs the windows of one hour again, of whichever node, that a journal's decision is about and that were not yet:
     * a month in one transaction would keep every projection waiting. The caller holds the books' lock.
     *
     * @param node whose journal
     * @return whether there was an hour; call again then
     */
    static boolean next(Connection connection, String node, Prices prices) throws SQLException {
        long decision;
        long from;
        long until;
        try (PreparedStatement query = connection.prepareStatement("""
                SELECT sequence, done_until, until_at FROM recost
                WHERE node = ? AND done_until < until_at ORDER BY sequence LIMIT 1
                """)) {
            query.setString(1, node);
            try (ResultSet row = query.executeQuery()) {
                if (!row.next()) {
                    return false;
                }
                decision = row.getLong(1);
                from = row.getLong(2);
                until = row.getLong(3);
            }
        }
        Optional<Long> first = firstWindow(connection, from, until);
        long end = first.isEmpty() ? until : Math.min(until, Periods.hour(first.get()) + Periods.HOUR);
        if (first.isPresent()) {
            recost(connection, first.get(), end, prices);
        }
        try (PreparedStatement row =
                connection.prepareStatement("UPDATE recost SET done_until = ? WHERE node = ? AND sequence = ?")) {
            row.setLong(1, end);
            row.setString(2, node);
            row.setLong(3, decision);
            row.executeUpdate();
        }
        return true;
    }

    /**
     * Costs windows of a node again that were booked in a closed period as that had them: other prices that were
     * decided since are a correction of it.
     */
    static void correct(Connection connection, String node, List<Long> sequences, Prices prices) throws SQLException {
        Periods periods = Books.periods(connection);
        Recosting recosting = new Recosting(connection, node, prices);
        try (BookWriter writer = new BookWriter(connection, node)) {
            for (long sequence : sequences) {
                recosting.recost(writer, sequence, periods);
            }
            writer.flush();
        }
    }

    private static Optional<Long> firstWindow(Connection connection, long from, long until) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement(
                "SELECT MIN(from_at) FROM device_window WHERE from_at >= ? AND from_at < ?")) {
            query.setLong(1, from);
            query.setLong(2, until);
            try (ResultSet row = query.executeQuery()) {
                row.next();
                long first = row.getLong(1);
                return row.wasNull() ? Optional.empty() : Optional.of(first);
            }
        }
    }

    /** Costs the windows of a time again, each by what holds for it now. */
    private static void recost(Connection connection, long from, long to, Prices prices) throws SQLException {
        Periods periods = Books.periods(connection);
        for (Map.Entry<String, List<Long>> windows :
                windows(connection, from, to).entrySet()) {
            Recosting recosting = new Recosting(connection, windows.getKey(), prices);
            try (BookWriter writer = new BookWriter(connection, windows.getKey())) {
                for (long sequence : windows.getValue()) {
                    recosting.recost(writer, sequence, periods);
                }
                writer.flush();
            }
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

    /** Costs one window again; one whose money stays the same is left alone, so doing it twice changes nothing. */
    private void recost(BookWriter writer, long sequence, Periods periods) throws SQLException {
        Fact.Window window = window(sequence);
        String priceBook = periods.recost(window.from())
                .map(Periods.Recost::priceBook)
                .orElseThrow(() -> new IllegalStateException("nothing was decided for this window"));
        List<Live> live = live(sequence);
        Map<String, Books.Known> users = new HashMap<>();
        requests.forEach((number, known) -> users.put(ids.getOrDefault(number, ""), known));
        List<Posting> fresh =
                prices
                        .of(priceBook)
                        .postings(
                                window,
                                id -> users.getOrDefault(id, Books.Known.NONE).payer())
                        .stream()
                        .filter(posting -> posting.unit() == Posting.Unit.MONEY)
                        .toList();
        if (fresh.equals(live.stream().map(Live::posting).toList())) {
            return;
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
