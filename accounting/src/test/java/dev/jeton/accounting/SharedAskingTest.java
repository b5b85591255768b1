package dev.jeton.accounting;

import static dev.jeton.accounting.SharedRun.tokens;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** How servers ask the database for more of a shared budget, and give back what they do not need. */
@ParameterizedClass
@EnumSource(Database.Kind.class)
@Timeout(value = 240, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SharedAskingTest {

    private static final Payer PAYER = new Payer("t", "", "k");

    private final TestBooks books;

    SharedAskingTest(Database.Kind kind) {
        books = new TestBooks(kind);
    }

    @AfterEach
    void close() {
        books.close();
    }

    private static Budget money(long limit) {
        return Budget.of("money", "t", BudgetUnit.LIST_MONEY, BudgetWindow.TOTAL, limit)
                .sharedBy(true);
    }

    /** A step of a task is to be reserved; it is refused where a server has too little. */
    private static void reserve(SharedRun.Server server, long amount) {
        TaskStep step = new TaskStep("s", TaskStep.Kind.OTHER, amount, Rate.of("0"), "", 0, TaskStep.Hit.UNKNOWN, "");
        server.run.budgets.step(
                new Fact.TaskStepped(server.run.now, PAYER, "task", step, TaskStep.State.RESERVED, 0, ""),
                false,
                () -> 1);
    }

    private static void refused(SharedRun.Server server, long amount, BudgetRefusal.Reason reason) {
        assertThatThrownBy(() -> reserve(server, amount))
                .isInstanceOfSatisfying(
                        BudgetRefusal.class,
                        refusal -> assertThat(refusal.reason()).isEqualTo(reason));
    }

    @Test
    void whatWasAllottedInAnAnswerThatWasLostGoesBackWhenNobodyWantsItAnyMore() {
        try (SharedRun run = SharedRun.two(books, money(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            a.live(5_000_000, () -> {});
            refused(a, 300, BudgetRefusal.Reason.RESERVED_BY_OTHERS);
            a.asksInVain();
            assertThat(run.allotted()).isEqualTo(300);
            run.away = true;
            a.live(10_000_000, () -> {});
            run.away = false;
            a.live(10_000_000, () -> {});
            assertThat(run.allotted()).isZero();
        }
    }

    @Test
    void whatIsAllottedToACounterThatWasForgottenMeanwhileGoesBack() {
        BudgetWindow hour = new BudgetWindow(BudgetWindow.Kind.HOUR, BudgetWindow.TOTAL.zone());
        Budget hourly = Budget.of("hourly", "u", BudgetUnit.REQUESTS, hour, 100);
        try (SharedRun run = SharedRun.two(books, hourly, money(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            a.live(5_000_000, () -> {});
            a.run.begin(a.run.client(new Payer("u", "", "k"), 0, 1, 1, 1)); // so that the end of the hour is watched
            refused(a, 300, BudgetRefusal.Reason.RESERVED_BY_OTHERS);
            run.reaching = true;
            a.begin(false);
            a.passUntil(hour.at(a.run.now).to());
            a.run.budgets.tick();
            a.finish();
            assertThat(run.allotted()).isEqualTo(300);
            a.live(10_000_000, () -> {});
            assertThat(run.allotted()).isZero();
        }
    }

    @Test
    void aStepThatWasRefusedFindsWhatItNeedsWhenItComesAgain() {
        try (SharedRun run = SharedRun.two(books, money(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            a.live(5_000_000, () -> {});
            refused(a, 300, BudgetRefusal.Reason.RESERVED_BY_OTHERS);
            a.live(1_050_000, () -> {});
            reserve(a, 300);
            assertThat(a.view().shared().orElseThrow().charged()).isEqualTo(300);
        }
    }

    @Test
    void whatNobodyWaitsForIsToldAboutOnceASecond() {
        Budget soft = money(1_000_000_000_000L)
                .with(new BudgetTerms(1_000_000_000_000L, Budget.Mode.SOFT, false, Budget.Grace.NONE, List.of()));
        try (SharedRun run = SharedRun.two(books, soft)) {
            SharedRun.Server a = run.servers.get(0);
            a.live(5_000_000, () -> {});
            int before = a.exchanges;
            a.live(10_000_000, () -> {
                a.run.begin(a.run.client(PAYER, 0, 1, 10, 10));
            });
            assertThat(a.exchanges - before).isBetween(9, 20);
        }
    }

    private static Budget each() {
        return new Budget(
                "each",
                Budget.Level.KEY,
                "t",
                Budget.ANY,
                Budget.ANY,
                BudgetUnit.LIST_MONEY,
                BudgetWindow.TOTAL,
                1_000_000_000,
                Budget.Mode.HARD,
                false,
                Budget.Grace.NONE,
                List.of(),
                List.of(),
                List.of(),
                "",
                true);
    }

    /** A budget of each key, of which a server has counted a thousand. */
    private SharedRun thousand() {
        SharedRun run = SharedRun.two(books, each());
        SharedRun.Server a = run.servers.get(0);
        a.live(2_000_000, () -> {});
        for (int i = 0; i < 1_000; i++) {
            a.run.begin(a.run.client(new Payer("t", "", "k" + i), 0, 1, 1, 1));
        }
        a.live(200_000, () -> {});
        for (BudgetRun.Client client : a.run.clients) {
            a.run.stepOf(client);
            a.run.stepOf(client);
            assertThat(client.done).isTrue();
        }
        a.live(30_000_000, () -> {});
        return run;
    }

    @Test
    void whoWaitsIsHeardAtOnceHoweverManyCountersThereAre() {
        try (SharedRun run = thousand()) {
            SharedRun.Server a = run.servers.get(0);
            run.now += 20_000_000; // all of them were not looked at for long
            a.view();
            BudgetRun.Client late = a.run.client(PAYER, 0, 1, 1, 1);
            a.run.begin(late);
            a.exchange(false);
            assertThat(late.runs()).isTrue();
        }
    }

    @Test
    void countersThatAreOnlyLookedAtTakeTurns() {
        try (SharedRun run = thousand()) {
            SharedRun.Server a = run.servers.get(0);
            int before = a.exchanges;
            a.live(30_000_000, () -> {});
            assertThat(a.exchanges - before).isLessThan(40);
            assertThat(a.run.budgets.views())
                    .hasSize(1_000)
                    .allMatch(view -> view.shared().orElseThrow().asOf() > a.run.now - 13_000_000);
        }
    }

    @Test
    void afterAnIdleLeaseNothingIsAskedForAgainThatIsSpent() {
        try (SharedRun run = thousand()) {
            SharedRun.Server a = run.servers.get(0);
            run.now += 200_000_000;
            a.run.begin(a.run.client(PAYER, 0, 1, 1, 1));
            a.exchange(false);
            a.run.now = Math.max(a.run.now, (long) run.now);
            assertThat(a.run.budgets.sharing().prepare(false).orElseThrow().asks())
                    .filteredOn(ask -> ask.what() == ShareExchange.What.SPENDS)
                    .hasSizeLessThan(2);
        }
    }

    @Test
    void aStepThatTheBudgetDoesNotPayForKeepsNothingFromOthers() {
        try (SharedRun run = SharedRun.two(books, money(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            refused(a, 1_300, BudgetRefusal.Reason.RESERVED_BY_OTHERS);
            a.live(10_000_000, () -> {});
            refused(a, 1_300, BudgetRefusal.Reason.SPENT);
            a.live(10_000, () -> {});
            assertThat(run.allotted()).isZero();
        }
    }

    @Test
    void whatIsGivenBackIsNotSpentWhileNobodyKnowsWhetherItWasHeard() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            a.spendsAsking(100);
            long had = a.view().shared().orElseThrow().allotted();
            assertThat(had).isGreaterThan(100);
            run.now += 30_000_000;
            run.reaching = true;
            a.begin(false);
            assertThat(run.gets(1, 900)).isEqualTo(900);
            assertThat(a.spends(100)).isZero();
            a.finish();
            assertThat(run.spent()).isEqualTo(1_000);
        }
    }

    @Test
    void whatAServerSpendsWhileItAsksIsNotGivenToAnother() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
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
            run.gets(1, 900);
            assertThat(run.spent()).isEqualTo(1_000);
        }
    }

    @Test
    void atItsEndAServerTellsOfAllCountersThatWereRemovedBefore() {
        try (SharedRun run = SharedRun.two(books, each())) {
            SharedRun.Server a = run.servers.get(0);
            a.live(2_000_000, () -> {});
            for (int i = 0; i < 300; i++) {
                a.run.begin(a.run.client(new Payer("t", "", "k" + i), 0, 1, 1, 1));
            }
            a.exchange(false);
            a.exchange(false);
            assertThat(run.allotted()).isPositive();
            a.run.budgets.define(List.of());
            do {
                a.exchange(true);
            } while (a.run.budgets.sharing().holdsAny());
            assertThat(run.charged()).isEqualTo(run.allotted());
        }
    }
}
