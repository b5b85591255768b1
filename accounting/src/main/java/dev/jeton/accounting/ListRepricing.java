package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Prices the tokens and bytes of the hourly rollup by another list. Requests of one hour, tenant, model and price book
 * are priced as one where that is the same, to the rounding, as pricing each: where all were opened while one entry of
 * the other list held. The rollup does not know when its requests were opened; where it matters, their own rows are
 * read and priced. Nor does it know what kind of work those were that an earlier version booked: they are priced as one
 * where their own book accounts for their list money as plain requests, else each as what its book says it was.
 *
 * <p>The price of bytes depends only on what the rollup knows: bytes of one hour, tenant, model and pair of zones are
 * priced as one.
 */
final class ListRepricing {

    /** Half nano-units that rounding may make for each request: one for each kind of token. */
    private static final long KINDS = 3;

    private static final int FETCH = 1_000;

    /** Requests that are priced together. */
    private record Group(
            long hour,
            String tenant,
            String model,
            String priceBook,
            Work work,
            long requests,
            Tokens tokens,
            long list,
            long metered) {}

    /** When the requests of a group were opened. */
    private record Opened(long first, long last) {}

    private record Key(String tenant, String model, String priceBook, Work work) {}

    private final Connection connection;
    private final Function<Filter, Where> where;
    private final PriceBook other;
    private final Function<String, PriceBook> books;
    private final RepricingSums sums;

    /**
     * Prepares.
     *
     * @param where what the scope may see of the rows that a filter names
     * @param other the list
     * @param books price books by version
     * @param sums where to
     */
    ListRepricing(
            Connection connection,
            Function<Filter, Where> where,
            PriceBook other,
            Function<String, PriceBook> books,
            RepricingSums sums) {
        this.connection = connection;
        this.where = where;
        this.other = other;
        this.books = books;
        this.sums = sums;
    }

    /** Prices what was booked in an hour. */
    void hour(long hour) throws SQLException {
        Map<Key, Opened> opened = other.changes() ? opened(hour) : Map.of();
        try (PreparedStatement query = booked(hour).prepare(connection, """
                        SELECT tenant, model, price_book, work, SUM(requests), SUM(input_tokens), SUM(cached_tokens),
                               SUM(output_tokens), SUM(list_money), SUM(metered)
                        FROM usage_hour WHERE %s AND step = ''
                        GROUP BY tenant, model, price_book, work ORDER BY tenant, model, price_book, work
                        """, List.of());
                ResultSet rows = query.executeQuery()) {
            while (rows.next()) {
                Group group = new Group(
                        hour,
                        rows.getString(1),
                        rows.getString(2),
                        rows.getString(3),
                        Work.named(rows.getString(4)),
                        rows.getLong(5),
                        new Tokens(rows.getLong(6), rows.getLong(7), rows.getLong(8)),
                        rows.getLong(9),
                        rows.getLong(10));
                Key key = new Key(group.tenant(), group.model(), group.priceBook(), group.work());
                add(group, opened.getOrDefault(key, new Opened(hour, hour)));
            }
        }
        egress(hour);
    }

    /** Prices the bytes of an hour. */
    private void egress(long hour) throws SQLException {
        try (PreparedStatement query = booked(hour).prepare(connection, """
                        SELECT tenant, model, zone_from, zone_to, SUM(egress_bytes), SUM(egress_money)
                        FROM usage_hour WHERE %s
                        GROUP BY tenant, model, zone_from, zone_to
                        HAVING SUM(egress_bytes) <> 0 OR SUM(egress_money) <> 0
                        ORDER BY tenant, model, zone_from, zone_to
                        """, List.of());
                ResultSet rows = query.executeQuery()) {
            while (rows.next()) {
                Zones zones = new Zones(rows.getString(3), rows.getString(4));
                long priced = other.egress(zones, rows.getLong(5));
                sums.egress(rows.getString(1), rows.getString(2), new Repriced.Amounts(rows.getLong(6), priced));
            }
        }
    }

