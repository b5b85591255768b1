package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Replaces what is personal in a tenant's rows; amounts stay. The caller holds the books' lock. */
final class Erasure {

    private Erasure() {}

    /** Labels and key ids of all requests go, and the ids of those that ended in time; how many those were. */
    static int erase(Connection connection, String tenant, long before) throws SQLException {
        int ids;
        try (PreparedStatement plain = connection.prepareStatement("""
                        UPDATE request SET labels = '{}', key_id = '', prompt_version = '', route = '' WHERE tenant = ?
                        """);
                PreparedStatement ended = connection.prepareStatement("""
                        UPDATE request SET id = 'erased-' || node || '-' || sequence
                        WHERE tenant = ? AND closings > 0 AND closed_at < ?
                          AND id <> 'erased-' || node || '-' || sequence
                        """);
                PreparedStatement note = connection.prepareStatement("""
                        INSERT INTO erasure (tenant, number, before_at) SELECT ?, COUNT(*), ? FROM erasure
                        """)) {
            plain.setString(1, tenant);
            plain.executeUpdate();
            ended.setString(1, tenant);
            ended.setLong(2, before);
            ids = ended.executeUpdate();
            note.setString(1, tenant);
            note.setLong(2, before);
            note.executeUpdate();
        }
        tasks(connection, tenant, before);
        budgets(connection, tenant, before);
        mergeUsage(connection, tenant);
        return ids;
    }

    /** Whose counters they were goes from windows of shared budgets that are over. */
    private static void budgets(Connection connection, String tenant, long before) throws SQLException {
        try (PreparedStatement pools = connection.prepareStatement("""
                UPDATE budget_pool SET subject = ?
                WHERE window_to <= ? AND SUBSTR(subject, 1, LENGTH(?) + 1) = ? || '/'
                """)) {
            pools.setString(1, tenant);
            pools.setLong(2, before);
            pools.setString(3, tenant);
            pools.setString(4, tenant);
            pools.executeUpdate();
        }
    }

    /** What is said of tasks goes, and the ids of those that ended in time, of their steps, too. */
    private static void tasks(Connection connection, String tenant, long before) throws SQLException {
        try (PreparedStatement plain = connection.prepareStatement("""
                        UPDATE task SET name = '', criterion = '', why = '', key_id = '' WHERE tenant = ?
                        """);
                PreparedStatement steps = connection.prepareStatement("""
                        UPDATE step SET key_id = '', unit = '' WHERE tenant = ?
                        """);
                PreparedStatement stepIds = connection.prepareStatement("""
                        UPDATE step SET id = 'erased-' || node || '-' || sequence, retry_of = ''
                        WHERE tenant = ? AND EXISTS (SELECT 1 FROM task t WHERE t.node = step.node
                                                     AND t.sequence = step.task AND t.endings > 0 AND t.ended_at < ?)
                        """);
                PreparedStatement requests = connection.prepareStatement("""
                        UPDATE request
                        SET task = COALESCE((SELECT MIN('erased-' || t.node || '-' || t.sequence) FROM task t
                                             WHERE t.tenant = request.tenant AND t.id = request.task AND t.endings > 0
                                               AND t.ended_at < ?), task)
                        WHERE tenant = ? AND task <> ''
                        """);
                PreparedStatement ended = connection.prepareStatement("""
                        UPDATE task SET id = 'erased-' || node || '-' || sequence
                        WHERE tenant = ? AND endings > 0 AND ended_at < ?
                        """)) {
            for (PreparedStatement all : List.of(plain, steps)) {
                all.setString(1, tenant);
                all.executeUpdate();
            }
            requests.setLong(1, before);
            requests.setString(2, tenant);
            requests.executeUpdate();
            for (PreparedStatement old : List.of(stepIds, ended)) {
                old.setString(1, tenant);
                old.setLong(2, before);
                old.executeUpdate();
            }
        }
    }

    /** Rows that differed in labels or keys only become one. */
    private static void mergeUsage(Connection connection, String tenant) throws SQLException {
        Map<UsageKey, UsageSum> merged = new HashMap<>();
        try (PreparedStatement query = connection.prepareStatement("""
                SELECT hour, project, model, price_book, corrects, zone_from, zone_to, work, step, requests, completed,
                       cancelled, failed, input_tokens, cached_tokens, output_tokens, egress_bytes, payable, house,
                       cancelled_nanos, recompute_nanos, overrun_nanos, saved_nanos, kv_byte_seconds, microjoules,
                       list_money, metered, house_money, egress_money, steps, step_money
                FROM usage_hour WHERE tenant = ?
                """)) {
            query.setString(1, tenant);
            try (ResultSet rows = query.executeQuery()) {
                while (rows.next()) {
                    UsageKey key = new UsageKey(
                            rows.getLong(1),
                            tenant,
                            rows.getString(2),
                            "",
                            rows.getString(3),
                            Labels.NONE,
                            rows.getString(4),
                            rows.getString(5),
                            new Zones(rows.getString(6), rows.getString(7)),
                            Work.named(rows.getString(8)),
                            rows.getString(9));
                    UsageSum sum = merged.computeIfAbsent(key, added -> new UsageSum());
                    for (UsageSum.Measure measure : UsageSum.Measure.values()) {
                        sum.add(measure, rows.getLong(10 + measure.ordinal()));
                    }
                }
            }
        }
        try (PreparedStatement delete = connection.prepareStatement("DELETE FROM usage_hour WHERE tenant = ?");
                BookWriter writer = new BookWriter(connection, "")) {
            delete.setString(1, tenant);
            delete.executeUpdate();
            merged.forEach((key, sum) -> writer.usage(key).add(sum));
            writer.flush();
        }
    }
}
