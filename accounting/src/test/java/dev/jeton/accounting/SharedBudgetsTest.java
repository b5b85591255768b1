package dev.jeton.accounting;

import static dev.jeton.accounting.SharedRun.tokens;
import static org.assertj.core.api.Assertions.assertThat;

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
                run.empty();
                run.servers(2 + seed % 4);
                run.faults = seed % 3 * 3;
                turmoil(run, limit, 6_000);
                calm(run, limit);
                run.settle();
                assertThat(run.spent()).isEqualTo(limit);
                assertThat(run.charged()).isEqualTo(limit);
                assertThat(run.allotted()).isEqualTo(limit);
                assertThat(books.ledger().verify()).isEmpty();
            } catch (Throwable e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }

    @Test
    void whatOneServerLeavesAnotherCanSpendToTheLastToken() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            assertThat(run.servers.get(0).spendsAsking(300)).isEqualTo(300);
            assertThat(run.gets(1, 900)).isEqualTo(700);
            assertThat(run.servers.get(0).spendsAsking(10)).isZero();
            assertThat(run.servers.get(0).last().refusal.orElseThrow().reason()).isEqualTo(BudgetRefusal.Reason.SPENT);
        }
    }

    @Test
    void aSoftBudgetRefusesNothingAndCountsWhatAllHave() {
        Budget soft = tokens(100).with(new BudgetTerms(100, Budget.Mode.SOFT, false, Budget.Grace.NONE, List.of()));
        try (SharedRun run = SharedRun.two(books, soft)) {
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
    void whereNothingIsSharedTheDatabaseIsNotAsked() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000).sharedBy(false))) {
            SharedRun.Server a = run.servers.get(0);
            assertThat(a.spends(100)).isEqualTo(100);
            assertThat(a.run.budgets.sharing().prepare(false)).isEmpty();
            assertThat(a.run.budgets.sharing().prepare(true)).isEmpty();
        }
    }

    @Test
    void aLimitAsHighAsNumbersGoIsVerified() throws Exception {
        try (SharedRun run = SharedRun.two(books, tokens(Long.MAX_VALUE))) {
            run.servers.get(0).spendsAsking(100);
            books.execute("UPDATE budget_pool SET beyond = 5"); // as once the limit was lowered and raised again
            assertThat(books.ledger().verify()).isEmpty();
        }
    }

    @Test
    void allotmentsThatDoNotAddUpAreFound() throws Exception {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
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

    @Test
    void eachWindowHasTheWholeLimit() {
        Budget day = Budget.of(
                        "tokens",
                        "t",
                        BudgetUnit.OUTPUT_TOKENS,
                        new BudgetWindow(BudgetWindow.Kind.DAY, BudgetWindow.TOTAL.zone()),
                        400)
                .sharedBy(true);
        try (SharedRun run = SharedRun.two(books, day)) {
            assertThat(run.gets(0, 150)).isEqualTo(400);
            run.now += 86_400_000_000.0;
            assertThat(run.gets(1, 900)).isEqualTo(400);
            run.now += 86_400_000_000.0;
            assertThat(run.servers.get(0).spendsAsking(100)).isEqualTo(100);
            assertThat(run.gets(1, 900)).isEqualTo(300);
            assertThat(books.ledger().verify()).isEmpty();
        }
    }

    @Test
    void whatIsLeftOfAnAllotmentWhenItsWindowEndsIsNothingInTheNext() {
        BudgetWindow day = new BudgetWindow(BudgetWindow.Kind.DAY, BudgetWindow.TOTAL.zone());
        Budget tokens =
                Budget.of("tokens", "t", BudgetUnit.OUTPUT_TOKENS, day, 1_000).sharedBy(true);
        try (SharedRun run = SharedRun.two(books, tokens)) {
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
}
