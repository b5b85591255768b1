package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Asks for totals by group. Sums come from the rollup by the hour, or, by what only requests have, from the rows of
 * requests and steps; latencies and what is said of tasks always from rows.
 */
final class TotalsQuery {

    private static final String REQUEST_SUMS = """
            SELECT node, sequence, tenant, project, key_id, model, labels, price_book, work, hour, task, prompt_version,
                   route, context_bucket, 1 AS requests, CASE WHEN outcome = 'COMPLETED' THEN 1 ELSE 0 END AS completed,
                   CASE WHEN outcome = 'CANCELLED' THEN 1 ELSE 0 END AS cancelled,
                   CASE WHEN outcome IN ('COMPLETED', 'CANCELLED') THEN 0 ELSE 1 END AS failed, input_tokens,
                   cached_tokens, output_tokens, egress_bytes, list_money, egress_money,
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
                    WHERE l.node = r.node AND l.request = r.sequence) AS microjoules,
                   0 AS steps, 0 AS step_money
            FROM request r WHERE closings > 0""";

    /** With the columns that conditions and groups may name. */
    private static final String STEPS = """
            SELECT s.node, s.sequence, s.tenant, s.project, s.key_id, '' AS model, '{}' AS labels, s.price_book,
                   '' AS work, s.hour, t.id AS task, '' AS prompt_version, '' AS route, 0 AS context_bucket,
                   s.list_money, s.kind, s.hit
            FROM step s JOIN task t ON t.node = s.node AND t.sequence = s.task
            WHERE s.state = 'POSTED'""";

    private final Connection connection;
    private final Where where;
    private final Grouping grouping;
    private final String after;
    private final int most;
    private final String group;
    private final List<Object> before = new ArrayList<>();
    private final Object[] rest;

    /**
     * A question.
     *
     * @param where which rows
     * @param after the group after which the answer begins
     * @param most groups at most
     */
    TotalsQuery(
            Connection connection,
            Database.Kind kind,
            Where where,
            Scope scope,
            Grouping grouping,
            Optional<String> after,
            int most) {
        this.connection = connection;
        this.where = where;
        this.grouping = grouping;
        this.most = most;
        boolean tasks = grouping.equals(new Grouping.By(Grouping.Dimension.TASK)) && scope instanceof Scope.Operator;
        String expression =
                tasks ? "CASE WHEN task = '' THEN '' ELSE tenant || '/' || task END" : where.group(grouping, before);
        // by bytes in both, whatever the database's language is: pages go on where they ended
        group = kind == Database.Kind.POSTGRESQL ? "CAST(" + expression + " AS TEXT) COLLATE \"C\"" : expression;
        this.after = after.isPresent() ? "WHERE grp > ?" : "";
        rest = after.isPresent() ? new Object[] {key(after.get()), most} : new Object[] {most};
    }

    List<Total> totals() throws SQLException {
        Map<String, Long> slow = slow();
        Map<String, TaskTotal> tasks = tasks();
        try (PreparedStatement query = sums();
                ResultSet rows = query.executeQuery()) {
            List<Total> totals = new ArrayList<>();
            while (rows.next()) {
                totals.add(total(rows, tasks, slow));
            }
            return totals;
        }
    }

    private boolean ofRequests() {
        return grouping instanceof Grouping.By by && by.dimension().ofRequests();
    }

    private PreparedStatement sums() throws SQLException {
        String sums = """
                SELECT grp, SUM(requests), SUM(completed), SUM(cancelled), SUM(failed), SUM(input_tokens),
                       SUM(cached_tokens), SUM(output_tokens), SUM(egress_bytes), SUM(list_money),
                       SUM(egress_money), SUM(metered), SUM(house_money), SUM(payable), SUM(house),
                       SUM(microjoules), SUM(steps), SUM(step_money)
                FROM (@rows) g @after
                GROUP BY grp ORDER BY grp LIMIT ?
                """;
        String rows = ofRequests() ? """
                SELECT @group AS grp, x.* FROM (@requests) x WHERE %s
                UNION ALL
                SELECT @group AS grp, node, sequence, tenant, project, key_id, model, labels, price_book, work, hour,
                       task, prompt_version, route, context_bucket, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
                       list_money
                FROM (@steps) y WHERE %s
                """ : "SELECT @group AS grp, u.* FROM usage_hour u WHERE %s";
        return prepare(sums.replace("@rows", rows));
    }

    private PreparedStatement prepare(String sql) throws SQLException {
        return where.prepare(
                connection,
                sql.replace("@requests", REQUEST_SUMS)
                        .replace("@steps", STEPS)
                        .replace("@group", group)
                        .replace("@after", after),
                before,
                rest);
    }

