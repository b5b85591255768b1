package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Budgets that several servers spend together. */
@ParameterizedClass
@EnumSource(Database.Kind.class)
@Timeout(value = 240, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SharedBudgetsTest {

    private static final Payer PAYER = new Payer("t", "", "k");

    private final TestBooks books;

    SharedBudgetsTest(Database.Kind kind) {
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

    private List<String> columns(String sql) {
        return books.query(sql);
    }

    private long charged() {
        return Long.parseLong(columns("SELECT COALESCE(SUM(charged), 0) FROM budget_allotment")
                .getFirst());
    }

    private long allotted() {
        return Long.parseLong(columns("SELECT COALESCE(SUM(allotted), 0) FROM budget_allotment")
                .getFirst());
    }

    /** Any order of events: traffic, exchanges, faults, outages longer than a lease, crashes and restarts. */
    private void turmoil(SharedRun run, long limit, int steps) {
        for (int i = 0; i < steps; i++) {
            SharedRun.Server server = run.servers.get(run.random.nextInt(run.servers.size()));
            int what = run.random.nextInt(1_000);
            if (what < 2) {
                run.away ^= true;
            } else if (what < 4 && server.up) {
                server.crash();
            } else if (what < 5) {
                run.now += run.random.nextInt(90_000_000);
            } else if (what < 12 && !server.up) {
                server.restart();
            } else if (what < 15 && server.up) {
                server.keep();
            } else if (what < 100 && server.up) {
                if (server.asks()) {
                    server.finish();
                } else {
                    server.begin(false);
                }
            } else if (what < 110 && server.up && server.run.clients.size() < 40) {
                server.client(PAYER, 1 + run.random.nextInt(300));
            } else if (server.up) {
                server.step();
            }
            if (i % 100 == 0) {
                assertThat(run.computed()).isLessThanOrEqualTo(limit);
                assertThat(run.spent()).isLessThanOrEqualTo(limit);
            }
        }
    }

    /** Everybody comes back, and those who still want something get it until nothing is left. */
    private void calm(SharedRun run, long limit) {
        run.away = false;
        run.faults = 0;
        run.servers.stream().filter(SharedRun.Server::asks).forEach(SharedRun.Server::finish);
        run.servers.stream().filter(server -> !server.up).forEach(SharedRun.Server::restart);
        for (int turn = 0; turn < 4_000 && run.spent() < limit; turn++) {
            for (SharedRun.Server server : run.servers) {
                if (turn % 10 == 0 && server.run.clients.size() < 400) {
                    server.client(PAYER, 200);
                }
                server.begin(false);
                for (int i = 0; i < 50; i++) {
                    server.step();
                }
            }
            run.servers.forEach(SharedRun.Server::finish);
            run.now += 100_000;
            assertThat(run.spent()).isLessThanOrEqualTo(limit);
        }
    }

    @Test
    void noOrderOfEventsPassesTheLimitAndNothingOfItIsLost() {
        int seeds = books.kind() == Database.Kind.SQLITE ? 12 : 6;
        for (int seed = 0; seed < seeds; seed++) {
            long limit = 200 + seed * 700L;
            try (SharedRun run = new SharedRun(seed, books, List.of(tokens(limit)))) {
                empty();
                run.servers(2 + seed % 4);
                run.faults = seed % 3 * 3;
                turmoil(run, limit, 6_000);
                calm(run, limit);
                run.settle();
                assertThat(run.spent()).isEqualTo(limit);
                assertThat(charged()).isEqualTo(limit);
                assertThat(allotted()).isEqualTo(limit);
                assertThat(books.ledger().verify()).isEmpty();
            } catch (Throwable e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }

    private SharedRun two(Budget budget) {
        return new SharedRun(1, books, List.of(budget)).servers(2);
    }

    /** What a request of its own gets on a server while everybody speaks with the database. */
    private static long gets(SharedRun run, int server, long tokens) {
        long before = run.computed();
        for (int i = 0; i < 20; i++) {
            run.settle();
            run.servers.get(server).spendsAsking(tokens);
        }
        return run.computed() - before;
    }

    @Test
    void whatOneServerLeavesAnotherCanSpendToTheLastToken() {
        try (SharedRun run = two(tokens(1_000))) {
            assertThat(run.servers.get(0).spendsAsking(300)).isEqualTo(300);
            assertThat(gets(run, 1, 900)).isEqualTo(700);
            assertThat(run.servers.get(0).spendsAsking(10)).isZero();
            assertThat(run.servers.get(0).last().refusal.orElseThrow().reason()).isEqualTo(BudgetRefusal.Reason.SPENT);
        }
    }

    @Test
    void whatIsGivenBackIsNotSpentWhileNobodyKnowsWhetherItWasHeard() {
        try (SharedRun run = two(tokens(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            a.spendsAsking(100);
            long had = a.view().shared().orElseThrow().allotted();
            assertThat(had).isGreaterThan(100);
            run.now += 30_000_000;
            run.reaching = true;
            a.begin(false);
            assertThat(gets(run, 1, 900)).isEqualTo(900);
            assertThat(a.spends(100)).isZero();
            a.finish();
            assertThat(run.spent()).isEqualTo(1_000);
        }
    }

    @Test
    void whatAServerSpendsWhileItAsksIsNotGivenToAnother() {
        try (SharedRun run = two(tokens(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            a.spendsAsking(100);
            SharedRun.Server b = run.servers.get(1);
            b.spends(900); // which makes it one of two, so that less is due to the other
            run.reaching = true;
            b.exchange(false);
            b.exchange(false);
            assertThat(a.spends(10)).isEqualTo(10);
            run.now += 1_500_000; // or it would not ask again so soon
            a.begin(false);
            long more = 0;
            for (int i = 0; i < 20; i++) {
                b.exchange(false);
                b.run.stepOf(b.last());
                more += a.spends(50);
            }
            assertThat(more).isPositive();
            a.finish();
            gets(run, 1, 900);
            assertThat(run.spent()).isEqualTo(1_000);
        }
    }

    @Test
    void aServerWithoutTheDatabaseSpendsWhatItWasAllottedAndNothingOnceItsLeaseIsOver() {
        try (SharedRun run = two(tokens(100_000))) {
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
        try (SharedRun run = two(tokens(200))) {
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
        try (SharedRun run = two(tokens(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            a.spendsAsking(100);
            long had = a.view().shared().orElseThrow().allotted();
            a.crash();
            run.now += 200_000_000;
            assertThat(gets(run, 1, 900)).isEqualTo(1_000 - had);
            a.restart();
            run.settle();
            assertThat(gets(run, 1, 900)).isEqualTo(had - 100);
            assertThat(run.spent()).isEqualTo(1_000);
        }
    }

    @Test
    void whatAServerWasAllottedBeforeItChargedAnythingComesBackWithIt() {
        try (SharedRun run = two(tokens(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            BudgetRun.Client client = a.run.client(PAYER, 0, 1, 400, 400);
            a.run.begin(client);
            a.exchange(false);
            a.exchange(false);
            a.run.facts.clear(); // nothing of it was durable
            a.crash();
            assertThat(allotted()).isPositive();
            a.restart();
            assertThat(gets(run, 1, 1_000)).isEqualTo(1_000);
        }
    }

    @Test
    void whatAServerThatIsGoneHadIsReleasedOnlyOnceItMaySpendNothing() {
        try (SharedRun run = two(tokens(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            a.spendsAsking(100);
            run.away = true;
            a.exchange(false);
            assertThatThrownBy(() -> run.release(a)).hasMessageContaining("may still spend");
            run.now += 61_000_000;
            assertThat(a.spends(50)).isZero();
            run.release(a);
            run.away = false;
            assertThat(gets(run, 1, 900)).isEqualTo(900);
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
        try (SharedRun run = two(device)) {
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
        try (SharedRun run = two(tokens(1_000))) {
            run.servers.get(0).spendsAsking(200);
            run.servers.get(1).spendsAsking(300);
            empty();
            run.settle();
            assertThat(charged()).isEqualTo(500);
            assertThat(gets(run, 1, 900)).isEqualTo(500);
            assertThat(run.spent()).isEqualTo(1_000);
        }
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
    void whatIsSharedIsRememberedByCopiesOfTheStateAndOthersAreAsTheyWere() {
        try (SharedRun run = two(tokens(1_000))) {
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

    // ---- what is decided ----

    @Test
    void aLimitThatIsChangedOnOneServerHoldsOnAll() {
        try (SharedRun run = two(tokens(1_000))) {
            run.settle();
            run.servers.get(0).run.budgets.define(List.of(tokens(150)));
            run.settle();
            assertThat(run.servers.get(1).run.budgets.definitions().getFirst().limit())
                    .isEqualTo(150);
            assertThat(gets(run, 1, 900)).isEqualTo(150);
            run.servers.get(1).run.budgets.define(List.of(tokens(400)));
            assertThat(gets(run, 0, 900)).isEqualTo(250);
        }
    }

    @Test
    void aSwitchThatIsThrownOnOneServerEndsStreamsOnAll() {
        try (SharedRun run = two(tokens(1_000))) {
            SharedRun.Server b = run.servers.get(1);
            b.spendsAsking(10);
            BudgetRun.Client client = b.run.client(PAYER, 0, 1, 100, 100);
            b.run.begin(client);
            b.exchange(false);
            for (int i = 0; i < 10; i++) {
                b.run.stepOf(client);
            }
            assertThat(client.computed).isPositive();
            BudgetTerms open = BudgetTerms.of(tokens(1_000));
            Budget killed =
                    tokens(1_000).with(new BudgetTerms(open.limit(), open.mode(), true, open.grace(), open.topUps()));
            run.servers.get(0).run.budgets.define(List.of(killed));
            run.settle();
            b.run.stepOf(client);
            assertThat(client.done).isTrue();
            run.servers.get(0).run.budgets.define(List.of(tokens(1_000)));
            run.settle();
            assertThat(b.spendsAsking(100)).isEqualTo(100);
        }
    }

    @Test
    void aBudgetThatIsRemovedOnOneServerHoldsOnNoneAndBeginsAnewWhenItIsMadeAgain() {
        try (SharedRun run = two(tokens(500))) {
            gets(run, 1, 500);
            run.servers.get(0).run.budgets.define(List.of());
            run.settle();
            assertThat(run.servers.get(1).run.budgets.definitions()).isEmpty();
            run.servers.get(0).run.budgets.define(List.of(tokens(300)));
            run.settle();
            assertThat(run.servers.get(1).run.budgets.definitions().getFirst().limit())
                    .isEqualTo(300);
            assertThat(gets(run, 1, 500)).isEqualTo(300);
        }
    }

    @Test
    void whatAServerStartsWithIsNoDecisionUnlessItHasChanged() {
        try (SharedRun run = two(tokens(1_000))) {
            run.settle();
            run.servers.get(0).run.budgets.define(List.of(tokens(150)));
            run.settle();
            SharedRun.Server b = run.servers.get(1);
            b.crash();
            b.restart(); // with 1,000, as before
            run.settle();
            assertThat(b.run.budgets.definitions().getFirst().limit()).isEqualTo(150);
            b.crash();
            b.definitions = List.of(tokens(200));
            b.restart();
            run.settle();
            assertThat(run.servers.get(0).run.budgets.definitions().getFirst().limit())
                    .isEqualTo(200);
        }
    }

    // ---- windows and units ----

    @Test
    void eachWindowHasTheWholeLimit() {
        Budget day = Budget.of(
                        "tokens",
                        "t",
                        BudgetUnit.OUTPUT_TOKENS,
                        new BudgetWindow(BudgetWindow.Kind.DAY, BudgetWindow.TOTAL.zone()),
                        400)
                .sharedBy(true);
        try (SharedRun run = two(day)) {
            assertThat(gets(run, 0, 150)).isEqualTo(400);
            run.now += 86_400_000_000.0;
            assertThat(gets(run, 1, 900)).isEqualTo(400);
            run.now += 86_400_000_000.0;
            assertThat(run.servers.get(0).spendsAsking(100)).isEqualTo(100);
            assertThat(gets(run, 1, 900)).isEqualTo(300);
            assertThat(books.ledger().verify()).isEmpty();
        }
    }

    @Test
    void whatIsLeftOfAnAllotmentWhenItsWindowEndsIsNothingInTheNext() {
        BudgetWindow day = new BudgetWindow(BudgetWindow.Kind.DAY, BudgetWindow.TOTAL.zone());
        Budget tokens =
                Budget.of("tokens", "t", BudgetUnit.OUTPUT_TOKENS, day, 1_000).sharedBy(true);
        try (SharedRun run = two(tokens)) {
            SharedRun.Server a = run.servers.get(0);
            a.passUntil(day.at(a.run.now).to() - 2_000_000);
            assertThat(a.spendsAsking(100)).isEqualTo(100);
            assertThat(a.view().shared().orElseThrow().allotted()).isGreaterThan(110);
            a.run.begin(a.run.client(PAYER, 0, 1, 10, 10)); // which comes along
            a.passUntil(day.at(a.run.now).to() + 1);
            assertThat(a.view().shared().orElseThrow().leased()).isTrue();
            assertThat(a.spends(10)).isZero();
            assertThat(a.spendsAsking(10)).isEqualTo(10);
            assertThat(books.ledger().verify()).isEmpty();
        }
    }

    @Test
    void whatWasPaidInIsSpentByAllAndGoneWhenItExpires() {
        Budget paid = Budget.of(
                        "tokens",
                        "t",
                        BudgetUnit.OUTPUT_TOKENS,
                        new BudgetWindow(BudgetWindow.Kind.PREPAID, BudgetWindow.TOTAL.zone()),
                        0)
                .sharedBy(true);
        try (SharedRun run = two(paid)) {
            assertThat(run.servers.get(1).spendsAsking(50)).isZero();
            BudgetTerms terms = BudgetTerms.of(paid);
            Budget topped = paid.with(new BudgetTerms(
                    terms.limit(),
                    terms.mode(),
                    false,
                    terms.grace(),
                    List.of(
                            new Budget.TopUp("a", 300, 0, (long) run.now + 3_000_000_000L),
                            new Budget.TopUp("b", 200, 0, Long.MAX_VALUE))));
            run.servers.get(0).run.budgets.define(List.of(topped));
            run.settle();
            assertThat(run.servers.get(1).spendsAsking(50)).isEqualTo(50);
            run.settle();
            run.now += 4_000_000_000.0;
            assertThat(gets(run, 1, 900)).isEqualTo(200);
            assertThat(books.ledger().verify()).isEmpty();
        }
    }

    @Test
    void aSoftBudgetRefusesNothingAndCountsWhatAllHave() {
        Budget soft = tokens(100).with(new BudgetTerms(100, Budget.Mode.SOFT, false, Budget.Grace.NONE, List.of()));
        try (SharedRun run = two(soft)) {
            assertThat(run.servers.get(0).spendsAsking(150)).isEqualTo(150);
            assertThat(run.servers.get(1).spendsAsking(70)).isEqualTo(70);
            run.settle();
            run.servers.get(0).view();
            run.settle();
            assertThat(run.servers.get(0).view().used()).isEqualTo(220);
            assertThat(books.ledger().verify()).isEmpty();
        }
    }

    @Test
    void deviceTimePassesALimitByTheStepsInFlightOfEachServerOnly() {
        Budget device = Budget.of("tokens", "t", BudgetUnit.DEVICE_SECONDS, BudgetWindow.TOTAL, 20_000_000_000L)
                .sharedBy(true);
        try (SharedRun run = new SharedRun(1, books, List.of(device))) {
            run.stepNanos = 100_000_000;
            run.servers(2);
            long tokens = gets(run, 0, 60) + gets(run, 1, 900);
            assertThat(tokens).isBetween(200L, 202L);
        }
    }

    @Test
    void whereNothingIsSharedTheDatabaseIsNotAsked() {
        try (SharedRun run = two(tokens(1_000).sharedBy(false))) {
            SharedRun.Server a = run.servers.get(0);
            assertThat(a.spends(100)).isEqualTo(100);
            assertThat(a.run.budgets.sharing().prepare(false)).isEmpty();
            assertThat(a.run.budgets.sharing().prepare(true)).isEmpty();
        }
    }

    @Test
    void aLimitAsHighAsNumbersGoIsVerified() throws Exception {
        try (SharedRun run = two(tokens(Long.MAX_VALUE))) {
            run.servers.get(0).spendsAsking(100);
            books.execute("UPDATE budget_pool SET beyond = 5"); // as once the limit was lowered and raised again
            assertThat(books.ledger().verify()).isEmpty();
        }
    }

    @Test
    void allotmentsThatDoNotAddUpAreFound() throws Exception {
        try (SharedRun run = two(tokens(1_000))) {
            run.servers.get(0).spendsAsking(100);
            assertThat(books.ledger().verify()).isEmpty();
            books.execute("UPDATE budget_allotment SET charged = allotted + 1");
            assertThat(books.ledger().verify()).singleElement().asString().contains("tokens", "charged");
            books.execute("UPDATE budget_allotment SET charged = 100, allotted = allotted + 7");
            assertThat(books.ledger().verify()).singleElement().asString().contains("7");
            books.execute("UPDATE budget_pool SET allotted = 2000", "UPDATE budget_allotment SET allotted = 2000");
            assertThat(books.ledger().verify()).singleElement().asString().contains("limit");
        }
    }
}
