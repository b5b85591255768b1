package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Shared budgets where a server dies, the database is away, or has lost what it knew. */
@ParameterizedClass
@EnumSource(Database.Kind.class)
@Timeout(value = 240, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SharedRecoveryTest {

    private static final Payer PAYER = new Payer("t", "", "k");

    private final TestBooks books;

    SharedRecoveryTest(Database.Kind kind) {
        books = new TestBooks(kind);
    }

    @AfterEach
    void close() {
        books.close();
    }

    private static Budget tokens(long limit) {
        return Budget.of("tokens", "t", BudgetUnit.OUTPUT_TOKENS, BudgetWindow.TOTAL, limit)
                .sharedBy(true);
    }

    private SharedRun two(Budget budget) {
        return new SharedRun(1, books, List.of(budget)).servers(2);
    }

    private long sum(String column) {
        return Long.parseLong(books.query("SELECT COALESCE(SUM(" + column + "), 0) FROM budget_allotment")
                .getFirst());
    }

    private void empty() throws Exception {
        books.execute(
                "DELETE FROM budget_allotment",
                "DELETE FROM budget_pool",
                "DELETE FROM shared_budget",
                "DELETE FROM budget_offer",
                "DELETE FROM budget_lease");
    }

    @Test
    void aServerSeesThatTheDatabaseWasLostAlsoWhereAnotherHasToldItAgainBefore() throws Exception {
        try (SharedRun run = two(tokens(1_000))) {
            run.servers.get(0).spendsAsking(200);
            run.servers.get(1).spendsAsking(300);
            run.settle();
            empty();
            for (int i = 0; i < 3; i++) {
                run.servers.get(0).exchange(false);
            }
            run.settle();
            assertThat(sum("charged")).isEqualTo(500);
            assertThat(run.gets(0, 900)).isEqualTo(500);
        }
    }

    @Test
    void whatACrashedRequestIsNotBilledComesBackAlsoWhereItWasAllOfTheAllotment() {
        long price = 16 * 15_000;
        Budget money = Budget.of("money", "t", BudgetUnit.LIST_MONEY, BudgetWindow.TOTAL, price)
                .sharedBy(true);
        try (SharedRun run = two(money)) {
            SharedRun.Server a = run.servers.get(0);
            a.live(2_000_000, () -> {});
            BudgetRun.Client client = a.run.client(PAYER, 0, 1, 16, 16);
            a.run.begin(client);
            a.live(5_000_000, () -> {
                if (client.computed < 15) { // it has reserved all, and goes on
                    a.run.stepOf(client);
                }
            });
            assertThat(sum("allotted")).isEqualTo(price);
            assertThat(sum("charged")).isEqualTo(price);
            a.crash();
            a.restart(); // where what a crash cut off is not billed
            a.live(15_000_000, () -> {});
            assertThat(sum("charged")).isZero();
            assertThat(sum("allotted")).isZero();
        }
    }

    /** Until a thread has ended, or waits for a lock of the database. */
    private void ends(Thread thread) {
        TestBooks.await(() -> !thread.isAlive()
                || !books.query("SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
                                + " AND wait_event_type = 'Lock'")
                        .isEmpty());
    }

    @Test
    void aServerThatRenewsItsLeaseWhileItIsReleasedHearsOfItOrIsNotReleased() throws Exception {
        Assumptions.assumeTrue(books.kind() == Database.Kind.POSTGRESQL, "SQLite has one writer at a time");
        try (SharedRun run = two(tokens(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            a.spendsAsking(100);
            long until = Long.parseLong(books.query("SELECT lease_until FROM budget_lease WHERE node = 'n0'")
                    .getFirst());
            run.now = until - 1;
            AtomicReference<String> refused = new AtomicReference<>("");
            Thread release = new Thread(() -> {
                try {
                    ShareBook.release(run.database, "n0", connection -> until + 1);
                } catch (AccountingException e) {
                    refused.set(String.valueOf(e.getMessage()));
                }
            });
            ShareBook book = new ShareBook(run.database, "n0", BudgetRun.LEASE_NANOS / 1_000, connection -> {
                release.start();
                ends(release);
                return until - 1;
            });
            a.run.now += 58_000_000;
            ShareExchange.Reply reply =
                    book.exchange(a.run.budgets.sharing().prepare(false).orElseThrow());
            release.join();
            assertThat(reply.lapsed()).isNotEqualTo(refused.get().contains("may still spend"));
        }
    }

    @Test
    void whoAsksTheLedgerManyQuestionsDoesNotKeepSharedBudgetsFromIt() throws Exception {
        try (SharedRun run = two(tokens(1_000));
                ExecutorService askers = Executors.newVirtualThreadPerTaskExecutor()) {
            SharedRun.Server a = run.servers.get(0);
            a.spendsAsking(100);
            run.settle();
            CountDownLatch asking = new CountDownLatch(4);
            CountDownLatch enough = new CountDownLatch(1);
            for (int i = 0; i < 4; i++) {
                askers.submit(() -> run.database.read(connection -> {
                    asking.countDown();
                    awaitQuietly(enough);
                    return 0;
                }));
            }
            asking.await();
            run.now += 20_000_000;
            try {
                assertThat(a.run.budgets.sharing().prepare(false).map(a.book::exchange))
                        .isPresent();
            } finally {
                enough.countDown();
            }
        }
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
