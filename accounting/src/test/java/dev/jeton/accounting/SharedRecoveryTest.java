package dev.jeton.accounting;

import static dev.jeton.accounting.SharedRun.tokens;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Objects;
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

    @Test
    void aServerSeesThatTheDatabaseWasLostAlsoWhereAnotherHasToldItAgainBefore() throws Exception {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            run.servers.get(0).spendsAsking(200);
            run.servers.get(1).spendsAsking(300);
            run.settle();
            run.empty();
            for (int i = 0; i < 3; i++) {
                run.servers.get(0).exchange(false);
            }
            run.settle();
            assertThat(run.charged()).isEqualTo(500);
            assertThat(run.gets(0, 900)).isEqualTo(500);
        }
    }

    @Test
    void whatACrashedRequestIsNotBilledComesBackAlsoWhereItWasAllOfTheAllotment() {
        long price = 16 * 15_000;
        Budget money = Budget.of("money", "t", BudgetUnit.LIST_MONEY, BudgetWindow.TOTAL, price)
                .sharedBy(true);
        try (SharedRun run = SharedRun.two(books, money)) {
            SharedRun.Server a = run.servers.get(0);
            a.live(2_000_000, () -> {});
            BudgetRun.Client client = a.run.client(PAYER, 0, 1, 16, 16);
            a.run.begin(client);
            a.live(5_000_000, () -> {
                if (client.computed < 15) { // it has reserved all, and goes on
                    a.run.stepOf(client);
                }
            });
            assertThat(run.allotted()).isEqualTo(price);
            assertThat(run.charged()).isEqualTo(price);
            a.crash();
            a.restart(); // where what a crash cut off is not billed
            a.live(15_000_000, () -> {});
            assertThat(run.charged()).isZero();
            assertThat(run.allotted()).isZero();
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
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
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
        try (SharedRun run = SharedRun.two(books, tokens(1_000));
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

    @Test
    void aServerWithoutTheDatabaseSpendsWhatItWasAllottedAndNothingOnceItsLeaseIsOver() {
        try (SharedRun run = SharedRun.two(books, tokens(100_000))) {
            SharedRun.Server a = run.servers.get(0);
            a.spendsAsking(200);
            run.away = true;
            long left = a.view().shared().orElseThrow().allotted() - 200;
            assertThat(a.spends(50)).isEqualTo(50).isLessThan(left);
            a.exchange(false);
            run.now += 0.98 * 60_000_000;
            assertThat(a.view().shared().orElseThrow().leased()).isFalse();
            assertThat(a.spends(50)).isZero();
            assertThat(a.last().refusal.orElseThrow().reason()).isEqualTo(BudgetRefusal.Reason.UNREACHABLE);
            run.away = false;
            run.settle();
            assertThat(a.spendsAsking(50)).isEqualTo(50);
        }
    }

    @Test
    void whoRunsDryWithoutTheDatabaseEndsAndSaysThatItCouldNotBeReached() {
        try (SharedRun run = SharedRun.two(books, tokens(200))) {
            SharedRun.Server a = run.servers.get(0);
            a.spendsAsking(20);
            run.away = true;
            long got = a.spends(90_000);
            a.exchange(false);
            a.run.now += 11_000_000;
            for (int i = 0; i < 10; i++) {
                a.run.stepOf(a.last());
            }
            assertThat(got).isPositive();
            assertThat(a.last().done).isTrue();
            assertThat(java.util.Objects.requireNonNull(a.last().hold)
                            .stoppedBy()
                            .orElseThrow()
                            .reason())
                    .isEqualTo(BudgetRefusal.Reason.UNREACHABLE);
        }
    }

    @Test
    void whatADeadServerHadCountsAsSpentUntilItComesBack() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            a.spendsAsking(100);
            long had = a.view().shared().orElseThrow().allotted();
            a.crash();
            run.now += 200_000_000;
            assertThat(run.gets(1, 900)).isEqualTo(1_000 - had);
            a.restart();
            run.settle();
            assertThat(run.gets(1, 900)).isEqualTo(had - 100);
            assertThat(run.spent()).isEqualTo(1_000);
        }
    }

    @Test
    void whatAServerWasAllottedBeforeItChargedAnythingComesBackWithIt() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            BudgetRun.Client client = a.run.client(PAYER, 0, 1, 400, 400);
            a.run.begin(client);
            a.exchange(false);
            a.exchange(false);
            a.run.facts.clear(); // nothing of it was durable
            a.crash();
            assertThat(run.allotted()).isPositive();
            a.restart();
            assertThat(run.gets(1, 1_000)).isEqualTo(1_000);
        }
    }

    @Test
    void whatAServerThatIsGoneHadIsReleasedOnlyOnceItMaySpendNothing() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            a.spendsAsking(100);
            run.away = true;
            a.exchange(false);
            assertThatThrownBy(() -> run.release(a)).hasMessageContaining("may still spend");
            run.now += 61_000_000;
            assertThat(a.spends(50)).isZero();
            run.release(a);
            run.away = false;
            assertThat(run.gets(1, 900)).isEqualTo(900);
            a.exchange(false);
            assertThat(a.spends(50)).isZero();
            assertThat(run.spent()).isEqualTo(1_000);
            assertThat(books.ledger().verify()).isEmpty();
        }
    }

    @Test
    void afterALeaseThatRanOutNothingIsSpentThatWasNotAskedForAgain() {
        Budget device = Budget.of("tokens", "t", BudgetUnit.DEVICE_SECONDS, BudgetWindow.TOTAL, 20_000_000_000L)
                .sharedBy(true);
        try (SharedRun run = SharedRun.two(books, device)) {
            SharedRun.Server a = run.servers.get(0);
            BudgetRun.Client client = a.run.client(PAYER, 0, 1, 50, 50);
            a.run.begin(client);
            a.exchange(false);
            a.exchange(false);
            a.run.stepOf(client);
            for (int i = 0; i < 3; i++) {
                run.now += 1_100_000;
                a.exchange(false);
            }
            assertThat(a.view().shared().orElseThrow().allotted()).isPositive();
            run.now += 61_000_000;
            run.release(a);
            a.exchange(false); // of a request that does nothing there is nothing to say, but it lives again
            assertThat(a.view().shared().orElseThrow().leased()).isTrue();
            assertThat(a.view().shared().orElseThrow().allotted()).isZero();
            a.exchange(false);
            assertThat(a.view().shared().orElseThrow().allotted()).isPositive();
        }
    }

    @Test
    void aDatabaseThatHasLostAllIsToldAgain() throws Exception {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            run.servers.get(0).spendsAsking(200);
            run.servers.get(1).spendsAsking(300);
            run.empty();
            run.settle();
            assertThat(run.charged()).isEqualTo(500);
            assertThat(run.gets(1, 900)).isEqualTo(500);
            assertThat(run.spent()).isEqualTo(1_000);
        }
    }

    @Test
    void whatIsSharedIsRememberedByCopiesOfTheStateAndOthersAreAsTheyWere() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            a.spendsAsking(100);
            byte[] copy = a.run.budgets.locked(state -> state.get().encode());
            BudgetState read = BudgetState.decode(copy);
            assertThat(read.shared()).containsOnlyKeys("tokens");
            assertThat(read.encode()).isEqualTo(copy);
            BudgetRun alone = new BudgetRun(1, List.of(tokens(5).sharedBy(false)));
            byte[] plain = alone.budgets.locked(state -> state.get().encode());
            assertThat(plain).startsWith((byte) 1);
        }
    }

    @Test
    void aServerThatComesBackAfterTheDatabaseWasLostHasSpentWhatItHas() throws Exception {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            run.settle();
            a.run.budgets.define(List.of());
            run.settle();
            a.run.budgets.define(List.of(tokens(1_000))); // of the second generation
            run.settle();
            a.spendsAsking(300);
            a.keep();
            a.crash();
            run.empty();
            run.settle(); // the other has told of the first
            a.restart();
            run.settle();
            assertThat(run.charged()).isEqualTo(300);
            assertThat(run.gets(1, 900)).isEqualTo(700);
        }
    }

    @Test
    void aServerThatIsUnknownIsNotReleased() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            run.servers.get(0).spendsAsking(100);
            run.servers.get(1).spendsAsking(100);
            run.now += 100_000_000;
            assertThatThrownBy(() -> ShareBook.release(run.database, "n7", connection -> (long) run.now))
                    .isInstanceOf(AccountingException.class)
                    .hasMessageContaining("n7")
                    .hasMessageContaining("n0, n1");
        }
    }

    @Test
    void aDatabaseThatNothingIsAskedOfAnyMoreIsNotSaidToBeAway() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            run.away = true;
            a.exchange(false);
            assertThat(a.run.budgets.sharing().stats(0, 0, 0).heard()).isFalse();
            a.run.budgets.define(List.of(tokens(1_000).sharedBy(false)));
            a.exchange(false);
            assertThat(a.run.budgets.sharing().stats(0, 0, 0).heard()).isTrue();
        }
    }

    @Test
    void anEstimateSaysThatTheDatabaseIsAwayOnceALeaseIsOver() {
        try (SharedRun run = SharedRun.two(books, tokens(100_000))) {
            SharedRun.Server a = run.servers.get(0);
            a.spendsAsking(200);
            run.settle();
            assertThat(word(a)).isEqualTo(BudgetVerdict.Word.OK);
            run.away = true;
            a.exchange(false);
            run.now += 70_000_000;
            a.exchange(false);
            assertThat(word(a)).isEqualTo(BudgetVerdict.Word.UNREACHABLE);
        }
    }

    private static BudgetVerdict.Word word(SharedRun.Server server) {
        server.view();
        BudgetHold hold = server.run.budgets.hold(
                Objects.requireNonNull(server.last().hold).opened, server.run.prices, List.of());
        return server.run.budgets.verdicts(hold, 10, 20).getFirst().word();
    }
}
