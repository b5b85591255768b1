package dev.jeton.accounting;

import dev.jeton.scheduler.DeviceState;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Questions to a ledger. Times are microseconds since 1970; a time begins with the hour that its first moment is in and
 * goes to its last, exclusive. A {@link Scope.Tenant} sees rows of its own requests only. Any thread may ask.
 */
public final class Reports {

    /** Most requests of one answer. */
    public static final int MAX_REQUESTS = 10_000;

    private static final int FETCH = 1_000;

    /**
     * An hour's usage as booked.
     *
     * @param corrects the closed period that it corrects; empty for none
     */
    public record BookedHour(HourRow row, String corrects) {}

    /**
     * An hour of a device outside of requests, as booked.
     *
     * @param corrects the closed period that it corrects; empty for none
     */
    public record BookedDevice(DeviceHour row, String corrects) {}

    /**
     * What is booked in one hour, to know before it is read.
     *
     * @param hour first microsecond of the hour, since 1970
     * @param rows of usage
     * @param labelCharacters of the labels in them
     */
    public record HourSize(long hour, long rows, long labelCharacters) {}

    /**
     * A place in a list of requests: where the next part goes on.
     *
     * @param closedAt when the last request of this part ended, microseconds since 1970
     * @param id its id
     */
    public record Cursor(long closedAt, String id) {}

    private final Database database;

    Reports(Database database) {
        this.database = database;
    }

    /** Hands on every row of hourly usage, by hour, tenant, project and model. */
    public void hours(Scope scope, long from, long to, Filter filter, Consumer<BookedHour> sink) {
        Where where = new Where(database.kind(), scope, filter).booked(from, to);
        database.read(connection -> {
            try (PreparedStatement query = where.prepare(connection, """
                    SELECT hour, tenant, project, key_id, model, labels, price_book, zone_from, zone_to, work,
                           requests, completed, cancelled, failed, input_tokens, cached_tokens, output_tokens, egress_bytes,
                           payable, house, cancelled_nanos, recompute_nanos, overrun_nanos, saved_nanos,
                           kv_byte_seconds, microjoules, list_money, egress_money, metered, house_money, step, steps,
                           step_money, corrects
                    FROM usage_hour WHERE %s
                    ORDER BY hour, tenant, project, model, digest
                    """, List.of())) {
                query.setFetchSize(FETCH);
                try (ResultSet rows = query.executeQuery()) {
                    while (rows.next()) {
                        sink.accept(new BookedHour(hour(rows), rows.getString("corrects")));
                    }
                }
            }
            return true;
        });
    }

    private static HourRow hour(ResultSet rows) throws SQLException {
        int i = 1;
        return new HourRow(
                rows.getLong(i++),
                rows.getString(i++),
                rows.getString(i++),
                rows.getString(i++),
                rows.getString(i++),
                Labels.map(rows.getString(i++)),
                rows.getString(i++),
                new Zones(rows.getString(i++), rows.getString(i++)),
                Work.named(rows.getString(i++)),
                rows.getLong(i++),
                rows.getLong(i++),
                rows.getLong(i++),
                rows.getLong(i++),
                new Tokens(rows.getLong(i++), rows.getLong(i++), rows.getLong(i++)),
                rows.getLong(i++),
                rows.getLong(i++),
                rows.getLong(i++),
                rows.getLong(i++),
                rows.getLong(i++),
                rows.getLong(i++),
                rows.getLong(i++),
                rows.getLong(i++),
                rows.getLong(i++),
                rows.getLong(i++),
                rows.getLong(i++),
                rows.getLong(i++),
                rows.getLong(i++),
                rows.getString(i++),
                rows.getLong(i++),
                rows.getLong(i));
    }

    /** Hours in which something is booked, the first one first; of a tenant's, only its own. */
    public List<HourSize> sizes(Scope scope, long from, long to) {
        Where where = new Where(database.kind(), scope, Filter.ALL).booked(from, to);
        String devices = scope instanceof Scope.Operator
                ? " UNION ALL SELECT hour, 0, 0 FROM device_hour WHERE hour >= ? AND hour < ?"
                : "";
        Object[] time = devices.isEmpty() ? new Object[0] : new Object[] {Periods.hour(from), to};
        return database.read(connection -> {
            try (PreparedStatement query =
                            where.prepare(connection, """
                            SELECT hour, SUM(size), SUM(chars)
                            FROM (SELECT hour, 1 AS size, LENGTH(labels) AS chars FROM usage_hour
                                  WHERE %s@devices) booked
                            GROUP BY hour ORDER BY hour
                            """.replace("@devices", devices), List.of(), time);
                    ResultSet rows = query.executeQuery()) {
                List<HourSize> sizes = new ArrayList<>();
                while (rows.next()) {
                    sizes.add(new HourSize(rows.getLong(1), rows.getLong(2), rows.getLong(3)));
                }
                return sizes;
            }
        });
    }

