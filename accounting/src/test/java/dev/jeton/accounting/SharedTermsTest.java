package dev.jeton.accounting;

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

    private static final BudgetWindow PREPAID = new BudgetWindow(BudgetWindow.Kind.PREPAID, BudgetWindow.TOTAL.zone());

    private final TestBooks books;

    SharedTermsTest(Database.Kind kind) {
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

    private static Budget killed(Budget budget) {
        BudgetTerms terms = BudgetTerms.of(budget);
        return budget.with(new BudgetTerms(terms.limit(), terms.mode(), true, terms.grace(), terms.topUps()));
    }

    private static Budget paid(Budget.TopUp... topUps) {
        return Budget.of("tokens", "t", BudgetUnit.OUTPUT_TOKENS, PREPAID, 0)
                .sharedBy(true)
                .with(new BudgetTerms(0, Budget.Mode.HARD, false, Budget.Grace.NONE, List.of(topUps)));
    }

    private SharedRun two(Budget budget) {
        return new SharedRun(1, books, List.of(budget)).servers(2);
    }

    private static Budget on(SharedRun run, int server) {
        return run.servers.get(server).run.budgets.definitions().getFirst();
    }

    private static void define(SharedRun run, int server, Budget... budgets) {
        run.servers.get(server).run.budgets.define(List.of(budgets));
    }

    @Test
    void aLimitThatIsLoweredHoldsForWhatIsAllottedAlready() {
        try (SharedRun run = two(tokens(1_000))) {
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
}
