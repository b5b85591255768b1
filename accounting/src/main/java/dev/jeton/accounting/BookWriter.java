package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Writes rows of one transaction: requests at once, windows, lines and postings in batches, and what is summed (usage,
 * device hours, grants) once at {@link #flush}, in the order of the keys so that two nodes in one database do not wait
 * for one another crosswise.
 */
final class BookWriter implements AutoCloseable {

    private record Allowed(long request, int sequence) {}

    private record UsageRow(UsageKey key, String digest, UsageSum sum) {}

    private static final Comparator<UsageRow> USAGE_ORDER =
            Comparator.comparingLong((UsageRow row) -> row.key().hour()).thenComparing(UsageRow::digest);
    private static final Comparator<DeviceSum.Key> DEVICE_ORDER = Comparator.comparingLong(DeviceSum.Key::hour)
            .thenComparing(DeviceSum.Key::node)
            .thenComparing(DeviceSum.Key::device)
            .thenComparing(DeviceSum.Key::corrects);
    private static final Comparator<Allowed> ALLOWED_ORDER =
            Comparator.comparingLong(Allowed::request).thenComparingInt(Allowed::sequence);

    private final Connection connection;
    private final String node;
    private final Map<BookSql, PreparedStatement> statements = new HashMap<>();
    private final Map<UsageKey, UsageSum> usage = new HashMap<>();
    private final TreeMap<DeviceSum.Key, DeviceSum> devices = new TreeMap<>(DEVICE_ORDER);
    private final TreeMap<Allowed, Long> allowed = new TreeMap<>(ALLOWED_ORDER);
    private final TreeMap<Long, Long> confirmed = new TreeMap<>();

    /** Writes rows of one node. */
    BookWriter(Connection connection, String node) {
        this.connection = connection;
        this.node = node;
    }

    /** Opens a request; the number of the fact that did so first. */
    long open(long sequence, Fact.Opened opened, String labels, int openings) throws SQLException {
        PreparedStatement row = statement(BookSql.OPEN);
        int i = text(row, 1, node);
        row.setLong(i++, sequence);
        i = text(row, i, opened.request());
        i = text(row, i, opened.payer().tenant());
        i = text(row, i, opened.payer().project());
        i = text(row, i, opened.payer().key());
        i = text(row, i, opened.model());
        i = text(row, i, labels);
        i = text(row, i, opened.priceBook());
        i = text(row, i, opened.policy());
        row.setInt(i++, opened.sequences());
        row.setLong(i++, opened.at());
        row.setInt(i++, openings);
        i = text(row, i, opened.zones().from());
        i = text(row, i, opened.zones().to());
        i = text(row, i, opened.work().text());
        Tags tags = opened.tags();
        i = text(row, i, tags.task());
        i = text(row, i, tags.promptVersion());
        i = text(row, i, tags.route());
        row.setInt(
                i++,
                ContextBucket.of(opened.prompt() / Math.max(1, opened.prompts()))
                        .ordinal());
        row.setInt(i++, tags.fallback() ? 1 : 0);
        row.setInt(i, opened.prompts());
        try (ResultSet first = row.executeQuery()) {
            first.next();
            return first.getLong(1);
        }
    }

    /** Closes a request; whether this was the first time. */
    boolean close(long request, Fact.Closed closed, Periods.Booking booking) throws SQLException {
        PreparedStatement row = statement(BookSql.CLOSE);
        int i = 1;
        row.setLong(i++, closed.at());
        i = text(row, i, closed.outcome().name());
        row.setLong(i++, closed.tokens().input());
        row.setLong(i++, closed.tokens().cached());
        row.setLong(i++, closed.tokens().output());
        // The end of what was cut off knows what is billed, not what was received: the grants do.
        long confirmed =
                closed.outcome() == Fact.Outcome.ABORTED ? 0 : closed.tokens().output();
        row.setLong(i++, confirmed);
        row.setLong(i++, confirmed);
        row.setLong(i++, closed.egressBytes());
        row.setLong(i++, closed.list());
        row.setLong(i++, closed.egress());
        row.setLong(i++, closed.queueNanos());
        row.setLong(i++, closed.firstTokenNanos());
        row.setLong(i++, closed.totalNanos());
        row.setInt(i++, closed.retries());
        row.setInt(
                i++,
                ContextBucket.of(closed.tokens().input() + closed.tokens().cached())
                        .ordinal());
        row.setLong(i++, booking.hour());
        i = text(row, i, booking.corrects());
        i = text(row, i, node);
        row.setLong(i, request);
        if (row.executeUpdate() > 0) {
            return true;
        }
        PreparedStatement again = statement(BookSql.CLOSE_AGAIN);
        again.setString(1, node);
        again.setLong(2, request);
        again.executeUpdate();
        return false;
    }

    void grant(long request, Fact.Granted granted) {
        allowed.merge(new Allowed(request, granted.sequence()), granted.total(), Math::max);
        confirmed.merge(request, granted.confirmed(), Math::max);
    }

    void document(Fact.Adopted adopted) throws SQLException {
        PreparedStatement row = statement(BookSql.DOCUMENT);
        int i = text(row, 1, adopted.kind().name());
        i = text(row, i, adopted.version());
        i = text(row, i, adopted.content());
        i = text(row, i, node);
        row.setLong(i, adopted.at());
        row.executeUpdate();
    }

    void window(long sequence, long run, Fact.Window window, Periods.Booking booking) throws SQLException {
        PreparedStatement row = statement(BookSql.WINDOW);
        int i = text(row, 1, node);
        row.setLong(i++, sequence);
        row.setLong(i++, run);
        i = text(row, i, window.device());
        row.setLong(i++, window.from());
        row.setLong(i++, window.at());
        row.setLong(i++, window.fromNanos());
        row.setLong(i++, window.toNanos());
        for (int state = 0; state < DeviceSum.STATES; state++) {
            row.setLong(i++, state < window.states().size() ? window.states().get(state) : 0);
        }
        row.setLong(i++, DeviceSum.imbalance(window));
        row.setLong(i++, window.joules());
        row.setInt(i++, window.measured() ? 1 : 0);
        row.setLong(i++, booking.hour());
        text(row, i, booking.corrects());
        row.addBatch();
        device(booking, window.device()).add(window);
    }

    void line(long sequence, int number, Books.Known request, Line line, Periods.Booking booking) throws SQLException {
        PreparedStatement row = statement(BookSql.LINE);
        int i = text(row, 1, node);
        row.setLong(i++, sequence);
        row.setInt(i++, number);
        row.setLong(i++, request.sequence());
        row.setLong(i++, line.prefill());
        row.setLong(i++, line.decode());
        row.setLong(i++, line.recompute());
        row.setLong(i++, line.overrun());
        row.setLong(i++, line.cancelled());
        row.setLong(i++, line.saved());
        row.setLong(i++, line.kvByteSeconds());
        row.setLong(i, line.joules());
        row.addBatch();
        usage(request.usage(booking, request.priceBook())).add(line);
    }

    /**
     * Posts one side of a booking.
     *
     * @param number which of the fact's postings
     * @param reversalOf the number of the posting that it reverses; -1 for none
     * @param device whose window it is about
     */
    void post(
            long sequence,
            int number,
            int reversalOf,
            Posting posting,
            Books.Known request,
            String priceBook,
            String policy,
            Periods.Booking booking,
            String device)
            throws SQLException {
        PreparedStatement row = statement(BookSql.POSTING);
        int i = text(row, 1, node);
        row.setLong(i++, sequence);
        row.setInt(i++, number);
        i = text(row, i, posting.account().name());
        i = text(row, i, posting.party());
        row.setLong(i++, request.sequence());
        i = text(row, i, posting.kind().name());
        i = text(row, i, posting.unit().name());
        row.setLong(i++, posting.amount());
        i = text(row, i, priceBook);
        i = text(row, i, policy);
        row.setLong(i++, booking.hour());
        i = text(row, i, booking.corrects());
        row.setInt(i, reversalOf);
        row.addBatch();
        device(booking, device).add(posting);
        if (posting.unit() == Posting.Unit.MONEY) {
            addMoney(posting, request, priceBook, booking);
        }
    }

    /** Adds money to the usage of whom it was for; device hours keep what was for nobody. */
    private void addMoney(Posting posting, Books.Known request, String priceBook, Periods.Booking booking) {
        boolean known = request.sequence() != Books.NO_REQUEST;
        if (posting.account() == Posting.Account.TENANT) {
            UsageKey key = known
                    ? request.usage(booking, priceBook)
                    : new UsageKey(
                            booking.hour(),
                            SqlText.clean(posting.party()),
                            "",
                            "",
                            "",
                            Labels.NONE,
                            priceBook,
                            booking.corrects(),
                            Zones.UNKNOWN,
                            Work.UNKNOWN,
                            "");
            usage(key).add(UsageSum.Measure.METERED, posting.amount());
        } else if (posting.account() == Posting.Account.HOUSE && known) {
            usage(request.usage(booking, priceBook)).add(UsageSum.Measure.HOUSE_MONEY, posting.amount());
        }
    }

    UsageSum usage(UsageKey key) {
        return usage.computeIfAbsent(key, added -> new UsageSum());
    }

    private DeviceSum device(Periods.Booking booking, String device) {
        return devices.computeIfAbsent(
                new DeviceSum.Key(booking.hour(), node, SqlText.clean(device), booking.corrects()),
                added -> new DeviceSum());
    }

    /** Makes the node's row and locks it until the transaction ends. */
    void lock() throws SQLException {
        PreparedStatement row = statement(BookSql.LOCK);
        text(row, 1, node);
        row.executeUpdate();
    }

    void progress(Books.Progress progress) throws SQLException {
        PreparedStatement row = statement(BookSql.PROGRESS);
        int i = 1;
        row.setLong(i++, progress.first());
        row.setLong(i++, progress.last());
        row.setLong(i++, progress.lastAt());
        row.setLong(i++, progress.run());
        i = text(row, i, progress.priceBook());
        i = text(row, i, progress.policy());
        text(row, i, node);
        row.executeUpdate();
    }

    /** Sends what was gathered. */
    void flush() throws SQLException {
        for (BookSql batched : List.of(BookSql.WINDOW, BookSql.LINE, BookSql.POSTING)) {
            PreparedStatement rows = statements.get(batched);
            if (rows != null) {
                rows.executeBatch();
            }
        }
        flushAllowances();
        flushUsage();
        flushDevices();
    }

    private void flushAllowances() throws SQLException {
        if (allowed.isEmpty()) {
            return;
        }
        PreparedStatement row = statement(BookSql.ALLOWANCE);
        PreparedStatement sum = statement(BookSql.GRANTED);
        for (Map.Entry<Allowed, Long> entry : allowed.entrySet()) {
            row.setString(1, node);
            row.setLong(2, entry.getKey().request());
            row.setInt(3, entry.getKey().sequence());
            row.setLong(4, entry.getValue());
            row.addBatch();
        }
        for (Map.Entry<Long, Long> entry : confirmed.entrySet()) {
            sum.setLong(1, entry.getValue());
            sum.setLong(2, entry.getValue());
            sum.setString(3, node);
            sum.setLong(4, entry.getKey());
            sum.addBatch();
        }
        row.executeBatch();
        sum.executeBatch();
        allowed.clear();
        confirmed.clear();
    }

    private void flushUsage() throws SQLException {
        if (usage.isEmpty()) {
            return;
        }
        List<UsageRow> sorted = new ArrayList<>(usage.size());
        usage.forEach((key, sum) -> sorted.add(new UsageRow(key, key.digest(), sum)));
        sorted.sort(USAGE_ORDER);
        PreparedStatement row = statement(BookSql.USAGE);
        for (UsageRow added : sorted) {
            UsageKey key = added.key();
            row.setLong(1, key.hour());
            row.setString(2, added.digest());
            int i = text(row, 3, key.tenant());
            i = text(row, i, key.project());
            i = text(row, i, key.key());
            i = text(row, i, key.model());
            i = text(row, i, key.labels());
            i = text(row, i, key.priceBook());
            i = text(row, i, key.corrects());
            i = text(row, i, key.zones().from());
            i = text(row, i, key.zones().to());
            i = text(row, i, key.work().text());
            i = text(row, i, key.step());
            for (UsageSum.Measure measure : UsageSum.Measure.values()) {
                row.setLong(i++, added.sum().sum(measure));
            }
            row.addBatch();
        }
        row.executeBatch();
        usage.clear();
    }

    private void flushDevices() throws SQLException {
        if (devices.isEmpty()) {
            return;
        }
        PreparedStatement row = statement(BookSql.DEVICE);
        for (Map.Entry<DeviceSum.Key, DeviceSum> entry : devices.entrySet()) {
            row.setLong(1, entry.getKey().hour());
            int i = text(row, 2, node);
            i = text(row, i, entry.getKey().device());
            i = text(row, i, entry.getKey().corrects());
            for (int column = 0; column < DeviceSum.columns(); column++) {
                row.setLong(i++, entry.getValue().sum(column));
            }
            row.addBatch();
        }
        row.executeBatch();
        devices.clear();
    }

    private PreparedStatement statement(BookSql sql) throws SQLException {
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
