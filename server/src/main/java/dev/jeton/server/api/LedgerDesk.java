package dev.jeton.server.api;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.Bookkeeper;
import dev.jeton.accounting.Ledger;
import dev.jeton.accounting.Reports;
import dev.jeton.server.config.Configuration.BooksSettings;
import dev.jeton.server.metrics.QuestionStats;
import java.sql.SQLException;
import java.sql.SQLTimeoutException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where callers ask the ledger. A database keeps the thread that asks it, and SQLite with it a carrier of virtual
 * threads; so a few platform threads ask, and streams of tokens never wait for a report.
 *
 * <p>At most {@code books.max-questions} callers are at the desk at once, waiting included, and a quarter of the places
 * is the most that one tenant gets: nobody's reports keep others' out. Thread-safe.
 */
final class LedgerDesk implements AutoCloseable {

    /** What is asked. */
    @FunctionalInterface
    interface Question<T> {
        T of(Ledger ledger, Reports reports);
    }

    /**
     * An answer.
     *
     * @param asOf up to when the ledger surely had this server's requests, in ISO 8601
     */
    record Answered<T>(T value, String asOf) {}

    private static final Logger LOG = LoggerFactory.getLogger(LedgerDesk.class);

    /** The ledger has four connections for readers, and an export takes two at once: its rows and their prices. */
    private static final int THREADS = 2;

    private static final Duration CATCH_UP = Duration.ofSeconds(2);
    private static final int SHARES = 4;
    private static final long IDLE_SECONDS = 30;
    private static final long CLOSE_SECONDS = 5;

    private final Optional<Bookkeeper> books;
    private final int places;
    private final Duration patience;
    private final ThreadPoolExecutor threads;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<String, Integer> tenants = new HashMap<>();
    private int visits;
    private final LongAdder refused = new LongAdder();
    private final LongAdder nanos = new LongAdder();

    /** @param books whose ledger is asked; empty where none are kept */
    LedgerDesk(Optional<Bookkeeper> books, BooksSettings settings) {
        this.books = books;
        this.places = settings.maxQuestions();
        this.patience = settings.questionTimeout();
        this.threads = new ThreadPoolExecutor(
                THREADS,
                THREADS,
                IDLE_SECONDS,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(places),
                Thread.ofPlatform().name("ledger-desk-", 0).daemon(true).factory());
        threads.allowCoreThreadTimeOut(true);
    }

    /** How full it is. */
    QuestionStats stats() {
        return new QuestionStats(visiting(), places, threads.getQueue().size(), refused.sum(), nanos.sum());
    }

    private int visiting() {
        lock.lock();
        try {
            return visits;
        } finally {
            lock.unlock();
        }
    }

    /**
     * The books' time, in microseconds since 1970.
     *
     * @throws ApiException 404, where no books are kept
     */
    long now() {
        return keeper().clock().micros();
    }

    private Bookkeeper keeper() {
        return books.orElseThrow(ApiException::withoutBooks);
    }

    /**
     * Takes a place at the desk; {@link Visit#close} gives it back.
     *
     * @throws ApiException 404 where no books are kept; 503 while the ledger is not open or all places are taken; 429
     *     where the caller's tenant has its share of them
     */
    Visit visit(Call call) {
        Bookkeeper keeper = keeper();
        Ledger ledger = keeper.ledger()
                .orElseThrow(() -> ApiException.unavailable(
                        "ledger_not_open",
                        "The ledger is not open: that takes some seconds after the start, and for as long as its"
                                + " database is away; try again later"));
        String tenant = call.caller().operator() ? "" : call.caller().payer().tenant();
        enter(tenant);
        return new Visit(call, tenant, ledger, keeper);
    }

    /** Visits for one question. */
    <T> Answered<T> ask(Call call, Question<T> question) throws InterruptedException {
        try (Visit visit = visit(call)) {
            return new Answered<>(visit.ask(question), visit.asOf());
        }
    }

