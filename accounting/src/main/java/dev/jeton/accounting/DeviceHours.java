package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.function.Consumer;

/** Reads what devices gave outside of requests, by hour: what {@link HourRow} does not hold. */
final class DeviceHours {

    private static final int FETCH = 1_000;

    private DeviceHours() {}

    static void read(Connection connection, long from, long to, Consumer<Reports.BookedDevice> sink)
            throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("""
                SELECT p.hour, w.device, p.account, CASE p.account WHEN 'TENANT' THEN p.party ELSE '' END AS tenant,
                       p.price_book, p.corrects,
                       SUM(CASE p.unit WHEN 'NANOS' THEN p.amount ELSE 0 END) AS nanos,
                       SUM(CASE p.unit WHEN 'MICROJOULES' THEN p.amount ELSE 0 END) AS microjoules,
                       SUM(CASE p.unit WHEN 'MONEY' THEN p.amount ELSE 0 END) AS money
                FROM posting p JOIN device_window w ON w.node = p.node AND w.sequence = p.sequence
                WHERE p.request = ? AND p.account <> 'DEVICE' AND p.hour >= ? AND p.hour < ?
                GROUP BY p.hour, w.device, p.account, tenant, p.price_book, p.corrects
                ORDER BY p.hour, w.device, p.account, tenant
                """)) {
            query.setLong(1, Books.NO_REQUEST);
            query.setLong(2, Periods.hour(from));
            query.setLong(3, to);
            query.setFetchSize(FETCH);
            try (ResultSet rows = query.executeQuery()) {
                while (rows.next()) {
                    sink.accept(new Reports.BookedDevice(
                            new DeviceHour(
                                    rows.getLong("hour"),
                                    rows.getString("device"),
                                    Posting.Account.valueOf(rows.getString("account")),
                                    rows.getString("tenant"),
                                    rows.getString("price_book"),
                                    rows.getLong("nanos"),
                                    rows.getLong("microjoules"),
                                    rows.getLong("money")),
                            rows.getString("corrects")));
                }
            }
        }
    }
}
