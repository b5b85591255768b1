package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Reads requests with what was posted for them. */
final class RequestRows {

    private RequestRows() {}

    /**
     * Reads them, the last to end first.
     *
     * @param where which
     * @param limit most of them
     */
    static List<RequestRow> read(Connection connection, Where where, int limit) throws SQLException {
        return read(connection, where, "closed_at DESC, id, node", limit);
    }

    /**
     * Reads them in an order.
     *
     * @param order of the list, a part of the statement
     */
    static List<RequestRow> read(Connection connection, Where where, String order, int limit) throws SQLException {
        try (PreparedStatement query = where.prepare(connection, """
                SELECT r.*,
                       (SELECT COALESCE(SUM(p.amount), 0) FROM posting p
                        WHERE p.node = r.node AND p.request = r.sequence AND p.unit = 'MONEY'
                          AND p.account = 'TENANT') AS metered,
                       (SELECT COALESCE(SUM(p.amount), 0) FROM posting p
                        WHERE p.node = r.node AND p.request = r.sequence AND p.unit = 'MONEY'
                          AND p.account = 'HOUSE') AS house_money,
                       (SELECT COALESCE(SUM(l.prefill + l.decode + l.cancelled), 0) FROM line l
                        WHERE l.node = r.node AND l.request = r.sequence) AS payable,
                       (SELECT COALESCE(SUM(l.recompute + l.overrun), 0) FROM line l
                        WHERE l.node = r.node AND l.request = r.sequence) AS house,
                       (SELECT COALESCE(SUM(l.microjoules), 0) FROM line l
                        WHERE l.node = r.node AND l.request = r.sequence) AS microjoules
                FROM (SELECT * FROM request WHERE %s ORDER BY @order LIMIT ?) r
                ORDER BY @order
                """.replace("@order", order), List.of(), limit);
                ResultSet rows = query.executeQuery()) {
            List<RequestRow> requests = new ArrayList<>();
            while (rows.next()) {
                requests.add(request(rows));
            }
            return requests;
        }
    }

    private static RequestRow request(ResultSet rows) throws SQLException {
        String outcome = rows.getString("outcome");
        return new RequestRow(
                rows.getString("node"),
                rows.getString("id"),
                new Payer(rows.getString("tenant"), rows.getString("project"), rows.getString("key_id")),
                rows.getString("model"),
                new Tags(
                        Labels.map(rows.getString("labels")),
                        rows.getString("task"),
                        rows.getString("prompt_version"),
                        rows.getString("route"),
                        rows.getInt("fallback") != 0),
                ContextBucket.numbered(rows.getInt("context_bucket")),
                rows.getString("price_book"),
                rows.getString("policy"),
                new Zones(rows.getString("zone_from"), rows.getString("zone_to")),
                Work.named(rows.getString("work")),
                rows.getLong("opened_at"),
                rows.getLong("closed_at"),
                outcome.isEmpty() ? Optional.empty() : Optional.of(Fact.Outcome.valueOf(outcome)),
                new Tokens(rows.getLong("input_tokens"), rows.getLong("cached_tokens"), rows.getLong("output_tokens")),
                rows.getLong("granted"),
                rows.getLong("confirmed"),
                rows.getLong("egress_bytes"),
                rows.getLong("list_money"),
                rows.getLong("egress_money"),
                rows.getLong("metered"),
                rows.getLong("house_money"),
                rows.getLong("payable"),
                rows.getLong("house"),
                rows.getLong("microjoules"),
                rows.getLong("queue_nanos"),
                rows.getLong("first_token_nanos"),
                rows.getLong("total_nanos"),
                rows.getInt("retries"));
    }
}
