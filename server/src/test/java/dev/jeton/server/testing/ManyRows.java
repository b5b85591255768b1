package dev.jeton.server.testing;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;

/** Puts more hours of usage into a ledger than a test could make by asking. */
public final class ManyRows {

    private static final String LIKE = """
            INSERT INTO usage_hour
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
            SELECT u.hour - 3600000000 * (i %% %d), 'made-' || i, u.tenant, u.project, u.key_id, u.model,
                   '{"n":"' || i || '"}', u.price_book, u.corrects, u.requests, u.completed, u.cancelled, u.failed,
                   u.input_tokens, u.cached_tokens, u.output_tokens, u.egress_bytes, u.payable, u.house,
                   u.cancelled_nanos, u.recompute_nanos, u.overrun_nanos, u.saved_nanos, u.kv_byte_seconds,
                   u.microjoules, u.list_money, u.metered, u.house_money,
                   u.zone_from, u.zone_to, u.egress_money, u.work, u.step, u.steps, u.step_money
            FROM n, (SELECT * FROM usage_hour WHERE tenant = 'red' LIMIT 1) u
            """;

    private ManyRows() {}

    /**
     * Adds rows that are as red's row, each with a label {@code n} of its own.
     *
     * @param hours over how many hours, back from that row's
     */
    public static void add(String url, String user, int rows, int hours) {
        try (Connection connection = DriverManager.getConnection(url, user, "");
                var statement = connection.createStatement()) {
            statement.executeUpdate(LIKE.formatted(rows, hours));
        } catch (SQLException e) {
            throw new AssertionError(e);
        }
    }
}