    /** Totals by group, in the order of the groups. */
    public List<Total> totals(Scope scope, long from, long to, Filter filter, Grouping grouping) {
        return totals(scope, from, to, filter, grouping, Optional.empty(), Integer.MAX_VALUE);
    }

    /**
     * The first totals by group.
     *
     * @param after the group after which the answer begins; empty for the first
     * @param most how many at most
     */
    public List<Total> totals(
            Scope scope, long from, long to, Filter filter, Grouping grouping, Optional<String> after, int most) {
        Where where = new Where(database.kind(), scope, filter).booked(from, to);
        return database.read(connection ->
                new TotalsQuery(connection, database.kind(), where, scope, grouping, after, most).totals());
    }

    /** What device time served nobody. A tenant's report has what its own requests wasted. */
    public Waste waste(Scope scope, long from, long to, Filter filter) {
        Where where = new Where(database.kind(), scope, filter).booked(from, to);
        return database.read(connection -> {
            try (PreparedStatement query = where.prepare(connection, """
                    SELECT account, kind, unit, outcome, SUM(amount)
                    FROM (SELECT p.account, p.kind, p.unit, p.amount, p.hour, r.tenant, r.project, r.key_id, r.model,
                                 r.labels, COALESCE(r.outcome, '') AS outcome
                          FROM posting p LEFT JOIN request r ON r.node = p.node AND r.sequence = p.request
                          WHERE p.account <> 'DEVICE' AND p.unit <> 'MICROJOULES') booked
                    WHERE %s
                    GROUP BY account, kind, unit, outcome
                    """, List.of());
                    ResultSet rows = query.executeQuery()) {
                WasteSum sum = new WasteSum();
                while (rows.next()) {
                    sum.add(
                            Posting.Account.valueOf(rows.getString(1)),
                            Posting.Kind.valueOf(rows.getString(2)),
                            Posting.Unit.valueOf(rows.getString(3)),
                            rows.getString(4),
                            rows.getLong(5));
                }
                return sum.waste();
            }
        });
    }

    /** Hands on what devices gave outside of requests, by hour and device; nothing to a tenant. */
    public void deviceHours(Scope scope, long from, long to, Consumer<BookedDevice> sink) {
        if (scope instanceof Scope.Operator) {
            database.read(connection -> {
                DeviceHours.read(connection, from, to, sink);
                return true;
            });
        }
    }

    /** Where the devices' time and cost went, by node and device. Empty for a tenant. */
    public List<DeviceTotal> devices(Scope scope, long from, long to) {
        if (!(scope instanceof Scope.Operator)) {
            return List.of();
        }
        Where where = new Where(database.kind(), scope, Filter.ALL).booked(from, to);
        return database.read(connection -> {
            try (PreparedStatement query = where.prepare(connection, """
                    SELECT node, device, SUM(windows), SUM(imbalance), SUM(microjoules), SUM(step_nanos),
                           SUM(copy_nanos), SUM(stalled_nanos), SUM(idle_nanos), SUM(loading_nanos),
                           SUM(draining_nanos), SUM(down_nanos), SUM(device_money), SUM(tenant_money),
                           SUM(idle_money), SUM(overhead_money), SUM(house_money), SUM(rounding_money)
                    FROM device_hour WHERE %s
                    GROUP BY node, device ORDER BY node, device
                    """, List.of());
                    ResultSet rows = query.executeQuery()) {
                List<DeviceTotal> totals = new ArrayList<>();
                while (rows.next()) {
                    totals.add(device(rows));
                }
                return totals;
            }
        });
    }

    private static DeviceTotal device(ResultSet rows) throws SQLException {
        int i = 6;
        Map<DeviceState, Long> states = new EnumMap<>(DeviceState.class);
        for (DeviceState state : DeviceState.values()) {
            states.put(state, rows.getLong(i++));
        }
        Map<Posting.Account, Long> money = new EnumMap<>(Posting.Account.class);
        for (Posting.Account account : Posting.Account.values()) {
            money.put(account, rows.getLong(i++));
        }
        return new DeviceTotal(
                rows.getString(1), rows.getString(2), rows.getLong(3), states, rows.getLong(4), rows.getLong(5), money);
    }

