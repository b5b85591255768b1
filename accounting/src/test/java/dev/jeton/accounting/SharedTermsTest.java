package dev.jeton.accounting;

import static dev.jeton.accounting.SharedRun.tokens;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** What is decided of a shared budget on one server, and holds on all. */
@ParameterizedClass
@EnumSource(Database.Kind.class)
@Timeout(value = 240, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SharedTermsTest {

    private static final Payer PAYER = new Payer("t", "", "k");
    private static final BudgetWindow PREPAID = new BudgetWindow(BudgetWindow.Kind.PREPAID, BudgetWindow.TOTAL.zone());

    private final TestBooks books;

    SharedTermsTest(Database.Kind kind) {
        books = new TestBooks(kind);
    }

    @AfterEach
    void close() {
        books.close();
    }

    private static Budget killed(Budget budget) {
        BudgetTerms terms = BudgetTerms.of(budget);
        return budget.with(new BudgetTerms(terms.limit(), terms.mode(), true, terms.grace(), terms.topUps()));
    }

    private static Budget paid(Budget.TopUp... topUps) {
        return Budget.of("tokens", "t", BudgetUnit.OUTPUT_TOKENS, PREPAID, 0)
                .sharedBy(true)
                .with(new BudgetTerms(0, Budget.Mode.HARD, false, Budget.Grace.NONE, List.of(topUps)));
    }

    private static Budget on(SharedRun run, int server) {
        return run.servers.get(server).run.budgets.definitions().getFirst();
    }

    private static void define(SharedRun run, int server, Budget... budgets) {
        run.servers.get(server).run.budgets.define(List.of(budgets));
    }

    @Test
    void aSwitchThatWasThrownOnOneServerStaysThrownWhereAnotherChangesTheLimit() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            run.settle();
            define(run, 0, killed(tokens(1_000)));
            run.settle();
            define(run, 1, tokens(2_000));
            assertThat(on(run, 1).killed()).isTrue();
            run.settle();
            assertThat(on(run, 0)).isEqualTo(killed(tokens(2_000)));
            assertThat(on(run, 1)).isEqualTo(killed(tokens(2_000)));
            define(run, 0, tokens(1_000)); // taken back where it was thrown
            run.settle();
            assertThat(on(run, 1)).isEqualTo(tokens(2_000));
        }
    }

    @Test
    void aSwitchStaysThrownWhereAServerStartsWithAnotherLimit() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            run.settle();
            define(run, 0, killed(tokens(1_000)));
            run.settle();
            SharedRun.Server b = run.servers.get(1);
            b.crash();
            b.definitions = List.of(tokens(300));
            b.restart();
            run.settle();
            assertThat(on(run, 0)).isEqualTo(killed(tokens(300)));
            assertThat(on(run, 1)).isEqualTo(killed(tokens(300)));
        }
    }

    /** How many budgets each server finds defined in another way, once all that are up have spent something. */
    private static List<Integer> differing(SharedRun run) {
        for (int i = 0; i < 2; i++) {
            run.servers.stream().filter(server -> server.up).forEach(server -> server.spendsAsking(5));
            run.settle();
        }
        return run.servers.stream()
                .map(server -> server.run.budgets.sharing().stats(0, 0, 0).differing())
                .toList();
    }

    private static void restarts(SharedRun run, int server, Budget... definitions) {
        run.servers.get(server).crash();
        run.servers.get(server).definitions = List.of(definitions);
        run.servers.get(server).restart();
        run.settle();
    }

    private static Budget monthly() {
        BudgetWindow month = new BudgetWindow(BudgetWindow.Kind.MONTH, BudgetWindow.TOTAL.zone());
        return Budget.of("tokens", "t", BudgetUnit.OUTPUT_TOKENS, month, 1_000).sharedBy(true);
    }

    @Test
    void serversKnowWhereTheyDefineABudgetInTwoWays() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            assertThat(differing(run)).containsExactly(0, 0);
            restarts(run, 1, monthly());
            assertThat(differing(run)).containsExactly(1, 1);
        }
    }

    @Test
    void whatAServerDefinedBeforeIsNotWhatItDefines() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            restarts(run, 1, monthly());
            differing(run);
            restarts(run, 1, tokens(1_000));
            assertThat(differing(run)).containsExactly(0, 0);
        }
    }

    @Test
    void aServerThatIsGoneDefinesNothing() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            restarts(run, 1, monthly());
            assertThat(differing(run).getFirst()).isEqualTo(1);
            run.servers.get(1).crash();
            run.now += 2 * BudgetRun.LEASE_NANOS / 1_000;
            assertThat(differing(run).getFirst()).isZero();
        }
    }

    @Test
    void whatIsPaidInOnSeveralServersAddsUp() {
        Budget.TopUp one = new Budget.TopUp("a", 300, 0, Long.MAX_VALUE);
        Budget.TopUp other = new Budget.TopUp("b", 200, 0, Long.MAX_VALUE);
        try (SharedRun run = SharedRun.two(books, paid())) {
            run.settle();
            define(run, 0, paid(one));
            run.settle();
            define(run, 1, paid(other));
            assertThat(on(run, 1).topUps()).containsExactly(one, other);
            assertThat(run.gets(0, 900)).isEqualTo(500);
        }
    }

    @Test
    void aServerThatDefinesABudgetWhichAnotherHasDecidesOfItsLimitAlone() {
        try (SharedRun run = SharedRun.two(books, killed(tokens(1_000)))) {
            SharedRun.Server b = run.servers.get(1);
            b.crash();
            b.definitions = List.of();
            b.restart();
            run.settle();
            define(run, 1, tokens(400));
            run.settle();
            assertThat(on(run, 0)).isEqualTo(killed(tokens(400)));
            assertThat(on(run, 1)).isEqualTo(killed(tokens(400)));
        }
    }

    @Test
    void aLimitThatIsLoweredHoldsForWhatIsAllottedAlready() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            SharedRun.Server a = run.servers.get(0);
            a.spendsAsking(100);
            assertThat(a.view().shared().orElseThrow().allotted()).isGreaterThan(200);
            define(run, 1, tokens(150));
            run.servers.get(1).exchange(false);
            run.now += 1_000_000;
            a.exchange(false);
            assertThat(a.spends(500)).isEqualTo(50);
            assertThat(run.gets(1, 500)).isZero();
        }
    }

    @Test
    void whatIsAllottedOfSomethingPaidInIsGoneWhenThatExpires() {
        long expires = 1_000_060_000_000L;
        Budget.TopUp one = new Budget.TopUp("a", 3_000, 0, expires);
        try (SharedRun run = SharedRun.two(books, paid(one))) {
            SharedRun.Server a = run.servers.get(0);
            a.passUntil(expires - 10_000_000);
            a.spendsAsking(100);
            assertThat(a.view().shared().orElseThrow().allotted()).isGreaterThan(150);
            run.now = expires;
            a.exchange(false);
            assertThat(a.spends(50)).isZero();
            run.settle();
            assertThat(books.query("SELECT SUM(allotted) FROM budget_allotment"))
                    .containsExactly("100");
            assertThat(books.ledger().verify()).isEmpty();
        }
    }

    @Test
    void whatIsAllottedWhenSomethingPaidInExpiresIsTakenOfWhatDoesNot() {
        long expires = 1_000_060_000_000L;
        Budget.TopUp one = new Budget.TopUp("a", 3_000, 0, expires);
        Budget.TopUp other = new Budget.TopUp("b", 200, 0, Long.MAX_VALUE);
        try (SharedRun run = SharedRun.two(books, paid(one, other))) {
            SharedRun.Server a = run.servers.get(0);
            a.passUntil(expires - 10_000_000);
            a.spendsAsking(100);
            assertThat(a.view().shared().orElseThrow().allotted()).isGreaterThan(150);
            run.now = expires;
            a.exchange(false);
            assertThat(a.spends(50)).isEqualTo(50);
            assertThat(run.gets(0, 500)).isEqualTo(150);
            assertThat(books.ledger().verify()).isEmpty();
        }
    }

    @Test
    void whatWasSpentOfSomethingPaidInIsSpentWhereItIsNoLongerShared() {
        Budget.TopUp one = new Budget.TopUp("a", 300, 0, Long.MAX_VALUE);
        try (SharedRun run = SharedRun.two(books, paid(one))) {
            SharedRun.Server a = run.servers.get(0);
            assertThat(a.spendsAsking(200)).isEqualTo(200);
            a.keep();
            define(run, 0, paid(one).sharedBy(false));
            assertThat(a.spends(900)).isEqualTo(100);
            a.run.facts.clear();
            a.crash();
            a.definitions = List.of(paid(one).sharedBy(false));
            a.restart();
            assertThat(a.spends(900)).isEqualTo(100);
        }
    }

    @Test
    void aBudgetThatIsRemovedAndMadeAgainWhileTheDatabaseIsAwayBeginsAnewToo() {
        try (SharedRun run = SharedRun.two(books, tokens(500))) {
            run.gets(1, 500);
            run.away = true;
            define(run, 0);
            run.servers.get(0).exchange(false);
            define(run, 0, tokens(300));
            run.servers.get(0).exchange(false);
            run.away = false;
            assertThat(run.gets(1, 500)).isEqualTo(300);
        }
    }

    @Test
    void aLimitThatIsChangedOnOneServerHoldsOnAll() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            run.settle();
            define(run, 0, tokens(150));
            run.settle();
            assertThat(on(run, 1).limit()).isEqualTo(150);
            assertThat(run.gets(1, 900)).isEqualTo(150);
            define(run, 1, tokens(400));
            assertThat(run.gets(0, 900)).isEqualTo(250);
        }
    }

    @Test
    void aSwitchThatIsThrownOnOneServerEndsStreamsOnAll() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            SharedRun.Server b = run.servers.get(1);
            b.spendsAsking(10);
            BudgetRun.Client client = b.run.client(PAYER, 0, 1, 100, 100);
            b.run.begin(client);
            b.exchange(false);
            for (int i = 0; i < 10; i++) {
                b.run.stepOf(client);
            }
            assertThat(client.computed).isPositive();
            define(run, 0, killed(tokens(1_000)));
            run.settle();
            b.run.stepOf(client);
            assertThat(client.done).isTrue();
            define(run, 0, tokens(1_000));
            run.settle();
            assertThat(b.spendsAsking(100)).isEqualTo(100);
        }
    }

    @Test
    void aBudgetThatIsRemovedOnOneServerHoldsOnNoneAndBeginsAnewWhenItIsMadeAgain() {
        try (SharedRun run = SharedRun.two(books, tokens(500))) {
            run.gets(1, 500);
            define(run, 0);
            run.settle();
            assertThat(run.servers.get(1).run.budgets.definitions()).isEmpty();
            define(run, 0, tokens(300));
            run.settle();
            assertThat(on(run, 1).limit()).isEqualTo(300);
            assertThat(run.gets(1, 500)).isEqualTo(300);
        }
    }

    @Test
    void whatAServerStartsWithIsNoDecisionUnlessItHasChanged() {
        try (SharedRun run = SharedRun.two(books, tokens(1_000))) {
            run.settle();
            define(run, 0, tokens(150));
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
            assertThat(on(run, 0).limit()).isEqualTo(200);
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
        try (SharedRun run = SharedRun.two(books, paid)) {
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
            define(run, 0, topped);
            run.settle();
            assertThat(run.servers.get(1).spendsAsking(50)).isEqualTo(50);
            run.settle();
            run.now += 4_000_000_000.0;
            assertThat(run.gets(1, 900)).isEqualTo(200);
            assertThat(books.ledger().verify()).isEmpty();
        }
    }
}
