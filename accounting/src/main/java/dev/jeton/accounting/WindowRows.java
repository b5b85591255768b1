package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Windows as the ledger has them, made facts again. */
final class WindowRows {

    /** Columns of a window, for {@link #window}. */
    static final String WINDOW = "device, from_at, to_at, from_nanos, to_nanos, microjoules, measured, step_nanos,"
            + " copy_nanos, stalled_nanos, idle_nanos, loading_nanos, draining_nanos, down_nanos";
    /** Columns of a line, for {@link #line}. */
    static final String LINE =
            "l.prefill, l.decode, l.recompute, l.overrun, l.cancelled, l.saved, l.kv_byte_seconds, l.microjoules";

    private static final int FETCH = 1_000;

    /** Who used a line. */
    record User(String tenant, String model) {

        /** Stands for who was never opened. */
        static final User NONE = new User(Payer.UNKNOWN.tenant(), "");
    }

    /**
     * A window.
     *
     * @param fact its lines name requests by {@code users}
     */
    record Stored(String node, Fact.Window fact, Map<String, User> users) {}

    /** Takes a window. */
    interface Sink {
        void take(Stored window);
    }

    private record Name(String node, long sequence) {}

    private record Used(List<Line> lines, Map<String, User> users) {}

    private WindowRows() {}

    /** Hands on the windows that are booked in an hour, by node and number. */
    static void booked(Connection connection, long hour, Sink sink) throws SQLException {
        Map<Name, Used> lines = lines(connection, hour);
        try (PreparedStatement query = connection.prepareStatement(
                "SELECT " + WINDOW + ", node, sequence FROM device_window WHERE hour = ? ORDER BY node, sequence")) {
            query.setLong(1, hour);
            query.setFetchSize(FETCH);
            try (ResultSet rows = query.executeQuery()) {
                while (rows.next()) {
                    Name name = new Name(rows.getString("node"), rows.getLong("sequence"));
                    Used used = lines.getOrDefault(name, new Used(List.of(), Map.of()));
                    sink.take(new Stored(name.node(), window(rows, used.lines()), used.users()));
                }
            }
        }
    }

    private static Map<Name, Used> lines(Connection connection, long hour) throws SQLException {
        Map<Name, Used> result = new HashMap<>();
        try (PreparedStatement query = connection.prepareStatement("SELECT " + LINE + """
                , l.node, l.sequence, l.request, r.tenant, r.model
                FROM device_window w
                JOIN line l ON l.node = w.node AND l.sequence = w.sequence
                LEFT JOIN request r ON r.node = l.node AND r.sequence = l.request
                WHERE w.hour = ? ORDER BY l.node, l.sequence, l.number
                """)) {
            query.setLong(1, hour);
            query.setFetchSize(FETCH);
            try (ResultSet rows = query.executeQuery()) {
                while (rows.next()) {
                    Used used = result.computeIfAbsent(
                            new Name(rows.getString("node"), rows.getLong("sequence")),
                            added -> new Used(new ArrayList<>(), new HashMap<>()));
                    long request = rows.getLong("request");
                    String id = request == Books.NO_REQUEST ? "" : Long.toString(request);
                    used.lines().add(line(rows, id));
                    String tenant = rows.getString("tenant");
                    used.users().put(id, tenant == null ? User.NONE : new User(tenant, rows.getString("model")));
                }
            }
        }
        return result;
    }

    /** A window from a row that begins with its columns. */
    static Fact.Window window(ResultSet row, List<Line> lines) throws SQLException {
        List<Long> states = new ArrayList<>();
        for (int i = 0; i < DeviceSum.STATES; i++) {
            states.add(row.getLong(8 + i));
        }
        return new Fact.Window(
                row.getString(1),
                row.getLong(2),
                row.getLong(3),
                row.getLong(4),
                row.getLong(5),
                states,
                row.getLong(6),
                row.getInt(7) != 0,
                lines);
    }

    /** A line from a row that begins with its columns. */
    static Line line(ResultSet row, String request) throws SQLException {
        return new Line(
                request,
                row.getLong(1),
                row.getLong(2),
                row.getLong(3),
                row.getLong(4),
                row.getLong(5),
                row.getLong(6),
                row.getLong(7),
                row.getLong(8));
    }
}