    private Where booked(long hour) {
        return where.apply(Filter.ALL).booked(hour, hour + Periods.HOUR);
    }

    private Map<Key, Opened> opened(long hour) throws SQLException {
        Map<Key, Opened> result = new HashMap<>();
        try (PreparedStatement query = booked(hour).and("closings > 0").prepare(connection, """
                        SELECT tenant, model, price_book, work, MIN(opened_at), MAX(opened_at) FROM request WHERE %s
                        GROUP BY tenant, model, price_book, work
                        """, List.of());
                ResultSet rows = query.executeQuery()) {
            while (rows.next()) {
                result.put(
                        new Key(rows.getString(1), rows.getString(2), rows.getString(3), Work.named(rows.getString(4))),
                        new Opened(rows.getLong(5), rows.getLong(6)));
            }
        }
        return result;
    }

    private void add(Group group, Opened opened) throws SQLException {
        sums.metered(group.tenant(), group.model(), new Repriced.Amounts(group.metered(), 0));
        if (group.requests() == 0 && group.list() == 0) {
            return; // device time only
        }
        long list;
        boolean known = group.work() != Work.UNKNOWN || isPlain(group);
        if (known && other.holds(group.model(), group.tenant(), opened.first(), opened.last())) {
            list = new ListPricing(other)
                    .price(group.model(), group.tenant(), group.tokens(), opened.first(), group.work())
                    .total();
        } else {
            list = eachRequest(group);
        }
        sums.list(group.tenant(), group.model(), group.requests(), new Repriced.Amounts(group.list(), list));
    }

    /** Whether the group's own book accounts for its list money as that of plain requests. */
    private boolean isPlain(Group group) {
        long plain = new ListPricing(books.apply(group.priceBook()))
                .price(group.model(), group.tenant(), group.tokens(), group.hour(), Work.GENERATION)
                .total();
        // Twice the difference, since the bound is in halves; the price of the sum is rounded, too.
        return Math.multiplyExact(2, Math.abs(Money.add(plain, -group.list())))
                <= Math.multiplyExact(KINDS, Math.addExact(group.requests(), 1));
    }

    private long eachRequest(Group group) throws SQLException {
        PriceBook own = books.apply(group.priceBook());
        Where rows = booked(group.hour())
                .and("closings > 0")
                .and(
                        "tenant = ? AND model = ? AND price_book = ? AND work = ?",
                        group.tenant(),
                        group.model(),
                        group.priceBook(),
                        group.work().text());
        long list = 0;
        try (PreparedStatement query = rows.prepare(connection, """
                SELECT opened_at, input_tokens, cached_tokens, output_tokens, list_money FROM request WHERE %s
                """, List.of())) {
            query.setFetchSize(FETCH);
            try (ResultSet request = query.executeQuery()) {
                while (request.next()) {
                    Tokens tokens = new Tokens(request.getLong(2), request.getLong(3), request.getLong(4));
                    list = Money.add(list, request(group, own, request.getLong(1), tokens, request.getLong(5)));
                }
            }
        }
        return list;
    }

    /** The price of one request: as what it was, or what its own book says it was, else as a plain one. */
    private long request(Group group, PriceBook own, long openedAt, Tokens tokens, long booked) {
        if (group.work() != Work.UNKNOWN) {
            return price(other, group, openedAt, tokens, group.work());
        }
        for (Work work : Work.values()) {
            if (price(own, group, openedAt, tokens, work) == booked) {
                return price(other, group, openedAt, tokens, work);
            }
        }
        sums.unexplained(1);
        return price(other, group, openedAt, tokens, Work.GENERATION);
    }

    private static long price(PriceBook book, Group group, long openedAt, Tokens tokens, Work work) {
        return new ListPricing(book)
                .price(group.model(), group.tenant(), tokens, openedAt, work)
                .total();
    }
}
