package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * The part of a ledger's database that says how much of a shared budget each server may spend. Any thread; one
 * transaction an exchange.
 *
 * <p><b>How much.</b> A server gets what it wants, but of all that nobody has spent yet not more than one part in twice
 * as many as there are servers, so that the pieces become smaller as the limit comes nearer and nobody holds what
 * another needs or who comes new finds nothing; and always what it cannot go on without, as long as that is left.
 *
 * <p><b>The promise.</b> Nothing is allotted beyond the limit, and under a hard limit a server charges no more than it
 * was allotted; so all of them together stay within it. What is charged all the same (device time in mid-step, work
 * that is reported once it was done) is taken from what is left at the next exchange, and noted as beyond where nothing
 * is.
 */
final class ShareBook {

    /** The database's time; simulations have one of their own. */
    @FunctionalInterface
    interface Clock {
        long micros(Connection connection) throws SQLException;
    }

    /** Ended windows are kept so long, to be looked at. */
    private static final long KEPT_MICROS = 40L * 86_400_000_000L;
    /** Pools that one exchange deletes. */
    private static final int SWEPT = 100;

    /** Servers that a message names. */
    private static final int NAMED = 20;

    private static final Duration MOST = Duration.ofSeconds(5);

    private final Database database;
    private final String node;
    private final long leaseMicros;
    private final Clock clock;

    ShareBook(Database database, String node, long leaseMicros) {
        this(database, node, leaseMicros, database::micros);
    }

    ShareBook(Database database, String node, long leaseMicros, Clock clock) {
        this.database = database;
        this.node = node;
        this.leaseMicros = leaseMicros;
        this.clock = clock;
    }

    /**
     * Does all that an exchange asks for, or nothing of it.
     *
     * @throws AccountingException where the database does not answer; whether it was done is not known then
     */
    ShareExchange.Reply exchange(ShareExchange exchange) {
        boolean writes = exchange.renews()
                || !exchange.offers().isEmpty()
                || !exchange.withdrawn().isEmpty();
        // also what is only read: reports may have all of the readers' connections
        return database.writeSoon(
                MOST, connection -> writes ? exchanged(connection, exchange) : looked(connection, exchange));
    }

    private ShareExchange.Reply exchanged(Connection connection, ShareExchange exchange) throws SQLException {
        ShareRows rows = new ShareRows(connection, node);
        if (exchange.renews()) {
            rows.lockLease(); // before the time is read: whoever releases goes by the lease alone
        }
        long now = clock.micros(connection);
        if (!exchange.offers().isEmpty() || !exchange.withdrawn().isEmpty()) {
            database.lockSharedBudgets(connection);
            offer(rows, exchange, now);
        }
        long leased = rows.lease();
        boolean lapsed = exchange.renews() && leased <= now;
        boolean lost = leased < exchange.leased();
        if (exchange.renews()) {
            leased = now + leaseMicros;
            rows.renew(leased, now);
            rows.sweep(now - KEPT_MICROS, SWEPT);
        }
        int servers = rows.servers(now);
        // of several servers each asks in the same order, or two could wait for each other
        List<Integer> order = IntStream.range(0, exchange.asks().size())
                .boxed()
                .sorted(Comparator.comparing(
                        i -> ShareRows.pool(exchange.asks().get(i).key())))
                .toList();
        Map<Integer, Optional<ShareExchange.Answer>> answers = new HashMap<>();
        for (int i : order) {
            answers.put(i, answer(rows, exchange.asks().get(i), servers, now));
        }
        List<Optional<ShareExchange.Answer>> inOrder = new ArrayList<>();
        for (int i = 0; i < exchange.asks().size(); i++) {
            inOrder.add(answers.get(i));
        }
        return reply(rows, exchange, now, leased, lost, lapsed, inOrder);
    }

