package dev.jeton.accounting;

import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * Several servers that share budgets in one database, each with clients of its own ({@link BudgetRun}), in one thread
 * and in virtual time: clocks that are apart and run unevenly, a database that fails before or after it has done what
 * was asked, crashes and restarts from the journal.
 */
final class SharedRun implements AutoCloseable {

    /** A shared budget of tokens of the tenant {@code t}. */
    static Budget tokens(long limit) {
        return Budget.of("tokens", "t", BudgetUnit.OUTPUT_TOKENS, BudgetWindow.TOTAL, limit)
                .sharedBy(true);
    }

    /** Two servers that share budgets. */
    static SharedRun two(TestBooks books, Budget... budgets) {
        return new SharedRun(1, books, List.of(budgets)).servers(2);
    }

    /** One server over all its lives. */
    final class Server {
        final String name;
        /** How fast and how far off its clock is. */
        private final double pace;

        private final long off;
        final ShareBook book;
        final List<Fact> journal = new ArrayList<>();
        private byte[] copy = {};
        private int copied;
        private int lives;

        private BudgetRun.@Nullable Client last;

        private boolean woken;
        private long exchanged;
        /** How often {@link #live} spoke with the database. */
        int exchanges;

        private long ticked;

        private Optional<ShareExchange> asked = Optional.empty();
        private Optional<ShareExchange.Reply> reply = Optional.empty();
        BudgetRun run;
        boolean up = true;
        /** What it starts with. */
        List<Budget> definitions = SharedRun.this.definitions;

        Server(String name, double pace, long off) {
            this.name = name;
            this.pace = pace;
            this.off = off;
            book = new ShareBook(database, name, BudgetRun.LEASE_NANOS / 1_000, connection -> (long) now);
            run = life();
            keep();
        }

        private BudgetRun life() {
            BudgetRun made = new BudgetRun(random, name + "-" + lives++ + "-", definitions);
            made.stepNanos = stepNanos;
            made.now = clock();
            made.budgets.sharing().onWake(() -> woken = true);
            return made;
        }

        private long clock() {
            return (long) START + off + (long) ((now - START) * pace);
        }

        /** As the state keeper does. */
        void keep() {
            journal.addAll(run.facts);
            run.facts.clear();
            copied = journal.size();
            copy = run.budgets.locked(state -> state.get().encode());
        }

        void client(Payer payer, long most) {
            run.client(payer, random.nextInt(20), 1 + random.nextInt(2), most, random.nextLong(most + 1));
        }

        /**
         * Lets a request run alone, without the database.
         *
         * @return how many tokens it has computed when it ends, is refused or waits
         */
        long spends(long tokens) {
            BudgetRun.Client client = run.client(new Payer("t", "", "k"), 0, 1, tokens, tokens);
            run.now = Math.max(run.now, clock());
            run.begin(client);
            for (int i = 0; i < 400 && !client.done; i++) {
                run.stepOf(client);
            }
            pass();
            last = client;
            return client.computed;
        }

        /** The same, while the database is asked again and again. */
        long spendsAsking(long tokens) {
            BudgetRun.Client client = run.client(new Payer("t", "", "k"), 0, 1, tokens, tokens);
            run.now = Math.max(run.now, clock());
            run.begin(client);
            for (int i = 0; i < 60 && !client.done; i++) {
                servers.stream()
                        .filter(server -> server.up && !server.asks())
                        .forEach(server -> server.exchange(false));
                for (int j = 0; j < 40 && !client.done; j++) {
                    run.stepOf(client);
                }
                pass();
                now += 100_000;
            }
            last = client;
            return client.computed;
        }

        /** The database's clock is no earlier than this one's. */
        private void pass() {
            now = Math.max(now, START + (run.now - START - off) / pace);
        }

        /** The client of the last {@link #spends}. */
        BudgetRun.Client last() {
            return Objects.requireNonNull(last);
        }

        /** Until this server's clock shows so much. */
        void passUntil(long micros) {
            now = START + (micros - START - off) / pace + 1;
            run.now = Math.max(run.now, clock());
        }

        BudgetView view() {
            run.now = Math.max(run.now, clock());
            return run.budgets.views().getFirst();
        }

        /** Something happens to somebody; time passes. */
        void step() {
            run.now = Math.max(run.now, clock());
            long before = run.now;
            if (!run.clients.isEmpty()) {
                run.step();
            }
            now += (run.now - before) / pace;
        }

        /** As the thread does that speaks with the database, in one go; whether it was answered. */
        boolean exchange(boolean ending) {
            begin(ending);
            return finish();
        }

        /**
         * Goes on for some time as its threads do: one speaks with the database once a second, or when it is woken, the
         * other lets time pass.
         *
         * @param work done every ten milliseconds
         */
        void live(long micros, Runnable work) {
            for (double end = now + micros; now < end; now += 10_000) {
                run.now = Math.max(run.now, clock());
                work.run();
                if (run.budgets.quietMicros() == 0 || run.now - ticked >= 1_000_000) {
                    run.budgets.tick();
                    ticked = run.now;
                }
                if (woken || run.now - exchanged >= 1_002_000) {
                    woken = false;
                    exchanged = run.now;
                    exchanges++;
                    exchange(false);
                }
            }
        }

        /** The database does what it is asked, and nobody hears of it. */
        void asksInVain() {
            run.now = Math.max(run.now, clock());
            Optional<ShareExchange> unheard = run.budgets.sharing().prepare(false);
            unheard.ifPresent(book::exchange);
            unheard.ifPresent(run.budgets.sharing()::failed);
        }

