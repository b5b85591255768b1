package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeMap;

/** Reads what devices cost by the hour in which they were used. */
final class DeviceCosts {

    /**
     * A device group of the books.
     *
     * @param node whose it is
     */
    record Device(String node, String name) {

        /** Its name where another node may have one of the same. */
        String text() {
            return node + "/" + name;
        }
    }

    private record Key(String node, String device, long hour) {}

    private DeviceCosts() {}

    /** All devices that were ever used, by node and name. */
    static List<Device> devices(Connection connection) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement(
                        "SELECT DISTINCT node, device FROM device_hour ORDER BY node, device");
                ResultSet rows = query.executeQuery()) {
            List<Device> devices = new ArrayList<>();
            while (rows.next()) {
                devices.add(new Device(rows.getString(1), rows.getString(2)));
            }
            return devices;
        }
    }

    /**
     * The cost of hours, by device and hour. What was booked in its own hour comes from the rollup; what corrects a
     * closed period stands in another hour and is looked up by its windows.
     */
    static List<DeviceCost> read(Connection connection, Period time) throws SQLException {
        TreeMap<Key, DeviceCost> costs = new TreeMap<>(
                Comparator.comparing(Key::node).thenComparing(Key::device).thenComparingLong(Key::hour));
        long from = Periods.hour(time.from());
        try (PreparedStatement query = connection.prepareStatement("""
                SELECT node, device, hour, step_nanos + copy_nanos + stalled_nanos + idle_nanos + loading_nanos
                       + draining_nanos + down_nanos + imbalance, -device_money
                FROM device_hour WHERE corrects = '' AND hour >= ? AND hour < ?
                """)) {
            query.setLong(1, from);
            query.setLong(2, time.until());
            add(query, costs);
        }
        try (PreparedStatement query = connection.prepareStatement("""
                SELECT w.node, w.device, w.from_at / ? * ?,
                       SUM(CASE p.unit WHEN 'NANOS' THEN -p.amount ELSE 0 END),
                       SUM(CASE p.unit WHEN 'MONEY' THEN -p.amount ELSE 0 END)
                FROM posting p JOIN device_window w ON w.node = p.node AND w.sequence = p.sequence
                WHERE p.hour IN (SELECT hour FROM device_hour WHERE corrects <> '' AND hour >= ?)
                  AND p.corrects <> '' AND p.account = 'DEVICE' AND w.from_at >= ? AND w.from_at < ?
                GROUP BY 1, 2, 3
                """)) {
            query.setLong(1, Periods.HOUR);
            query.setLong(2, Periods.HOUR);
            query.setLong(3, from);
            query.setLong(4, from);
            query.setLong(5, Periods.hour(time.until() + Periods.HOUR - 1));
            add(query, costs);
        }
        return List.copyOf(costs.values());
    }

    private static void add(PreparedStatement query, TreeMap<Key, DeviceCost> costs) throws SQLException {
        try (ResultSet rows = query.executeQuery()) {
            while (rows.next()) {
                Key key = new Key(rows.getString(1), rows.getString(2), rows.getLong(3));
                DeviceCost cost =
                        new DeviceCost(key.node(), key.device(), key.hour(), rows.getLong(4), rows.getLong(5));
                costs.merge(
                        key,
                        cost,
                        (a, b) -> new DeviceCost(
                                a.node(),
                                a.device(),
                                a.hour(),
                                Money.add(a.nanos(), b.nanos()),
                                Money.add(a.money(), b.money())));
            }
        }
    }
}