    private ShareExchange.Reply looked(Connection connection, ShareExchange exchange) throws SQLException {
        ShareRows rows = new ShareRows(connection, node);
        long now = exchange.asks().isEmpty() && !exchange.first() ? 0 : clock.micros(connection);
        int servers = exchange.asks().isEmpty() ? 0 : rows.servers(now);
        List<Optional<ShareExchange.Answer>> answers = new ArrayList<>();
        for (ShareExchange.Ask ask : exchange.asks()) {
            answers.add(answer(rows, ask, servers, now));
        }
        long leased = rows.lease();
        return reply(rows, exchange, now, leased, leased < exchange.leased(), false, answers);
    }

    private ShareExchange.Reply reply(
            ShareRows rows,
            ShareExchange exchange,
            long now,
            long leased,
            boolean lost,
            boolean lapsed,
            List<Optional<ShareExchange.Answer>> answers)
            throws SQLException {
        long version = rows.version();
        boolean anew = lost || version < exchange.seen();
        List<ShareExchange.Decided> decided =
                version == exchange.seen() ? List.of() : rows.decided(anew ? 0 : exchange.seen());
        List<ShareExchange.Held> held = exchange.first() ? rows.held(node, now) : List.of();
        Optional<List<ShareExchange.Differing>> differing =
                exchange.renews() ? Optional.of(rows.differing(now)) : Optional.empty();
        return new ShareExchange.Reply(version, leased, anew, lapsed, decided, held, differing, answers);
    }

    /**
     * A server is gone for good: what it was allotted and did not say that it has spent may be allotted to others. What
     * it has spent without saying so is then beyond the limit, if it is ever heard of.
     *
     * @return what was released
     * @throws AccountingException while its lease runs, since until then it may spend; or where there never was such a
     *     server
     */
    static List<ShareExchange.Held> release(Database database, String gone, Clock clock) {
        return database.write(connection -> {
            ShareRows rows = new ShareRows(connection, gone);
            long now = clock.micros(connection);
            rows.lockLease();
            long until = rows.lease();
            if (until == 0) {
                throw unknown(gone, rows.nodes(NAMED));
            }
            if (until > now) {
                throw new AccountingException(
                        "server %s may still spend what it was allotted, for %d s: stop it, or wait until its lease has run out"
                                .formatted(gone, Math.ceilDiv(until - now, 1_000_000)));
            }
            List<ShareExchange.Held> held = rows.unaccounted(gone);
            for (ShareExchange.Held each : held) {
                Optional<ShareExchange.Decided> decided =
                        rows.decided(each.key().budget(), each.key().kind());
                if (decided.isPresent()) {
                    SharePool pool = rows.pool(each.key(), decided.get().terms(), true, now)
                            .orElseThrow();
                    pool.giveBack(each.allotted() - each.charged(), now);
                    rows.store(pool);
                }
                rows.store(each.key(), each.charged(), each.charged(), now);
            }
            return held;
        });
    }

    private static AccountingException unknown(String node, List<String> nodes) {
        return new AccountingException(
                nodes.isEmpty()
                        ? "no server has spent a shared budget in this ledger: see whether it is that of books.ledger"
                        : ("no server '%s' has spent a shared budget in this ledger; those that have are %s: say its"
                                        + " books.node")
                                .formatted(node, String.join(", ", nodes)));
    }

    // ---- what is decided ----

