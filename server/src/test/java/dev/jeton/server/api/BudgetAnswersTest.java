package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.accounting.BudgetRefusal;
import dev.jeton.accounting.BudgetStop;
import org.junit.jupiter.api.Test;

class BudgetAnswersTest {

    @Test
    void whoWasEndedSinceTheDatabaseIsAwayMayTryAgain() {
        ApiException stopped =
                BudgetAnswers.stopped(new BudgetStop("month", "search", BudgetRefusal.Reason.UNREACHABLE));
        assertThat(stopped.status()).isEqualTo(503);
        assertThat(stopped.headers())
                .containsEntry("retry-after", "1")
                .containsEntry("x-jeton-budget", "month")
                .doesNotContainKey("x-should-retry");
    }

    @Test
    void whoWasEndedByABudgetThatIsSpentNeedNotTryAgain() {
        ApiException stopped = BudgetAnswers.stopped(new BudgetStop("month", "search", BudgetRefusal.Reason.SPENT));
        assertThat(stopped.status()).isEqualTo(429);
        assertThat(stopped.headers()).containsEntry("x-should-retry", "false").doesNotContainKey("retry-after");
    }
}