        /** Asks the database, which may do it at once or later. */
        void begin(boolean ending) {
            run.now = Math.max(run.now, clock());
            asked = run.budgets.sharing().prepare(ending);
            reply = Optional.empty();
            if (reaching || random.nextBoolean()) {
                reach();
            }
        }

        /** The database does what was asked. */
        private void reach() {
            if (asked.isPresent() && reply.isEmpty() && !away && random.nextInt(100) >= faults) {
                reply = Optional.of(book.exchange(asked.get()));
                now += random.nextInt(3_000);
            }
        }

        /** Hears of it, or does not. */
        boolean finish() {
            reach();
            Optional<ShareExchange> was = asked;
            asked = Optional.empty();
            run.now = Math.max(run.now, clock());
            if (was.isPresent() && reply.isPresent() && random.nextInt(100) >= faults) {
                run.budgets.sharing().answered(was.get(), reply.get());
                return true;
            }
            was.ifPresent(run.budgets.sharing()::failed);
            return was.isEmpty();
        }

        boolean asks() {
            return asked.isPresent();
        }

        void crash() {
            journal.addAll(run.facts);
            computed += run.computed();
            asked = Optional.empty();
            up = false;
        }

        void restart() {
            run = life();
            Map<String, Fact.Opened> open = new HashMap<>();
            Tasks none = new Tasks(TaskBounds.USUAL, () -> 0, (fact, late) -> 0);
            run.budgets.replay(
                    BudgetState.decode(copy),
                    none,
                    version -> run.prices,
                    replay -> journal.subList(copied, journal.size()).forEach(replay::see));
            for (Fact fact : journal) {
                if (fact instanceof Fact.Opened opened) {
                    open.put(opened.request(), opened);
                } else if (fact instanceof Fact.Closed closed) {
                    open.remove(closed.request());
                }
            }
            for (String request : open.keySet()) {
                Fact.Closed end =
                        new Fact.Closed(run.now, request, Fact.Outcome.ABORTED, Tokens.NONE, 0, 0, 0, 0, 0, 0, 0);
                run.budgets.abandon(end, () -> {
                    run.facts.add(end);
                    return 0;
                });
            }
            run.budgets.abandonRest();
            up = true;
        }

        /** What the journal says that is spent of output. */
        long spent() {
            Map<String, Long> granted = new HashMap<>();
            long sum = 0;
            List<Fact> all = new ArrayList<>(journal);
            if (up) {
                all.addAll(run.facts);
            }
            for (Fact fact : all) {
                switch (fact) {
                    case Fact.Granted f -> granted.put(f.request(), f.total());
                    case Fact.Closed f -> {
                        long most = granted.getOrDefault(f.request(), 0L);
                        granted.remove(f.request());
                        sum += f.outcome() == Fact.Outcome.ABORTED
                                ? most
                                : f.tokens().output();
                    }
                    default -> {}
                }
            }
            return sum + granted.values().stream().mapToLong(Long::longValue).sum();
        }
    }

    private static final double START = 1_000_000_000_000.0;

    final Random random;
    private final TestBooks books;
    final Database database;
    final List<Budget> definitions;
    final List<Server> servers = new ArrayList<>();
    /** Microseconds of the database's clock. */
    double now = START;

    boolean away;
    /** Whether the database does at once what it is asked. */
    boolean reaching;
    /** Of a hundred exchanges, how many are not done; as many are done and not heard of. */
    int faults;

    long stepNanos;
    /** Tokens of lives that are over. */
    private long computed;

    SharedRun(long seed, TestBooks books, List<Budget> definitions) {
        random = Facts.random(seed);
        this.books = books;
        this.definitions = definitions;
        database = Database.open(books.url(), TestBooks.USER, "");
    }

    SharedRun servers(int count) {
        for (int i = 0; i < count; i++) {
            double pace = 0.98 + random.nextDouble() * 0.04;
            servers.add(new Server("n" + i, pace, random.nextInt(2_000_000)));
        }
        return this;
    }

    /** What servers have told the database that they have charged. */
    long charged() {
        return sum("charged");
    }

    /** What the database has allotted to servers. */
    long allotted() {
        return sum("allotted");
    }

    private long sum(String column) {
        return Long.parseLong(books.query("SELECT COALESCE(SUM(" + column + "), 0) FROM budget_allotment")
                .getFirst());
    }

    /** The database loses all that it knew of shared budgets. */
    void empty() throws SQLException {
        books.execute(
                "DELETE FROM budget_allotment",
                "DELETE FROM budget_pool",
                "DELETE FROM shared_budget",
                "DELETE FROM budget_offer",
                "DELETE FROM budget_lease");
    }

    /** Tokens that were computed anywhere. */
    long computed() {
        long sum = computed;
        for (Server server : servers) {
            sum += server.up ? server.run.computed() : 0;
        }
        return sum;
    }

    long spent() {
        return servers.stream().mapToLong(Server::spent).sum();
    }

    /** Everybody who is up speaks until nobody has anything to say any more. */
    void settle() {
        for (int i = 0; i < 20; i++) {
            now += 3_000_000;
            servers.stream().filter(server -> server.up).forEach(server -> server.exchange(false));
        }
    }

    /** What requests of their own get on a server while everybody speaks with the database. */
    long gets(int server, long tokens) {
        long before = computed();
        for (int i = 0; i < 20; i++) {
            settle();
            servers.get(server).spendsAsking(tokens);
        }
        return computed() - before;
    }

    /** Somebody says that a server is gone. */
    void release(Server server) {
        ShareBook.release(database, server.name, connection -> (long) now);
    }

    @Override
    public void close() {
        database.close();
    }
}