    /** What a server says of its budgets becomes what holds for all, where that is a decision. */
    private void offer(ShareRows rows, ShareExchange exchange, long now) throws SQLException {
        Map<ShareExchange.Withdrawn, ShareExchange.Decided> holds = new HashMap<>();
        for (ShareExchange.Decided decided : rows.decided(0)) {
            holds.put(new ShareExchange.Withdrawn(decided.budget(), decided.kind()), decided);
        }
        Map<ShareExchange.Withdrawn, String> said = rows.offers();
        long version = rows.version();
        for (ShareExchange.Withdrawn withdrawn : exchange.withdrawn()) {
            ShareExchange.Decided before = holds.get(withdrawn);
            rows.forgetOffer(withdrawn);
            if (before != null && !before.removed()) {
                ShareExchange.Decided removed = new ShareExchange.Decided(
                        before.budget(), before.kind(), before.generation(), before.terms(), true, node);
                rows.decide(removed, ++version, now);
                holds.put(withdrawn, removed);
            }
            said.remove(withdrawn);
        }
        for (ShareExchange.Offer offer : exchange.offers()) {
            ShareExchange.Withdrawn key = new ShareExchange.Withdrawn(offer.budget(), offer.kind());
            ShareExchange.Decided before = holds.get(key);
            String text = offer.terms().text();
            String saidBefore = said.get(key);
            if (text.equals(saidBefore)) {
                continue;
            }
            rows.offer(key, text);
            long generation = 1;
            BudgetTerms terms = offer.terms();
            if (before != null && before.removed()) {
                generation = before.generation() + 1;
            } else if (before != null && (saidBefore != null || offer.live())) {
                generation = before.generation();
                terms = before.terms().changed(Optional.ofNullable(saidBefore).map(BudgetTerms::parse), terms);
                if (terms.equals(before.terms())) {
                    continue;
                }
            } else if (before != null) {
                continue; // what a server starts with is no decision
            }
            rows.decide(
                    new ShareExchange.Decided(offer.budget(), offer.kind(), generation, terms, false, node),
                    ++version,
                    now);
        }
        rows.stand(exchange.offers());
    }

    // ---- what is allotted ----

    private static Optional<ShareExchange.Answer> answer(ShareRows rows, ShareExchange.Ask ask, int servers, long now)
            throws SQLException {
        Optional<ShareExchange.Decided> decided =
                rows.decided(ask.key().budget(), ask.key().kind());
        // of a later generation it was before the database was lost: whoever asks has to tell all again
        if (decided.isEmpty() || decided.get().generation() < ask.key().generation()) {
            return Optional.empty();
        }
        BudgetTerms terms = decided.get().terms();
        boolean looks = ask.what() == ShareExchange.What.LOOKS;
        Optional<SharePool> found = rows.pool(ask.key(), terms, !looks, now);
        if (found.isEmpty()) {
            SharePool none = SharePool.none(ask.key(), terms);
            return Optional.of(new ShareExchange.Answer(
                    ask.charged(), none.limit(now), none.left(now), 0, 0, share(none.left(now), servers)));
        }
        SharePool pool = found.get();
        ShareRows.Sums others = rows.others(ask.key(), now);
        long before = rows.allotted(ask.key());
        pool.renew(BudgetAccount.sum(others.unspent(), Math.max(0, before - ask.charged())), now);
        long after = looks ? before : allot(pool, ask, before, others.unspent(), servers, now);
        if (!looks) {
            rows.store(ask.key(), after, ask.charged(), now);
            rows.store(pool);
        }
        long unspent = unspent(pool, others.unspent(), after - ask.charged(), now);
        return Optional.of(new ShareExchange.Answer(
                after, pool.limit(now), pool.left(now), others.unspent(), others.used(), share(unspent, servers)));
    }

    /** What nobody has spent yet: left, or allotted to a server that lives. */
    private static long unspent(SharePool pool, long others, long own, long now) {
        return BudgetAccount.sum(Math.max(0, pool.left(now)), BudgetAccount.sum(others, Math.max(0, own)));
    }

    private static long share(long unspent, int servers) {
        return unspent / (2L * Math.max(1, servers));
    }

    private static long allot(SharePool pool, ShareExchange.Ask ask, long before, long others, int servers, long now) {
        long allotted = before;
        if (ask.charged() > allotted) {
            pool.force(ask.charged() - allotted, now);
            allotted = ask.charged();
        }
        if (!pool.hard()) {
            pool.giveBack(allotted - ask.charged(), now);
            return ask.charged();
        }
        long share = share(unspent(pool, others, allotted - ask.charged(), now), servers);
        long reserve = ask.what() == ShareExchange.What.ENDS ? 0 : Math.max(ask.least(), Math.min(ask.want(), share));
        long target = BudgetAccount.sum(ask.charged(), reserve);
        if (target > allotted) {
            return allotted + pool.take(target - allotted, now);
        }
        long kept = Math.min(allotted, Math.max(target, ask.keep()));
        pool.giveBack(allotted - kept, now);
        return kept;
    }
}
