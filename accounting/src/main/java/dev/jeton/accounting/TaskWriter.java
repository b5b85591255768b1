package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Writes the rows of tasks and steps of one node, in the transaction of a {@link BookWriter}. */
final class TaskWriter implements AutoCloseable {

    /** A step that the ledger has. */
    private record Found(long sequence, TaskStep.State state) {}

    private final Connection connection;
    private final String node;
    private final BookWriter books;
    private final Map<TaskSql, PreparedStatement> statements = new EnumMap<>(TaskSql.class);

    /**
     * Writes rows.
     *
     * @param books takes what is summed by the hour
     */
    TaskWriter(Connection connection, String node, BookWriter books) {
        this.connection = connection;
        this.node = node;
        this.books = books;
    }

    /**
     * Opens a task.
     *
     * @param openings 0 for one whose opening is not among the facts: verification reports it
     */
    void open(long sequence, Fact.TaskOpened fact, int openings) throws SQLException {
        PreparedStatement row = statement(TaskSql.OPEN);
        int i = text(row, 1, node);
        row.setLong(i++, sequence);
        i = text(row, i, fact.payer().tenant());
        i = text(row, i, fact.task());
        i = text(row, i, fact.payer().project());
        i = text(row, i, fact.payer().key());
        i = text(row, i, fact.spec().name());
        i = text(row, i, fact.spec().criterion());
        row.setLong(i++, fact.spec().sloNanos());
        i = text(row, i, limits(fact.spec()));
        row.setInt(i++, fact.implicit() ? 1 : 0);
        row.setLong(i++, fact.at());
        row.setInt(i, openings);
        row.executeUpdate();
    }

    private static String limits(TaskSpec spec) {
        Map<String, String> limits = new TreeMap<>();
        spec.limits().forEach(limit -> limits.put(limit.unit().text(), Long.toString(limit.amount())));
        return Labels.text(limits);
    }

    /** The fact that opened the last task of an id. */
    Optional<Long> find(String tenant, String id) throws SQLException {
        PreparedStatement query = statement(TaskSql.FIND);
        int i = text(query, 1, tenant);
        i = text(query, i, id);
        text(query, i, node);
        try (ResultSet rows = query.executeQuery()) {
            return rows.next() ? Optional.of(rows.getLong(1)) : Optional.empty();
        }
    }

    void end(long task, Fact.TaskEnded fact) throws SQLException {
        PreparedStatement row = statement(TaskSql.END);
        int i = text(row, 1, fact.outcome().name());
        i = text(row, i, fact.why());
        row.setLong(i++, fact.at());
        i = text(row, i, node);
        row.setLong(i, task);
        if (row.executeUpdate() == 0) {
            again(TaskSql.END_AGAIN, task);
        }
    }

    /**
     * Writes a step's fact; where its money is owed from then on, it is added to the hour.
     *
     * @param task the fact that opened its task
     * @return whether it is owed by this fact
     */
    boolean step(long sequence, long task, Fact.TaskStepped fact, Periods.Booking booking) throws SQLException {
        Optional<Found> found = found(task, fact.step().id());
        if (found.isPresent() && found.get().state() != TaskStep.State.RESERVED) {
            again(TaskSql.SETTLE_AGAIN, found.get().sequence());
            return false;
        }
        boolean posted = fact.state() == TaskStep.State.POSTED;
        if (found.isPresent()) {
            PreparedStatement row = statement(TaskSql.SETTLE);
            int i = fields(row, 1, fact, booking);
            i = text(row, i, node);
            row.setLong(i, found.get().sequence());
            row.executeUpdate();
        } else {
            PreparedStatement row = statement(TaskSql.STEP);
            int i = text(row, 1, node);
            row.setLong(i++, sequence);
            row.setLong(i++, task);
            i = text(row, i, fact.step().id());
            i = text(row, i, fact.payer().tenant());
            row.setLong(i++, fact.at());
            row.setLong(i++, posted ? 0 : fact.step().list());
            row.setInt(i++, fact.state() == TaskStep.State.RESERVED ? 0 : 1);
            fields(row, i, fact, booking);
            row.executeUpdate();
        }
        if (posted) {
            UsageSum sum = books.usage(key(fact, booking));
            sum.add(UsageSum.Measure.STEPS, 1);
            sum.add(UsageSum.Measure.STEP_MONEY, fact.step().list());
        }
        return posted;
    }

    private static UsageKey key(Fact.TaskStepped fact, Periods.Booking booking) {
        return UsageKey.step(
                booking,
                new Payer(
                        SqlText.clean(fact.payer().tenant()),
                        SqlText.clean(fact.payer().project()),
                        SqlText.clean(fact.payer().key())),
                SqlText.clean(fact.priceBook()),
                fact.step().kind());
    }

    /** What both a step that begins and one that is settled have; the index of what follows. */
    private int fields(PreparedStatement row, int first, Fact.TaskStepped fact, Periods.Booking booking)
            throws SQLException {
        boolean posted = fact.state() == TaskStep.State.POSTED;
        TaskStep step = fact.step();
        int i = text(row, first, fact.payer().project());
        i = text(row, i, fact.payer().key());
        i = text(row, i, step.kind().name());
        i = text(row, i, fact.state().name());
        row.setLong(i++, posted ? step.list() : 0);
        row.setLong(i++, posted ? fact.overdraft() : 0);
        i = text(row, i, step.quantity().toString());
        i = text(row, i, step.unit());
        row.setLong(i++, step.durationNanos());
        i = text(row, i, step.hit().name());
        i = text(row, i, step.retryOf());
        i = text(row, i, fact.priceBook());
        row.setLong(i++, fact.state() == TaskStep.State.RESERVED ? 0 : fact.at());
        row.setLong(i++, posted ? booking.hour() : 0);
        return text(row, i, posted ? booking.corrects() : "");
    }

    private Optional<Found> found(long task, String id) throws SQLException {
        PreparedStatement query = statement(TaskSql.FIND_STEP);
        query.setLong(1, task);
        int i = text(query, 2, id);
        text(query, i, node);
        try (ResultSet rows = query.executeQuery()) {
            return rows.next()
                    ? Optional.of(new Found(rows.getLong(1), TaskStep.State.valueOf(rows.getString(2))))
                    : Optional.empty();
        }
    }

    private void again(TaskSql sql, long sequence) throws SQLException {
        PreparedStatement row = statement(sql);
        row.setLong(text(row, 1, node), sequence);
        row.executeUpdate();
    }

    private PreparedStatement statement(TaskSql sql) throws SQLException {
        PreparedStatement statement = statements.get(sql);
        if (statement == null) {
            statement = connection.prepareStatement(sql.text());
            statements.put(sql, statement);
        }
        return statement;
    }

    private static int text(PreparedStatement row, int index, String text) throws SQLException {
        row.setString(index, SqlText.clean(text));
        return index + 1;
    }

    @Override
    public void close() throws SQLException {
        for (PreparedStatement statement : statements.values()) {
            statement.close();
        }
    }
}
