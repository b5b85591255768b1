package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;

/**
 * Prices a time again by another book, in memory, hour by hour: list money from the rollup ({@link ListRepricing}),
 * metered money by dividing the windows again as {@link Recosting} would. What was booked comes from the rollups. Money
 * that corrects a window in another hour counts with the window, so both sides are about the same device time.
 */
final class Repricing {

    private final Connection connection;
    private final Database.Kind kind;
    private final Scope scope;
    private final long from;
    private final long to;
    private final PriceBook other;
    private final RepricingSums sums;
    private final Map<String, PriceBook> books = new HashMap<>();

    private Repricing(Connection connection, Database.Kind kind, Scope scope, long from, long to, PriceBook other) {
        this.connection = connection;
        this.kind = kind;
        this.scope = scope;
        this.from = Periods.hour(from);
        this.to = to;
        this.other = other;
        sums = new RepricingSums(scope);
    }

    static Repriced run(Connection connection, Database.Kind kind, Scope scope, long from, long to, PriceBook other)
            throws SQLException {
        return new Repricing(connection, kind, scope, from, to, other).run();
    }

    private Repriced run() throws SQLException {
        requireCurrency();
        ListRepricing lists =
                new ListRepricing(connection, filter -> new Where(kind, scope, filter), other, this::book, sums);
        Costing costing = new Costing(other);
        for (long hour : hours()) {
            lists.hour(hour);
            devices(hour);
            WindowRows.booked(connection, hour, window -> window(costing, window));
        }
        moved();
        return sums.result(other.version(), other.currency());
    }

    /** Hours in which anything is booked, in order. */
    private Iterable<Long> hours() throws SQLException {
        TreeSet<Long> hours = new TreeSet<>();
        try (PreparedStatement query = connection.prepareStatement("""
                SELECT hour FROM usage_hour WHERE hour >= ? AND hour < ?
                UNION SELECT hour FROM device_hour WHERE hour >= ? AND hour < ?
                """)) {
            query.setLong(1, from);
            query.setLong(2, to);
            query.setLong(3, from);
            query.setLong(4, to);
            try (ResultSet rows = query.executeQuery()) {
                while (rows.next()) {
                    hours.add(rows.getLong(1));
                }
            }
        }
        return hours;
    }

    private PriceBook book(String version) {
        return books.computeIfAbsent(version, missing -> {
            try {
                String content = Books.document(connection, Fact.DocumentKind.PRICE_BOOK, missing);
                return content.isEmpty() ? PriceBook.free() : PriceBook.parse("price book " + missing, content);
            } catch (SQLException e) {
                throw new AccountingException("price book %s cannot be read: %s".formatted(missing, e), e);
            }
        });
    }

    /** Amounts of two currencies have no difference. */
    private void requireCurrency() throws SQLException {
        BookCurrencies.other(connection, from, to, other.currency()).ifPresent(book -> {
            throw new AccountingException(
                    ("price book %s is in %s, but in that time money was booked in %s (price book %s): write the other"
                                    + " book in %s")
                            .formatted(
                                    other.version(),
                                    other.currency(),
                                    book.currency(),
                                    book.version(),
                                    book.currency()));
        });
    }

    /** What the rollup says of devices in an hour. */
    private void devices(long hour) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("""
                SELECT node, device, step_nanos + copy_nanos + stalled_nanos + idle_nanos + loading_nanos
                       + draining_nanos + down_nanos + imbalance, microjoules, device_money, idle_money,
                       overhead_money, house_money, rounding_money
                FROM device_hour WHERE hour = ?
                """)) {
            query.setLong(1, hour);
            try (ResultSet rows = query.executeQuery()) {
                while (rows.next()) {
                    sums.booked(
                            rows.getString(1), rows.getString(2), rows.getLong(3), rows.getLong(4), -rows.getLong(5));
                    booked(Posting.Account.IDLE, rows.getLong(6));
                    booked(Posting.Account.OVERHEAD, rows.getLong(7));
                    booked(Posting.Account.HOUSE, rows.getLong(8));
                    booked(Posting.Account.ROUNDING, rows.getLong(9));
                }
            }
        }
    }

    private void booked(Posting.Account account, long amount) {
        sums.own(account, new Repriced.Amounts(amount, 0));
    }

    private void window(Costing costing, WindowRows.Stored window) {
        Fact.Window fact = window.fact();
        DevicePrice price = other.device(fact.device());
        sums.other(
                window.node(),
                fact.device(),
                price.cost(fact.from(), fact.at()),
                price.energyCost(fact.joules(), other.electricity()));
        for (Posting posting : costing.postings(fact, id -> user(window, id).tenant())) {
            if (posting.unit() == Posting.Unit.MONEY) {
                Repriced.Amounts amounts = new Repriced.Amounts(0, posting.amount());
                switch (posting.account()) {
                    case DEVICE -> {} // capital and energy, above
                    case TENANT ->
                        sums.metered(
                                posting.party(),
                                posting.request().isEmpty()
                                        ? ""
                                        : user(window, posting.request()).model(),
                                amounts);
                    case IDLE, OVERHEAD, HOUSE, ROUNDING -> sums.own(posting.account(), amounts);
                }
            }
        }
    }

    private static WindowRows.User user(WindowRows.Stored window, String id) {
        return window.users().getOrDefault(id, WindowRows.User.NONE);
    }

    /** Corrections in other hours than their windows': into this time, or out of it. */
    private void moved() throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("""
                SELECT p.account, COALESCE(r.tenant, p.party), COALESCE(r.model, ''), w.node, w.device, p.hour, w.hour,
                       SUM(p.amount)
                FROM posting p
                JOIN device_window w ON w.node = p.node AND w.sequence = p.sequence
                LEFT JOIN request r ON r.node = p.node AND r.sequence = p.request
                WHERE p.unit = 'MONEY' AND p.corrects <> '' AND p.hour <> w.hour
                  AND p.hour IN (SELECT hour FROM device_hour WHERE corrects <> '')
                GROUP BY p.account, COALESCE(r.tenant, p.party), COALESCE(r.model, ''), w.node, w.device, p.hour, w.hour
                """);
                ResultSet rows = query.executeQuery()) {
            while (rows.next()) {
                boolean bookedHere = contains(rows.getLong(6));
                boolean aboutHere = contains(rows.getLong(7));
                if (bookedHere != aboutHere) {
                    long amount = aboutHere ? rows.getLong(8) : -rows.getLong(8);
                    Posting.Account account = Posting.Account.valueOf(rows.getString(1));
                    switch (account) {
                        case DEVICE -> sums.booked(rows.getString(4), rows.getString(5), 0, 0, -amount);
                        case TENANT ->
                            sums.metered(rows.getString(2), rows.getString(3), new Repriced.Amounts(amount, 0));
                        case IDLE, OVERHEAD, HOUSE, ROUNDING -> booked(account, amount);
                    }
                }
            }
        }
    }

    private boolean contains(long hour) {
        return hour >= from && hour < to;
    }
}