    private void enter(String tenant) {
        int share = Math.max(1, places / SHARES);
        lock.lock();
        try {
            if (visits >= places) {
                throw full();
            }
            if (!tenant.isEmpty() && tenants.getOrDefault(tenant, 0) >= share) {
                refused.increment();
                throw ApiException.overloaded(
                        "A tenant may ask %d questions about the books at once, and as many are open; try again later"
                                .formatted(share));
            }
            visits++;
            tenants.merge(tenant, 1, Integer::sum);
        } finally {
            lock.unlock();
        }
    }

    private ApiException full() {
        refused.increment();
        return ApiException.unavailable(
                "ledger_busy",
                "As many questions about the books as the server takes at once, %d, are under way; try again later"
                        .formatted(places));
    }

    private void leave(String tenant) {
        lock.lock();
        try {
            visits--;
            tenants.merge(tenant, -1, (count, less) -> count + less == 0 ? null : count + less);
        } finally {
            lock.unlock();
        }
    }

    /** Lets questions under way end, for a while, and takes no more. */
    @Override
    public void close() {
        threads.shutdown();
        try {
            if (!threads.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
                LOG.warn("questions to the ledger are left without an answer");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** A caller's place, for one question after the other. */
    final class Visit implements AutoCloseable {

        private final Call call;
        private final String tenant;
        private final Ledger ledger;
        private final Bookkeeper keeper;
        private long asOf;

        private Visit(Call call, String tenant, Ledger ledger, Bookkeeper keeper) {
            this.call = call;
            this.tenant = tenant;
            this.ledger = ledger;
            this.keeper = keeper;
            asOf = keeper.projectedUntil();
        }

        /** Lets the ledger take what is durable by now, and waits for that, a while. */
        void catchUp() throws InterruptedException {
            keeper.awaitProjected(CATCH_UP);
            asOf = keeper.projectedUntil();
        }

        /** How far the ledger is behind now, at most, in milliseconds. */
        long behindMillis() {
            return TimeUnit.MICROSECONDS.toMillis(keeper.projection().behindMicros());
        }

        /** Up to when the ledger surely has this server's requests, in ISO 8601. */
        String asOf() {
            return Instant.EPOCH.plus(asOf, ChronoUnit.MICROS).toString();
        }

        /**
         * Asks, and waits for the answer.
         *
         * @throws ApiException 503 where the database is away or the question takes too long
         * @throws ClientGoneException where the client hangs up
         */
        <T> T ask(Question<T> question) throws InterruptedException {
            FutureTask<T> task = new FutureTask<>(() -> timed(question));
            call.exchange().onHangUp(() -> {
                task.cancel(false);
                threads.remove(task);
            });
            try {
                threads.execute(task);
                return task.get();
            } catch (RejectedExecutionException e) {
                throw full();
            } catch (CancellationException e) {
                throw new ClientGoneException(Outcome.CANCELLED, "the client hung up");
            } catch (ExecutionException e) {
                throw failure(e.getCause());
            }
        }

        private <T> T timed(Question<T> question) {
            long start = System.nanoTime();
            try {
                return question.of(ledger, ledger.reports(patience));
            } finally {
                nanos.add(System.nanoTime() - start);
            }
        }

        @Override
        public void close() {
            leave(tenant);
        }
    }

    /** What a database says of its trouble names hosts and files, and is for the log alone. */
    private RuntimeException failure(@Nullable Throwable cause) {
        if (cause instanceof AccountingException e) {
            if (e.getCause() instanceof SQLTimeoutException) {
                return ApiException.unavailable(
                        "ledger_slow",
                        "The question took longer than %d s and was stopped; ask about a shorter time"
                                .formatted(patience.toSeconds()));
            }
            if (e.getCause() instanceof SQLException) {
                LOG.warn("a question to the ledger was not answered: {}", e.getMessage());
                return ApiException.unavailable(
                        "ledger_unavailable",
                        "The ledger's database cannot be read just now; nothing is lost meanwhile, so try again later");
            }
        }
        return cause instanceof RuntimeException e ? e : new IllegalStateException("a question failed", cause);
    }
}
