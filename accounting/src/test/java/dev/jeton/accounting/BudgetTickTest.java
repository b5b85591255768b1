package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Time passes for budgets no more often than it must. */
class BudgetTickTest {

    private static final Payer PAYER = BudgetRun.payer("t", "p", "k");
    private static final long SECOND = 1_000_000;

    private static final BudgetWindow DAY = new BudgetWindow(BudgetWindow.Kind.DAY, ZoneId.of("UTC"));

    private static Budget wall(long seconds) {
        return Budget.of("wall", "t", BudgetUnit.WALL_SECONDS, DAY, seconds * 1_000_000_000L);
    }

    private static BudgetRun.Client begin(BudgetRun run) {
        BudgetRun.Client client = run.client(PAYER, 1, 1, 1_000, 1_000);
        run.begin(client);
        return client;
    }

    @Test
    void isQuietWhileNoWallTimeIsCounted() {
        BudgetRun run = new BudgetRun(1, List.of(Budget.of("tokens", "t", BudgetUnit.OUTPUT_TOKENS, DAY, 1_000_000)));
        run.budgets.tick();
        begin(run);
        assertThat(run.budgets.quietMicros()).isGreaterThan(3_600 * SECOND);
    }

    @Test
    void isQuietUntilWallTimeIsSpent() {
        BudgetRun run = new BudgetRun(2, List.of(wall(60)));
        run.budgets.tick();
        begin(run);
        assertThat(run.budgets.quietMicros()).isEqualTo(60 * SECOND);
    }

    @Test
    void isQuietHalfAsLongForTwice() {
        BudgetRun run = new BudgetRun(3, List.of(wall(60)));
        run.budgets.tick();
        begin(run);
        run.now += 20 * SECOND;
        run.budgets.tick();
        begin(run);
        assertThat(run.budgets.quietMicros()).isEqualTo(20 * SECOND);
    }

    @Test
    void wakesWhenTheLimitIsLowered() {
        BudgetRun run = new BudgetRun(4, List.of(wall(3_600)));
        run.budgets.tick();
        begin(run);
        run.budgets.define(List.of(wall(1)));
        assertThat(run.budgets.quietMicros()).isLessThanOrEqualTo(5_000);
    }

    @Test
    void endsAllAtOnceWhoSpendACounterTogether() {
        BudgetRun run = new BudgetRun(5, List.of(wall(10)));
        run.budgets.tick();
        List<BudgetRun.Client> running = List.of(begin(run), begin(run), begin(run), begin(run));
        run.now += 2_500_000;
        assertThat(run.budgets.quietMicros()).isZero();
        run.budgets.tick();
        assertThat(running)
                .allSatisfy(
                        client -> assertThat(Objects.requireNonNull(client.hold).stoppedBy())
                                .isPresent());
    }

    @Test
    void isTriedAgainSoonButNotAtOnceWhereItFails() {
        BudgetRun run = new BudgetRun(6, List.of(Budget.of("tokens", "t", BudgetUnit.OUTPUT_TOKENS, DAY, 10)));
        BudgetRun.Client first = run.client(PAYER, 1, 1, 10, 10);
        run.begin(first);
        Fact.Opened opened = Objects.requireNonNull(first.hold).opened;
        BudgetHold hold = run.budgets.hold(opened, run.prices, List.of());
        run.budgets.begin(hold, 10, total -> {
            throw new IllegalStateException("as the test wants it");
        });
        assertThatThrownBy(() -> run.end(first, Fact.Outcome.COMPLETED)).isInstanceOf(IllegalStateException.class);
        run.now += 10_000;
        assertThatThrownBy(run.budgets::tick).hasMessage("as the test wants it");
        assertThat(run.budgets.quietMicros()).isEqualTo(5_000);
    }

    /** Called only when it says, it ends everybody at the limit, whoever comes and goes meanwhile. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void endsEverybodyAtTheLimitThoughItIsCalledOnlyWhenItSays(long seed) {
        Random random = Facts.random(seed);
        BudgetRun run = new BudgetRun(seed, List.of(wall(30)));
        List<BudgetRun.Client> running = new ArrayList<>();
        long spent = 0;
        long ticks = 0;
        while (spent < 30 * SECOND) {
            if (random.nextInt(3) > 0 || running.isEmpty()) {
                running.add(begin(run));
            } else {
                run.end(running.remove(random.nextInt(running.size())), Fact.Outcome.COMPLETED);
            }
            long until = run.now + random.nextLong(SECOND);
            while (run.now < until && spent < 30 * SECOND) {
                long left = (30 * SECOND - spent) / Math.max(1, running.size());
                long pass = Math.min(until - run.now, Math.min(run.budgets.quietMicros(), left + 1));
                run.now += pass;
                spent += pass * running.size();
                if (run.budgets.quietMicros() == 0) {
                    run.budgets.tick();
                    ticks++;
                }
            }
        }
        run.now += 5_001;
        run.budgets.tick();
        assertThat(running)
                .allSatisfy(
                        client -> assertThat(Objects.requireNonNull(client.hold).stoppedBy())
                                .map(BudgetStop::budget)
                                .contains("wall"));
        assertThat(run.view("wall").used() / 1_000).isBetween(30 * SECOND, 30 * SECOND + 10_003L * running.size());
        assertThat(ticks).isLessThan(200);
    }
}
