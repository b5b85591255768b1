package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/**
 * Conditions of a question and their parameters. What a caller gave is never part of the text. The tenant of a
 * {@link Scope} is the first condition of every question about requests.
 */
final class Where {

    private final Database.Kind kind;
    private final StringBuilder text = new StringBuilder("1 = 1");
    private final List<Object> parameters = new ArrayList<>();

    /** What a scope and a filter ask of a row with the columns of a request. */
    Where(Database.Kind kind, Scope scope, Filter filter) {
        this.kind = kind;
        if (scope instanceof Scope.Tenant tenant) {
            and("tenant = ?", tenant.id());
        }
        equal("tenant = ?", filter.tenant());
        equal("project = ?", filter.project());
        equal("key_id = ?", filter.key());
        equal("model = ?", filter.model());
        // said twice, so that the index of requests with tasks is used
        equal("task = ? AND task <> ''", filter.task());
        filter.labels().forEach((name, value) -> and(label() + " = ?", name, value));
    }

    /** And booked in the hours of a time, which begins and ends on hours. */
    Where booked(long from, long to) {
        return and("hour >= ? AND hour < ?", Periods.hour(from), to);
    }

    /** And of an id that begins so. */
    Where begins(String beginning) {
        return switch (kind) {
            // By the bytes, so that the index on ids is of use.
            case SQLITE -> and("id >= ? AND id < ?", beginning, beginning + Character.MAX_VALUE);
            case POSTGRESQL -> and("starts_with(id, ?)", beginning);
        };
    }

    Where and(String condition, Object... values) {
        text.append(" AND ").append(condition);
        parameters.addAll(List.of(values));
        return this;
    }

    private void equal(String condition, String value) {
        if (!value.isEmpty()) {
            and(condition, value);
        }
    }

    /** The value of the label whose name is a parameter. */
    private String label() {
        return switch (kind) {
            case SQLITE -> "(SELECT value FROM json_each(labels) WHERE key = ?)";
            case POSTGRESQL -> "(CAST(labels AS jsonb) ->> ?)";
        };
    }

    /** The expression of a group, and where it has parameters, those. */
    String group(Grouping grouping, List<Object> before) {
        return switch (grouping) {
            case Grouping.By by -> by.dimension().column();
            case Grouping.ByLabel byLabel -> {
                before.add(byLabel.name());
                yield "COALESCE(" + label() + ", '')";
            }
        };
    }

    /**
     * Prepares a statement.
     *
     * @param sql with {@code %s} wherever the conditions are; more than once only without {@code before}
     * @param before parameters that come before those of the conditions
     */
    PreparedStatement prepare(Connection connection, String sql, List<Object> before, Object... after)
            throws SQLException {
        PreparedStatement statement = connection.prepareStatement(sql.replace("%s", text));
        try {
            int i = 1;
            List<List<Object>> all = new ArrayList<>();
            all.add(before);
            for (int at = sql.indexOf("%s"); at >= 0; at = sql.indexOf("%s", at + 1)) {
                all.add(parameters);
            }
            all.add(List.of(after));
            for (List<Object> values : all) {
                for (Object value : values) {
                    statement.setObject(i++, value instanceof String string ? SqlText.clean(string) : value);
                }
            }
            return statement;
        } catch (SQLException e) {
            statement.close();
            throw e;
        }
    }
}
