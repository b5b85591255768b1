package dev.jeton.accounting;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Reads and writes the rows of shared budgets, in one transaction. */
final class ShareRows {

    /** Of other servers: what they have not spent of their allotments, and what is gone. */
    record Sums(long unspent, long used) {}

    private static final int DIGITS = 32;
    private static final int MOST_DIFFERING = 100;
    /** In {@link ShareSql#OTHERS}: the row of who asks. */
    private static final int OWN = -1;
    /** A row of a server whose lease runs. */
    private static final int ALIVE = 1;

    private final Connection connection;
    private final String node;

    /** @param node which server asks */
    ShareRows(Connection connection, String node) {
        this.connection = connection;
        this.node = node;
    }

    /** Names a window of a counter. */
    static String pool(ShareExchange.Key key) {
        String parts = String.join(
                "\n",
                key.budget(),
                key.kind(),
                Long.toString(key.generation()),
                key.subject(),
                Long.toString(key.window().from()));
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(parts.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest).substring(0, DIGITS);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    // ---- what is decided ----

    long version() throws SQLException {
        try (PreparedStatement query = prepare(ShareSql.VERSION);
                ResultSet rows = query.executeQuery()) {
            rows.next();
            return rows.getLong(1);
        }
    }

    /** All that was decided since a version. */
    List<ShareExchange.Decided> decided(long since) throws SQLException {
        try (PreparedStatement query = prepare(ShareSql.DECIDED_SINCE)) {
            query.setLong(1, since);
            try (ResultSet rows = query.executeQuery()) {
                List<ShareExchange.Decided> decided = new ArrayList<>();
                while (rows.next()) {
                    decided.add(decided(rows));
                }
                return decided;
            }
        }
    }

    Optional<ShareExchange.Decided> decided(String budget, String kind) throws SQLException {
        try (PreparedStatement query = prepare(ShareSql.DECIDED)) {
            query.setString(1, budget);
            query.setString(2, kind);
            try (ResultSet rows = query.executeQuery()) {
                return rows.next() ? Optional.of(decided(rows)) : Optional.empty();
            }
        }
    }

    private static ShareExchange.Decided decided(ResultSet rows) throws SQLException {
        return new ShareExchange.Decided(
                rows.getString(1),
                rows.getString(2),
                rows.getLong(3),
                BudgetTerms.parse(rows.getString(4)),
                rows.getInt(5) != 0,
                rows.getString(6));
    }

    void decide(ShareExchange.Decided decided, long version, long now) throws SQLException {
        try (PreparedStatement write = prepare(ShareSql.DECIDE)) {
            write.setString(1, decided.budget());
            write.setString(2, decided.kind());
            write.setLong(3, decided.generation());
            write.setLong(4, version);
            write.setString(5, decided.terms().text());
            write.setInt(6, decided.removed() ? 1 : 0);
            write.setString(7, node);
            write.setLong(8, now);
            write.executeUpdate();
        }
    }

    /** What the server said of its budgets. */
    Map<ShareExchange.Withdrawn, String> offers() throws SQLException {
        try (PreparedStatement query = prepare(ShareSql.OFFERS)) {
            query.setString(1, node);
            try (ResultSet rows = query.executeQuery()) {
                Map<ShareExchange.Withdrawn, String> offers = new HashMap<>();
                while (rows.next()) {
                    offers.put(new ShareExchange.Withdrawn(rows.getString(1), rows.getString(2)), rows.getString(3));
                }
                return offers;
            }
        }
    }

    void offer(ShareExchange.Withdrawn key, String terms) throws SQLException {
        try (PreparedStatement write = prepare(ShareSql.OFFER)) {
            write.setString(1, node);
            write.setString(2, key.budget());
            write.setString(3, key.kind());
            write.setString(4, terms);
            write.executeUpdate();
        }
    }

    /** This is what the server defines now, of all that it has said. */
    void stand(List<ShareExchange.Offer> offers) throws SQLException {
        try (PreparedStatement write = prepare(ShareSql.FALL)) {
            write.setString(1, node);
            write.executeUpdate();
        }
        try (PreparedStatement write = prepare(ShareSql.STAND)) {
            for (ShareExchange.Offer offer : offers) {
                write.setString(1, node);
                write.setString(2, offer.budget());
                write.setString(3, offer.kind());
                write.addBatch();
            }
            write.executeBatch();
        }
    }

    /** What other servers that spend define in another way, the first {@value #MOST_DIFFERING} of it. */
    List<ShareExchange.Differing> differing(long now) throws SQLException {
        try (PreparedStatement query = prepare(ShareSql.DIFFERING)) {
            query.setString(1, node);
            query.setLong(2, now);
            query.setInt(3, MOST_DIFFERING);
            try (ResultSet rows = query.executeQuery()) {
                List<ShareExchange.Differing> differing = new ArrayList<>();
                while (rows.next()) {
                    differing.add(new ShareExchange.Differing(
                            rows.getString(1), rows.getString(2), rows.getString(3), rows.getString(4)));
                }
                return differing;
            }
        }
    }

    void forgetOffer(ShareExchange.Withdrawn key) throws SQLException {
        try (PreparedStatement write = prepare(ShareSql.FORGET_OFFER)) {
            write.setString(1, node);
            write.setString(2, key.budget());
            write.setString(3, key.kind());
            write.executeUpdate();
        }
    }

    // ---- servers ----

    /** The server spends without asking until then. */
    void renew(long until, long now) throws SQLException {
        try (PreparedStatement write = prepare(ShareSql.RENEW)) {
            write.setString(1, node);
            write.setLong(2, until);
            write.setLong(3, now);
            write.executeUpdate();
        }
    }

    /** How many servers spend. */
    int servers(long now) throws SQLException {
        try (PreparedStatement query = prepare(ShareSql.SERVERS)) {
            query.setLong(1, now);
            try (ResultSet rows = query.executeQuery()) {
                rows.next();
                return rows.getInt(1);
            }
        }
    }

    // ---- pools and allotments ----

    /**
     * A window of a counter, for this transaction alone.
     *
     * @param make whether to make and lock it; otherwise it is only looked at
     */
    Optional<SharePool> pool(ShareExchange.Key key, BudgetTerms terms, boolean make, long now) throws SQLException {
        String name = pool(key);
        if (make) {
            try (PreparedStatement write = prepare(ShareSql.MAKE_POOL)) {
                write.setString(1, name);
                write.setString(2, key.budget());
                write.setString(3, key.kind());
                write.setLong(4, key.generation());
                write.setString(5, key.subject());
                write.setLong(6, key.window().from());
                write.setLong(7, key.window().to());
                write.executeUpdate();
            }
        }
        try (PreparedStatement query = prepare(ShareSql.POOL)) {
            query.setString(1, name);
            try (ResultSet rows = query.executeQuery()) {
                return rows.next()
                        ? Optional.of(SharePool.of(
                                key,
                                terms,
                                rows.getLong(1),
                                rows.getLong(2),
                                rows.getLong(3),
                                rows.getString(4),
                                rows.getLong(5),
                                rows.getLong(6),
                                now))
                        : Optional.empty();
            }
        }
    }

    void store(SharePool pool) throws SQLException {
        try (PreparedStatement write = prepare(ShareSql.STORE_POOL)) {
            write.setLong(1, pool.allotted());
            write.setLong(2, pool.takenOfLimit());
            write.setLong(3, pool.debt());
            write.setString(4, pool.taken());
            write.setLong(5, pool.highest);
            write.setLong(6, pool.beyond);
            write.setString(7, pool(pool.key));
            write.executeUpdate();
        }
    }

    /** What the server is allotted; 0 where it has nothing. */
    long allotted(ShareExchange.Key key) throws SQLException {
        try (PreparedStatement query = prepare(ShareSql.ALLOTMENT)) {
            query.setString(1, pool(key));
            query.setString(2, node);
            query.setString(3, key.counter());
            try (ResultSet rows = query.executeQuery()) {
                return rows.next() ? rows.getLong(1) : 0;
            }
        }
    }

    void store(ShareExchange.Key key, long allotted, long charged, long now) throws SQLException {
        try (PreparedStatement write = prepare(ShareSql.STORE_ALLOTMENT)) {
            write.setString(1, pool(key));
            write.setString(2, node);
            write.setString(3, key.counter());
            write.setLong(4, allotted);
            write.setLong(5, charged);
            write.setLong(6, now);
            write.executeUpdate();
        }
    }

    /** What a server was allotted and did not say that it has spent, in the order in which pools are locked. */
    List<ShareExchange.Held> unaccounted(String of) throws SQLException {
        try (PreparedStatement query = prepare(ShareSql.UNACCOUNTED)) {
            query.setString(1, of);
            return held(query);
        }
    }

    /** The same, and what it said that it has spent in windows that have not ended: a crash may have undone it. */
    List<ShareExchange.Held> held(String of, long now) throws SQLException {
        try (PreparedStatement query = prepare(ShareSql.HELD)) {
            query.setString(1, of);
            query.setLong(2, now);
            return held(query);
        }
    }

    private static List<ShareExchange.Held> held(PreparedStatement query) throws SQLException {
        try (ResultSet rows = query.executeQuery()) {
            List<ShareExchange.Held> held = new ArrayList<>();
            while (rows.next()) {
                held.add(new ShareExchange.Held(
                        new ShareExchange.Key(
                                rows.getString(4),
                                rows.getString(5),
                                rows.getLong(6),
                                rows.getString(7),
                                new BudgetWindow.Span(rows.getLong(8), rows.getLong(9)),
                                rows.getString(1)),
                        rows.getLong(2),
                        rows.getLong(3)));
            }
            return held;
        }
    }

    /** The server's lease is not renewed until this transaction ends. */
    void lockLease() throws SQLException {
        try (PreparedStatement lock = prepare(ShareSql.LOCK_LEASE)) {
            lock.setString(1, node);
            lock.executeUpdate();
        }
    }

    /** Servers that have spent, some of them. */
    List<String> nodes(int most) throws SQLException {
        try (PreparedStatement query = prepare(ShareSql.NODES)) {
            query.setMaxRows(most);
            try (ResultSet rows = query.executeQuery()) {
                List<String> nodes = new ArrayList<>();
                while (rows.next()) {
                    nodes.add(rows.getString(1));
                }
                return nodes;
            }
        }
    }

    /** Until when the server spends without asking; 0 where it never did. */
    long lease() throws SQLException {
        try (PreparedStatement query = prepare(ShareSql.LEASE)) {
            query.setString(1, node);
            try (ResultSet rows = query.executeQuery()) {
                return rows.next() ? rows.getLong(1) : 0;
            }
        }
    }

    /** What all other counters of a pool have. */
    Sums others(ShareExchange.Key key, long now) throws SQLException {
        try (PreparedStatement query = prepare(ShareSql.OTHERS)) {
            query.setString(1, node);
            query.setString(2, key.counter());
            query.setLong(3, now);
            query.setString(4, pool(key));
            try (ResultSet rows = query.executeQuery()) {
                long unspent = 0;
                long used = 0;
                while (rows.next()) {
                    int alive = rows.getInt(3);
                    if (alive == OWN) {
                        continue;
                    }
                    unspent += alive == ALIVE ? rows.getLong(1) - rows.getLong(2) : 0;
                    used = BudgetAccount.sum(used, alive == ALIVE ? rows.getLong(2) : rows.getLong(1));
                }
                return new Sums(unspent, used);
            }
        }
    }

    /** Deletes some windows that ended before a time. */
    void sweep(long before, int most) throws SQLException {
        List<String> ended = new ArrayList<>();
        try (PreparedStatement query = prepare(ShareSql.ENDED)) {
            query.setLong(1, before);
            query.setMaxRows(most);
            try (ResultSet rows = query.executeQuery()) {
                while (rows.next()) {
                    ended.add(rows.getString(1));
                }
            }
        }
        for (String pool : ended) {
            for (ShareSql sql : List.of(ShareSql.DELETE_ALLOTMENTS, ShareSql.DELETE_POOL)) {
                try (PreparedStatement delete = prepare(sql)) {
                    delete.setString(1, pool);
                    delete.executeUpdate();
                }
            }
        }
    }

    private PreparedStatement prepare(ShareSql sql) throws SQLException {
        return connection.prepareStatement(sql.text());
    }
}
