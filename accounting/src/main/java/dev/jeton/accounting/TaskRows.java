package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Reads tasks. An id that was used again after its task had been forgotten, or on another node, is one task here: what
 * was said of it first, the outcome that was said first, and all requests and steps.
 */
final class TaskRows {

    private static final String COLUMNS = "sequence, tenant, id, project, key_id, name, criterion, slo_nanos, limits,"
            + " implicit, opened_at, ended_at, outcome, why";

    private TaskRows() {}

    static Optional<TaskGraph> graph(Connection connection, Database.Kind kind, Scope.Tenant scope, String id, int most)
            throws SQLException {
        Optional<TaskRow> task = task(connection, scope.id(), id);
        if (task.isEmpty()) {
            return Optional.empty();
        }
        Where requests = new Where(kind, scope, new Filter("", "", "", "", java.util.Map.of(), id));
        return Optional.of(new TaskGraph(
                task.get(),
                RequestRows.read(connection, requests, "opened_at, id, node", most),
                steps(connection, scope.id(), id, most),
                sums(connection, scope.id(), id)));
    }

    private static Optional<TaskRow> task(Connection connection, String tenant, String id) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("""
                SELECT %s FROM task WHERE tenant = ? AND id = ? ORDER BY implicit, opened_at, node
                """.formatted(COLUMNS))) {
            query.setString(1, tenant);
            query.setString(2, SqlText.clean(id));
            try (ResultSet rows = query.executeQuery()) {
                Optional<TaskRow> first = Optional.empty();
                Optional<TaskRow> ended = Optional.empty();
                while (rows.next()) {
                    TaskRow row = row(rows);
                    first = first.or(() -> Optional.of(row));
                    if (row.outcome().isPresent()
                            && ended.filter(other -> other.endedAt() <= row.endedAt())
                                    .isEmpty()) {
                        ended = Optional.of(row);
                    }
                }
                Optional<TaskRow> end = ended;
                return first.map(head -> end.map(row -> endedAs(head, row)).orElse(head));
            }
        }
    }

    private static TaskRow endedAs(TaskRow head, TaskRow end) {
        return new TaskRow(
                head.id(),
                head.payer(),
                head.spec(),
                head.implicit(),
                head.openedAt(),
                end.outcome(),
                end.why(),
                end.endedAt());
    }

    static List<TaskRow> list(
            Connection connection, Database.Kind kind, Scope scope, Optional<Reports.Cursor> after, int limit)
            throws SQLException {
        Where where = new Where(kind, scope, Filter.ALL);
        after.ifPresent(last -> where.and(
                "(opened_at < ? OR (opened_at = ? AND id > ?))", last.closedAt(), last.closedAt(), last.id()));
        try (PreparedStatement query = where.prepare(connection, """
                SELECT @columns FROM task WHERE %s ORDER BY opened_at DESC, id, node LIMIT ?
                """.replace("@columns", COLUMNS), List.of(), limit);
                ResultSet rows = query.executeQuery()) {
            List<TaskRow> tasks = new ArrayList<>();
            while (rows.next()) {
                tasks.add(row(rows));
            }
            return tasks;
        }
    }

    private static TaskRow row(ResultSet rows) throws SQLException {
        List<TaskLimit> limits = new ArrayList<>();
        Labels.map(rows.getString("limits"))
                .forEach((unit, amount) -> BudgetUnit.of(unit)
                        .ifPresent(known -> limits.add(new TaskLimit(known, Long.parseLong(amount)))));
        String outcome = rows.getString("outcome");
        return new TaskRow(
                rows.getString("id"),
                new Payer(rows.getString("tenant"), rows.getString("project"), rows.getString("key_id")),
                new TaskSpec(rows.getString("name"), rows.getString("criterion"), rows.getLong("slo_nanos"), limits),
                rows.getInt("implicit") != 0,
                rows.getLong("opened_at"),
                outcome.isEmpty() ? Optional.empty() : Optional.of(TaskOutcome.valueOf(outcome)),
                rows.getString("why"),
                rows.getLong("ended_at"));
    }

    private static List<StepRow> steps(Connection connection, String tenant, String id, int most) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("""
                SELECT s.* FROM task t JOIN step s ON s.node = t.node AND s.task = t.sequence
                WHERE t.tenant = ? AND t.id = ? ORDER BY s.opened_at, s.id, s.node LIMIT ?
                """)) {
            query.setString(1, tenant);
            query.setString(2, SqlText.clean(id));
            query.setInt(3, most);
            try (ResultSet rows = query.executeQuery()) {
                List<StepRow> steps = new ArrayList<>();
                while (rows.next()) {
                    steps.add(step(rows));
                }
                return steps;
            }
        }
    }

    private static StepRow step(ResultSet rows) throws SQLException {
        TaskStep step = new TaskStep(
                rows.getString("id"),
                TaskStep.Kind.valueOf(rows.getString("kind")),
                rows.getLong("list_money"),
                Rate.of(rows.getString("quantity")),
                rows.getString("unit"),
                rows.getLong("duration_nanos"),
                TaskStep.Hit.valueOf(rows.getString("hit")),
                rows.getString("retry_of"));
        return new StepRow(
                step,
                TaskStep.State.valueOf(rows.getString("state")),
                rows.getLong("reserved_money"),
                rows.getLong("overdraft"),
                rows.getString("price_book"),
                rows.getLong("opened_at"),
                rows.getLong("settled_at"));
    }

    private static TaskGraph.Sums sums(Connection connection, String tenant, String id) throws SQLException {
        try (PreparedStatement calls = connection.prepareStatement("""
                        SELECT SUM(CASE WHEN closings > 0 THEN prompts ELSE 0 END),
                               SUM(CASE WHEN closings = 0 THEN 1 ELSE 0 END),
                               SUM(CASE WHEN outcome = 'COMPLETED' THEN 1 ELSE 0 END),
                               SUM(CASE WHEN closings > 0 AND retries > 0 THEN 1 ELSE 0 END),
                               SUM(CASE WHEN closings > 0 THEN fallback ELSE 0 END), SUM(input_tokens),
                               SUM(cached_tokens), SUM(output_tokens), SUM(list_money), SUM(egress_money),
                               SUM((SELECT COALESCE(SUM(p.amount), 0) FROM posting p
                                    WHERE p.node = r.node AND p.request = r.sequence AND p.unit = 'MONEY'
                                      AND p.account = 'TENANT'))
                        FROM request r WHERE tenant = ? AND task = ? AND task <> ''
                        """);
                PreparedStatement steps = connection.prepareStatement("""
                        SELECT SUM(CASE WHEN state = 'POSTED' THEN 1 ELSE 0 END),
                               SUM(CASE WHEN state = 'RESERVED' THEN 1 ELSE 0 END), SUM(list_money), SUM(overdraft),
                               SUM(CASE WHEN state = 'RESERVED' THEN reserved_money ELSE 0 END),
                               SUM(CASE WHEN state = 'POSTED' AND hit <> 'UNKNOWN' THEN 1 ELSE 0 END),
                               SUM(CASE WHEN state = 'POSTED' AND hit = 'HIT' THEN 1 ELSE 0 END)
                        FROM task t JOIN step s ON s.node = t.node AND s.task = t.sequence
                        WHERE t.tenant = ? AND t.id = ?
                        """)) {
            for (PreparedStatement query : List.of(calls, steps)) {
                query.setString(1, tenant);
                query.setString(2, SqlText.clean(id));
            }
            try (ResultSet call = calls.executeQuery();
                    ResultSet step = steps.executeQuery()) {
                call.next();
                step.next();
                return new TaskGraph.Sums(
                        call.getLong(1),
                        call.getLong(2),
                        call.getLong(3),
                        call.getLong(4),
                        call.getLong(5),
                        new Tokens(call.getLong(6), call.getLong(7), call.getLong(8)),
                        call.getLong(9),
                        call.getLong(10),
                        call.getLong(11),
                        step.getLong(1),
                        step.getLong(2),
                        step.getLong(3),
                        step.getLong(4),
                        step.getLong(5),
                        step.getLong(6),
                        step.getLong(7));
            }
        }
    }
}