    /**
     * Prices a time again by another book; writes nothing. What is booked in the time is priced, be the period closed
     * or not.
     *
     * @param other its currency must be that of what was booked
     * @throws AccountingException where it is not, or the ledger lacks a price book that was in force
     */
    public Repriced reprice(Scope scope, long from, long to, PriceBook other) {
        return database.read(connection -> Repricing.run(connection, database.kind(), scope, from, to, other));
    }

    /**
     * Compares an invoice with what the books hold for the same time, corrections included.
     *
     * @param scope the operator: a tenant has no devices
     * @throws AccountingException where the two cannot be compared: another currency, a line that the time asked for
     *     cuts, or a name of several devices
     */
    public Reconciliation reconcile(Scope scope, Invoice invoice, Reconciliation.Question question) {
        if (!(scope instanceof Scope.Operator)) {
            throw new AccountingException("only the operator reconciles invoices: a tenant has no devices");
        }
        return database.read(connection -> {
            Reconciler reconciler = new Reconciler(invoice, question, DeviceCosts.devices(connection));
            Period time = reconciler.time();
            BookCurrencies.other(connection, Periods.hour(time.from()), time.until(), invoice.currency())
                    .ifPresent(book -> {
                        throw new AccountingException(
                                ("the invoice is in %s, the books of that time are in %s (price book %s): nothing can be"
                                                + " compared")
                                        .formatted(invoice.currency(), book.currency(), book.version()));
                    });
            return reconciler.compare(DeviceCosts.read(connection, time));
        });
    }

    /** Requests that ended, the last to end first. */
    public List<RequestRow> requests(Scope scope, long from, long to, Filter filter, int limit) {
        return requests(scope, from, to, filter, Optional.empty(), limit);
    }

    /**
     * A part of the requests that ended, the last to end first. What ends meanwhile is not missed by who goes on, and
     * nothing comes twice.
     *
     * @param after where the part before ended; empty for the first
     * @param limit most of them, 1 to {@link #MAX_REQUESTS}
     */
    public List<RequestRow> requests(
            Scope scope, long from, long to, Filter filter, Optional<Cursor> after, int limit) {
        if (limit < 1 || limit > MAX_REQUESTS) {
            throw new AccountingException(
                    "a list of %d requests was asked for; ask for 1 to %d".formatted(limit, MAX_REQUESTS));
        }
        Where where = new Where(database.kind(), scope, filter).booked(from, to).and("closings > 0");
        after.ifPresent(last -> where.and(
                "(closed_at < ? OR (closed_at = ? AND id > ?))", last.closedAt(), last.closedAt(), last.id()));
        return requests(where, limit);
    }

    /** One request; empty where there is none of that id, or it is another tenant's. */
    public Optional<RequestRow> request(Scope scope, String id) {
        return requests(new Where(database.kind(), scope, Filter.ALL).and("id = ?", id), 1).stream()
                .findFirst();
    }

    /** The request that ended last of those whose ids begin so; empty as in {@link #request}. */
    public Optional<RequestRow> newest(Scope scope, String beginning) {
        return requests(new Where(database.kind(), scope, Filter.ALL).begins(beginning), 1).stream()
                .findFirst();
    }

    /**
     * A task of the scope's tenant with all that it cost; empty where it has none of that id.
     *
     * @param most requests, and most steps, that are listed; sums are of all
     */
    public Optional<TaskGraph> task(Scope scope, String id, int most) {
        if (!(scope instanceof Scope.Tenant tenant)) {
            throw new AccountingException("a task is one tenant's: name the tenant whose task is asked for");
        }
        return database.read(connection -> TaskRows.graph(connection, database.kind(), tenant, id, most));
    }

    /**
     * Tasks, the one opened last first.
     *
     * @param after when the last one of the part before was opened, and its id; empty for the first part
     * @param limit most of them
     */
    public List<TaskRow> tasks(Scope scope, Optional<Cursor> after, int limit) {
        return database.read(connection -> TaskRows.list(connection, database.kind(), scope, after, limit));
    }

    private List<RequestRow> requests(Where where, int limit) {
        return database.read(connection -> RequestRows.read(connection, where, limit));
    }
}