    private Total total(ResultSet rows, Map<String, TaskTotal> tasks, Map<String, Long> slow) throws SQLException {
        String key = rows.getString(1);
        return new Total(
                name(key),
                rows.getLong(2),
                rows.getLong(3),
                rows.getLong(4),
                rows.getLong(5),
                new Tokens(rows.getLong(6), rows.getLong(7), rows.getLong(8)),
                rows.getLong(9),
                rows.getLong(10),
                rows.getLong(11),
                rows.getLong(12),
                rows.getLong(13),
                rows.getLong(14),
                rows.getLong(15),
                rows.getLong(16),
                rows.getLong(17),
                rows.getLong(18),
                tasks.getOrDefault(key, TaskTotal.NONE),
                slow.getOrDefault(key, 0L));
    }

    private String name(String key) {
        return grouping instanceof Grouping.By by
                ? switch (by.dimension()) {
                    case HOUR ->
                        Instant.EPOCH
                                .plus(Long.parseLong(key), ChronoUnit.MICROS)
                                .toString();
                    case CONTEXT_BUCKET ->
                        ContextBucket.numbered(Integer.parseInt(key)).text();
                    case TENANT, PROJECT, KEY, MODEL, PRICE_BOOK, WORK, TASK, PROMPT_VERSION, ROUTE -> key;
                }
                : key;
    }

    /** What the database calls a group that a caller names. */
    private String key(String name) {
        if (grouping.equals(new Grouping.By(Grouping.Dimension.CONTEXT_BUCKET))) {
            for (ContextBucket bucket : ContextBucket.values()) {
                if (bucket.text().equals(name)) {
                    return Integer.toString(bucket.ordinal());
                }
            }
        }
        if (grouping.equals(new Grouping.By(Grouping.Dimension.HOUR))) {
            return Long.toString(Period.begin(name));
        }
        return name;
    }

    /**
     * The nearest rank, from every request: sums by hour could not say it. Every group of requests is one of hours too,
     * so the first of them are enough.
     */
    private Map<String, Long> slow() throws SQLException {
        String sql = """
                SELECT grp, MIN(total_nanos)
                FROM (SELECT grp, total_nanos,
                             ROW_NUMBER() OVER (PARTITION BY grp ORDER BY total_nanos) AS place,
                             COUNT(*) OVER (PARTITION BY grp) AS places
                      FROM (SELECT @group AS grp, total_nanos FROM request WHERE %s AND closings > 0) g @after) ranked
                WHERE place * 100 >= places * 95
                GROUP BY grp ORDER BY grp LIMIT ?
                """;
        try (PreparedStatement query = prepare(sql);
                ResultSet rows = query.executeQuery()) {
            Map<String, Long> slow = new HashMap<>();
            while (rows.next()) {
                slow.put(rows.getString(1), rows.getLong(2));
            }
            return slow;
        }
    }

    private Map<String, TaskTotal> tasks() throws SQLException {
        Map<String, TaskTotal> tasks = new HashMap<>();
        String requests = """
                SELECT grp, COUNT(DISTINCT CASE WHEN task <> '' THEN tenant || '/' || task END),
                       COUNT(DISTINCT CASE WHEN succeeded = 1 THEN tenant || '/' || task END),
                       SUM(CASE WHEN task <> '' THEN prompts ELSE 0 END),
                       SUM(CASE WHEN task <> '' THEN list_money + egress_money ELSE 0 END),
                       SUM(CASE WHEN retries > 0 THEN 1 ELSE 0 END), SUM(fallback)
                FROM (SELECT @group AS grp, tenant, task, list_money, egress_money, retries, fallback, prompts,
                             CASE WHEN task <> '' AND EXISTS (SELECT 1 FROM task t WHERE t.tenant = request.tenant
                                                              AND t.id = request.task AND t.outcome = 'SUCCESS')
                                  THEN 1 ELSE 0 END AS succeeded
                      FROM request WHERE %s AND closings > 0) g @after
                GROUP BY grp ORDER BY grp LIMIT ?
                """;
        try (PreparedStatement query = prepare(requests);
                ResultSet rows = query.executeQuery()) {
            while (rows.next()) {
                tasks.put(
                        rows.getString(1),
                        new TaskTotal(
                                rows.getLong(2),
                                rows.getLong(3),
                                rows.getLong(4),
                                rows.getLong(5),
                                rows.getLong(6),
                                rows.getLong(7),
                                0,
                                0));
            }
        }
        String steps = """
                SELECT grp, SUM(list_money), SUM(CASE WHEN hit <> 'UNKNOWN' THEN 1 ELSE 0 END),
                       SUM(CASE WHEN hit = 'HIT' THEN 1 ELSE 0 END)
                FROM (SELECT @group AS grp, list_money, hit FROM (@steps) y WHERE %s) g @after
                GROUP BY grp ORDER BY grp LIMIT ?
                """;
        try (PreparedStatement query = prepare(steps);
                ResultSet rows = query.executeQuery()) {
            while (rows.next()) {
                TaskTotal found = tasks.getOrDefault(rows.getString(1), TaskTotal.NONE);
                tasks.put(rows.getString(1), found.plus(rows.getLong(2), rows.getLong(3), rows.getLong(4)));
            }
        }
        return tasks;
    }
}
