package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Everything in one thread and virtual time; {@link BudgetRun} draws what happens from the seed that is printed. */
class BudgetsTest {

    private static final Payer PAYER = new Payer("t", "p", "k");
    private static final BudgetWindow DAY = new BudgetWindow(BudgetWindow.Kind.DAY, ZoneId.of("UTC"));

    private static Budget tokens(long limit) {
        return Budget.of("tokens", "t", BudgetUnit.OUTPUT_TOKENS, DAY, limit);
    }

    private static Budget money(long limit) {
        return Budget.of("money", "t", BudgetUnit.LIST_MONEY, DAY, limit);
    }

    private static Budget with(Budget b, Budget.Mode mode, boolean killed) {
        return new Budget(
                b.id(),
                b.level(),
                b.tenant(),
                b.project(),
                b.key(),
                b.unit(),
                b.window(),
                b.limit(),
                mode,
                killed,
                b.grace(),
                b.topUps(),
                b.thresholds(),
                b.ladder(),
                b.currency());
    }

    private static Budget at(Budget b, Budget.Level level, String id) {
        return new Budget(
                id,
                level,
                b.tenant(),
                b.project(),
                b.key(),
                b.unit(),
                b.window(),
                b.limit(),
                b.mode(),
                b.killed(),
                b.grace(),
                b.topUps(),
                b.thresholds(),
                b.ladder(),
                b.currency());
    }

    private static Budget prepaid(long limit, List<Budget.TopUp> topUps, Budget.Grace grace) {
        Budget b = tokens(limit);
        return new Budget(
                b.id(),
                b.level(),
                b.tenant(),
                b.project(),
                b.key(),
                b.unit(),
                new BudgetWindow(BudgetWindow.Kind.PREPAID, ZoneId.of("UTC")),
                limit,
                b.mode(),
                false,
                grace,
                topUps,
                b.thresholds(),
                b.ladder(),
                "");
    }

    // ---- limits hold ----

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
    void sixtyFourClientsNeverGetMoreTokensThanTheBudgetHas(long seed) {
        long limit = 1 + seed * 97;
        BudgetRun run = new BudgetRun(seed, List.of(tokens(limit)));
        for (int i = 0; i < 64; i++) {
            run.client(PAYER, 10, 1 + i % 3, 1 + run.random.nextInt(200), 1 + run.random.nextInt(200));
        }
        run.run();
        assertThat(run.computed()).isLessThanOrEqualTo(limit);
        assertThat(run.view("tokens").used()).isEqualTo(run.computed());
        assertThat(run.view("tokens").reserved()).isZero();
        // and all of it is used, as everybody together wants more
        assertThat(run.computed()).isEqualTo(limit);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void listMoneyNeverPassesTheLimitWhateverIsFoundInTheCache(long seed) {
        long limit = 3_000_000L * seed + seed;
        BudgetRun run = new BudgetRun(seed, List.of(money(limit), tokens(5_000)));
        for (int i = 0; i < 64; i++) {
            run.client(PAYER, run.random.nextInt(100), 1, 1 + run.random.nextInt(200), 1 + run.random.nextInt(200));
        }
        run.run();
        assertThat(run.list()).isLessThanOrEqualTo(limit);
        assertThat(run.view("money").used()).isEqualTo(run.list());
        assertThat(run.view("tokens").used()).isEqualTo(run.computed());
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void requestsThatABudgetPaysForOneAfterAnotherFitItAtAnyConcurrency(long seed) {
        long each = 1 + seed * 13;
        BudgetRun run = new BudgetRun(seed, List.of(tokens(64 * each)));
        for (int i = 0; i < 64; i++) {
            // they end by themselves, far before what they could have asked for
            run.client(PAYER, 0, 1, 1_000, each);
        }
        run.run();
        assertThat(run.clients).allSatisfy(client -> assertThat(client.computed).isEqualTo(each));
        assertThat(run.computed()).isEqualTo(64 * each);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void everybodyEndsThoughTheJournalHadNoRoomForSomeRenewals(long seed) {
        BudgetRun run = new BudgetRun(seed, List.of(tokens(40 * seed)));
        run.refusedRenewals = 60;
        for (int i = 0; i < 8; i++) {
            run.client(PAYER, 10, 1, 100, 100);
        }
        run.run();
        assertThat(run.computed()).isEqualTo(40 * seed);
        assertThat(run.view("tokens").used()).isEqualTo(40 * seed);
    }

    @Test
    void allBudgetsAboveARequestHold() {
        BudgetRun run = new BudgetRun(
                5,
                List.of(
                        tokens(1_000),
                        at(tokens(300), Budget.Level.PROJECT, "project"),
                        at(tokens(120), Budget.Level.KEY, "key"),
                        at(tokens(30), Budget.Level.REQUEST, "request")));
        for (int i = 0; i < 64; i++) {
            run.client(new Payer("t", "p" + i % 4, "k" + i % 16), 1, 1, 100, 100);
        }
        run.run();
        assertThat(run.clients).allSatisfy(client -> assertThat(client.computed).isLessThanOrEqualTo(30));
        assertThat(run.budgets.views())
                .hasSize(1 + 4 + 16)
                .allSatisfy(view -> assertThat(view.used()).isLessThanOrEqualTo(view.limit()));
        assertThat(run.computed()).isEqualTo(1_000);
    }

    @Test
    void deviceTimePassesTheLimitByTheStepsInFlightAtMost() {
        Budget device = Budget.of("device", "t", BudgetUnit.DEVICE_SECONDS, DAY, 1_000);
        BudgetRun run = new BudgetRun(3, List.of(device));
        run.stepNanos = 7;
        for (int i = 0; i < 64; i++) {
            run.client(PAYER, 1, 1, 1_000, 1_000);
        }
        run.run();
        // each of 64 sequences has at most one step in flight when the limit is reached
        assertThat(run.view("device").used()).isBetween(1_000L, 1_000L + 64 * 7);
    }

    @Test
    void wallTimeEndsARequestWithinATick() {
        Budget wall = Budget.of("wall", "t", BudgetUnit.WALL_SECONDS, DAY, 5_000_000_000L);
        BudgetRun run = new BudgetRun(3, List.of(wall));
        BudgetRun.Client client = run.client(PAYER, 1, 1, 1_000, 1_000);
        run.begin(client);
        run.now += 4_999_999;
        run.budgets.tick();
        assertThat(client.hold.stopped()).isFalse();
        run.now += 1;
        run.budgets.tick();
        assertThat(client.hold.stoppedBy()).map(BudgetStop::budget).contains("wall");
        assertThat(client.grant.exhausted()).isTrue();
    }

    // ---- refusals ----

    @Test
    void aRefusalSaysWhetherTheBudgetIsSpentOrReserved() {
        BudgetRun run = new BudgetRun(1, List.of(tokens(20)));
        BudgetRun.Client first = run.client(PAYER, 1, 1, 20, 20);
        BudgetRun.Client second = run.client(PAYER, 1, 1, 20, 20);
        BudgetRun.Client third = run.client(PAYER, 1, 1, 20, 20);
        run.begin(first);
        run.begin(second);
        run.begin(third);
        assertThat(third.waits()).isTrue();
        assertThat(third.refusal).isEmpty();
        run.run();
        BudgetRun.Client late = run.client(PAYER, 1, 1, 20, 20);
        run.begin(late);
        assertThat(late.refusal.orElseThrow().reason()).isEqualTo(BudgetRefusal.Reason.SPENT);
        assertThat(late.refusal.orElseThrow().budget().id()).isEqualTo("tokens");
        assertThat(late.refusal.orElseThrow().resets().orElseThrow())
                .isEqualTo(DAY.at(run.now).to());
    }

    @Test
    void aBudgetOfRequestsCountsThoseAdmitted() {
        BudgetRun run = new BudgetRun(1, List.of(Budget.of("calls", "t", BudgetUnit.REQUESTS, DAY, 3)));
        for (int i = 0; i < 5; i++) {
            run.begin(run.client(PAYER, 1, 1, 4, 4));
        }
        assertThat(run.clients).filteredOn(client -> client.refusal.isPresent()).hasSize(2);
        assertThat(run.view("calls").used()).isEqualTo(3);
    }

    @Test
    void aPromptThatTheBudgetDoesNotPayForIsRefused() {
        BudgetRun run = new BudgetRun(1, List.of(Budget.of("input", "t", BudgetUnit.INPUT_TOKENS, DAY, 99)));
        BudgetRun.Client client = run.client(PAYER, 100, 4, 4, 4);
        run.begin(client);
        assertThat(client.refusal.orElseThrow().reason()).isEqualTo(BudgetRefusal.Reason.SPENT);
        BudgetRun.Client fits = run.client(PAYER, 99, 4, 4, 4);
        run.begin(fits);
        assertThat(fits.refusal).isEmpty();
        assertThat(run.view("input").used()).isEqualTo(99);
    }

    @Test
    void softAndShadowBudgetsRefuseNothing() {
        BudgetRun run = new BudgetRun(
                1, List.of(with(tokens(10), Budget.Mode.SOFT, false), with(money(5), Budget.Mode.SHADOW, false)));
        for (int i = 0; i < 8; i++) {
            run.client(PAYER, 1, 1, 40, 40);
        }
        run.run();
        assertThat(run.computed()).isEqualTo(320);
        assertThat(run.budgets.stats().refusals()).isEmpty();
        assertThat(run.budgets.stats().shadowRefusals()).containsEntry("money", 8L);
    }

    @Test
    void theKillSwitchEndsWhatRunsAtOnceAndRefusesWhatComes() {
        BudgetRun run = new BudgetRun(1, List.of(tokens(1_000)));
        BudgetRun.Client running = run.client(PAYER, 1, 1, 100, 100);
        run.begin(running);
        run.budgets.define(List.of(with(tokens(1_000), Budget.Mode.HARD, true)));
        assertThat(running.grant.exhausted()).isTrue();
        assertThat(running.hold.stoppedBy()).contains(new BudgetStop("tokens", "t", BudgetRefusal.Reason.KILLED));
        BudgetRun.Client next = run.client(PAYER, 1, 1, 100, 100);
        run.begin(next);
        assertThat(next.refusal.orElseThrow().reason()).isEqualTo(BudgetRefusal.Reason.KILLED);
        run.budgets.define(List.of(tokens(1_000)));
        BudgetRun.Client after = run.client(PAYER, 1, 1, 100, 100);
        run.begin(after);
        assertThat(after.refusal).isEmpty();
    }

    @Test
    void nothingOfWhatIsGrantedIsSpentOnceTheSwitchIsThrown() {
        BudgetRun run = new BudgetRun(1, List.of(tokens(1_000)));
        BudgetRun.Client client = run.client(PAYER, 1, 1, 100, 100);
        run.begin(client);
        while (client.computed == 0) {
            run.step();
        }
        long before = client.computed;
        run.budgets.define(List.of(with(tokens(1_000), Budget.Mode.HARD, true)));
        run.run();
        assertThat(client.computed).isEqualTo(before);
    }

    @Test
    void theSwitchAndAnEditOfARequestsBudgetReachRequestsUnderWay() {
        Budget each = at(tokens(100), Budget.Level.REQUEST, "each");
        BudgetRun run = new BudgetRun(1, List.of(each));
        BudgetRun.Client killed = run.client(PAYER, 1, 1, 90, 90);
        run.begin(killed);
        run.budgets.define(List.of(with(each, Budget.Mode.HARD, true)));
        assertThat(killed.hold.stopped()).isTrue();

        BudgetRun other = new BudgetRun(1, List.of(each));
        BudgetRun.Client freed = other.client(PAYER, 1, 1, 300, 300);
        other.begin(freed);
        other.budgets.define(List.of());
        other.run();
        assertThat(freed.computed).isEqualTo(300);
    }

    @Test
    void aRequestThatGeneratesNothingNeedsNoOutputToken() {
        BudgetRun run = new BudgetRun(1, List.of(tokens(0)));
        BudgetRun.Client client = run.client(PAYER, 5, 1, 1, 1);
        Fact.Opened opened = Facts.opened("echo");
        Fact.Opened own = new Fact.Opened(
                run.now,
                "echo",
                PAYER,
                "m",
                Tags.NONE,
                run.prices.version(),
                "",
                1,
                Zones.UNKNOWN,
                opened.work(),
                1,
                5);
        BudgetHold hold = run.budgets.hold(own, run.prices, List.of());
        List<Long> appended = new ArrayList<>();
        run.budgets.begin(hold, 0, appended::add);
        assertThat(appended).containsExactly(0L);
        run.begin(client);
        assertThat(client.refusal).isPresent();
    }

    // ---- steps of tasks ----

    private static Fact.TaskStepped step(BudgetRun run, String id, long list, TaskStep.State state) {
        TaskStep step = new TaskStep(id, TaskStep.Kind.TOOL, list, Rate.ZERO, "", 0, TaskStep.Hit.UNKNOWN, "");
        return new Fact.TaskStepped(run.now, PAYER, "task", step, state, 0, "");
    }

    private static void say(BudgetRun run, String id, long list, TaskStep.State state) {
        run.budgets.step(step(run, id, list, state), false, () -> 1);
    }

    @Test
    void aReservedStepMovesToTheNextWindowAndIsGivenBackThere() {
        BudgetRun run = new BudgetRun(1, List.of(money(10)));
        say(run, "a", 10, TaskStep.State.RESERVED);
        run.now = DAY.at(run.now).to();
        assertThat(run.view("money").used()).isEqualTo(10);
        assertThat(run.view("money").reserved()).isEqualTo(10);
        say(run, "a", 10, TaskStep.State.RELEASED);
        assertThat(run.view("money").used()).isZero();
        assertThat(run.view("money").available()).isEqualTo(10);
    }

    @Test
    void aStepThatWasReservedBeforeTheBudgetIsNotGivenBackToIt() {
        BudgetRun run = new BudgetRun(1, List.of());
        say(run, "a", 10, TaskStep.State.RESERVED);
        run.budgets.define(List.of(money(10)));
        say(run, "a", 10, TaskStep.State.RELEASED);
        say(run, "b", 1, TaskStep.State.POSTED);
        assertThat(run.view("money").available()).isEqualTo(9);
    }

    @Test
    void whatIsReservedForAStepIsReservedByOthersAndNotSpent() {
        BudgetRun run = new BudgetRun(1, List.of(money(10)));
        say(run, "a", 10, TaskStep.State.RESERVED);
        assertThatThrownBy(() -> say(run, "b", 5, TaskStep.State.RESERVED))
                .isInstanceOfSatisfying(
                        BudgetRefusal.class,
                        refusal -> assertThat(refusal.reason()).isEqualTo(BudgetRefusal.Reason.RESERVED_BY_OTHERS));
        say(run, "a", 4, TaskStep.State.POSTED);
        assertThat(run.view("money").used()).isEqualTo(4);
        assertThat(run.view("money").reserved()).isZero();
    }

    @Test
    void spendingBeyondAllCountingStaysSpent() {
        BudgetRun run = new BudgetRun(1, List.of(money(10)));
        for (int i = 0; i < 20; i++) {
            say(run, "s" + i, 1_000_000_000_000_000_000L, TaskStep.State.POSTED);
        }
        assertThat(run.view("money").available()).isNegative();
        BudgetRun.Client client = run.client(PAYER, 1, 1, 1, 1);
        run.begin(client);
        assertThat(client.refusal).isPresent();
    }

    @Test
    void countersOfATaskGoWithIt() {
        BudgetRun run = new BudgetRun(1, List.of(at(money(100), Budget.Level.TASK, "each")));
        for (int i = 0; i < 20_000; i++) { // more than there may be counters
            Fact.TaskStepped step = step(run, "s", 5, TaskStep.State.POSTED);
            String task = "t" + i;
            run.budgets.step(
                    new Fact.TaskStepped(run.now, PAYER, task, step.step(), step.state(), 0, ""), false, () -> 1);
            run.budgets.endTask(new Fact.TaskEnded(run.now, "t", task, TaskOutcome.SUCCESS, ""), () -> 1);
        }
        assertThat(run.budgets.views()).isEmpty();
    }

    // ---- counters that come and go ----

    @Test
    void aCounterThatSomebodyWaitsForIsNotForgottenWhenAWindowEnds() {
        BudgetWindow hour = new BudgetWindow(BudgetWindow.Kind.HOUR, ZoneId.of("UTC"));
        Budget ofKey = at(tokens(20), Budget.Level.KEY, "key");
        Budget hourly = Budget.of("hourly", "t", BudgetUnit.REQUESTS, hour, 100);
        BudgetRun run = new BudgetRun(1, List.of(tokens(16), ofKey, hourly));
        BudgetRun.Client first = run.client(new Payer("t", "p", "other"), 1, 1, 16, 16);
        run.begin(first);
        BudgetRun.Client waiting = run.client(PAYER, 1, 1, 20, 20);
        run.begin(waiting);
        assertThat(waiting.waits()).isTrue();
        run.now = hour.at(run.now).to();
        run.budgets.tick();
        run.budgets.define(List.of(tokens(1_000), ofKey, hourly));
        assertThat(waiting.waits()).isFalse();
        BudgetRun.Client second = run.client(PAYER, 1, 1, 20, 20);
        run.begin(second);
        run.run();
        assertThat(waiting.computed + second.computed).isEqualTo(20);
    }

    @Test
    void deviceTimeIsChargedToTheCounterThatHasTakenTheForgottenOnesPlace() {
        BudgetWindow hour = new BudgetWindow(BudgetWindow.Kind.HOUR, ZoneId.of("UTC"));
        Budget device = Budget.of("device", "t", BudgetUnit.DEVICE_SECONDS, hour, 1_000);
        Budget calls = Budget.of("calls", "t", BudgetUnit.REQUESTS, hour, 100);
        BudgetRun run = new BudgetRun(1, List.of(device, calls));
        run.begin(run.client(PAYER, 1, 1, 4, 4));
        run.end(run.clients.getFirst(), Fact.Outcome.COMPLETED);
        Fact.Opened opened =
                new Fact.Opened(run.now, "late", PAYER, "m", Map.of(), "", "", 1, Zones.UNKNOWN, Work.GENERATION);
        BudgetHold late = run.budgets.hold(opened, run.prices, List.of());
        run.now = hour.at(run.now).to();
        run.budgets.tick(); // nothing is spent in the hour that begins, so its counters are forgotten
        run.begin(run.client(PAYER, 1, 1, 4, 4));

        run.budgets.begin(late, 1, total -> {});
        late.device(700);

        assertThat(run.view("device").used()).isEqualTo(700);
    }

    @Test
    void aTaskOfAnEndedTasksNameBeginsWithNothingSpent() {
        BudgetRun run = new BudgetRun(1, List.of(at(tokens(10), Budget.Level.TASK, "each")));
        Fact.Opened opened = new Fact.Opened(
                run.now,
                "a",
                PAYER,
                "m",
                new Tags(Map.of(), "task", "", "", false),
                "",
                "",
                1,
                Zones.UNKNOWN,
                Work.GENERATION,
                1,
                1);
        BudgetHold first = run.budgets.hold(opened, run.prices, List.of());
        run.budgets.begin(first, 10, total -> {});
        run.budgets.endTask(new Fact.TaskEnded(run.now, "t", "task", TaskOutcome.SUCCESS, ""), () -> 1);
        Fact.Closed closed =
                new Fact.Closed(run.now, "a", Fact.Outcome.COMPLETED, new Tokens(1, 0, 10), 0, 0, 0, 0, 0, 0, 0);
        run.budgets.settle(first, closed, () -> 1);

        BudgetHold again = run.budgets.hold(opened, run.prices, List.of());

        assertThat(run.budgets.begin(again, 10, total -> {}).admitted).isCompleted();
    }

    @Test
    void anEstimateInOneHourDoesNotHoldTheNextHoursCounterBack() {
        BudgetWindow hour = new BudgetWindow(BudgetWindow.Kind.HOUR, ZoneId.of("UTC"));
        BudgetRun run = new BudgetRun(1, List.of(Budget.of("calls", "t", BudgetUnit.REQUESTS, hour, 1)));
        Fact.Opened asked = Facts.opened("asked");
        run.budgets.hold(
                new Fact.Opened(run.now, "asked", PAYER, "m", Map.of(), "", "", 1, Zones.UNKNOWN, asked.work()),
                run.prices,
                List.of());
        run.now = hour.at(run.now).to() + 1;
        run.begin(run.client(PAYER, 1, 1, 4, 4));
        run.begin(run.client(PAYER, 1, 1, 4, 4));
        assertThat(run.clients).filteredOn(client -> client.refusal.isPresent()).hasSize(1);
    }

    @Test
    void limitsNearTheGreatestNumberDoNotOverflow() {
        Budget b = tokens(Long.MAX_VALUE);
        Budget huge = new Budget(
                b.id(),
                b.level(),
                b.tenant(),
                b.project(),
                b.key(),
                b.unit(),
                b.window(),
                b.limit(),
                b.mode(),
                false,
                new Budget.Grace(Long.MAX_VALUE, Long.MAX_VALUE),
                List.of(),
                b.thresholds(),
                b.ladder(),
                "");
        BudgetRun run = new BudgetRun(1, List.of(huge));
        run.client(PAYER, 1, 1, 40, 40);
        run.run();
        run.now += 2_000_000;
        run.budgets.tick();
        assertThat(run.computed()).isEqualTo(40);
    }

    // ---- changes while in use ----

    @Test
    void aBudgetThatIsRaisedLetsThoseWhoWaitGoOn() {
        BudgetRun run = new BudgetRun(1, List.of(tokens(10)));
        BudgetRun.Client first = run.client(PAYER, 1, 1, 10, 10);
        BudgetRun.Client second = run.client(PAYER, 1, 1, 10, 10);
        run.begin(first);
        run.begin(second);
        assertThat(second.waits()).isTrue();
        run.budgets.define(List.of(tokens(20)));
        assertThat(second.waits()).isFalse();
        run.run();
        assertThat(run.computed()).isEqualTo(20);
    }

    @Test
    void aBudgetRemovedWhileInUseBindsNobodyAnyMore() {
        BudgetRun run = new BudgetRun(1, List.of(tokens(10)));
        BudgetRun.Client client = run.client(PAYER, 1, 1, 50, 50);
        run.begin(client);
        run.budgets.define(List.of());
        run.run();
        assertThat(client.computed).isEqualTo(50);
        assertThat(run.budgets.views()).isEmpty();
    }

    @Test
    void aBudgetLoweredBelowWhatIsSpentEndsStreams() {
        BudgetRun run = new BudgetRun(1, List.of(tokens(1_000)));
        BudgetRun.Client client = run.client(PAYER, 1, 1, 500, 500);
        run.begin(client);
        while (client.computed < 40) {
            run.step();
        }
        run.budgets.define(List.of(tokens(20)));
        run.run();
        assertThat(client.computed).isBetween(40L, 40L + 128);
        assertThat(client.hold.stoppedBy()).map(BudgetStop::reason).contains(BudgetRefusal.Reason.SPENT);
    }

    // ---- windows ----

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void eachWindowHasItsOwnLimitAndWhatIsComputedInItCountsInIt(long seed) {
        BudgetWindow hour = new BudgetWindow(BudgetWindow.Kind.HOUR, ZoneId.of("UTC"));
        BudgetRun run = new BudgetRun(seed, List.of(Budget.of("tokens", "t", BudgetUnit.OUTPUT_TOKENS, hour, 300)));
        long boundary = hour.at(run.now).to();
        run.now = boundary - 500_000;
        for (int i = 0; i < 16; i++) {
            run.client(PAYER, 1, 1, 100, 100);
        }
        boolean rolled = false;
        while (!rolled || run.clients.stream().anyMatch(c -> c.began && !c.done && c.refusal.isEmpty())) {
            run.step();
            if (run.now >= boundary && !rolled) {
                run.budgets.tick();
                rolled = true;
            }
            if (run.now > boundary + 60_000_000) {
                break;
            }
        }
        long before = run.delivered.stream()
                .filter(d -> d[0] < boundary)
                .mapToLong(d -> d[1])
                .sum();
        long after = run.delivered.stream()
                .filter(d -> d[0] >= boundary)
                .mapToLong(d -> d[1])
                .sum();
        assertThat(before).isPositive().isLessThanOrEqualTo(300);
        // what was computed between the boundary and the tick that saw it, a single step here, counts before
        assertThat(after).isPositive().isLessThanOrEqualTo(301);
    }

    // ---- prepaid ----

    @Test
    void aPrepaidBudgetHasWhatWasPaidInAndHasNotExpired() {
        List<Budget.TopUp> topUps = new ArrayList<>();
        BudgetRun run = new BudgetRun(1, List.of(prepaid(0, topUps, Budget.Grace.NONE)));
        BudgetRun.Client early = run.client(PAYER, 1, 1, 10, 10);
        run.begin(early);
        assertThat(early.refusal.orElseThrow().reason()).isEqualTo(BudgetRefusal.Reason.SPENT);
        assertThat(early.refusal.orElseThrow().resets()).isEmpty();

        topUps.add(new Budget.TopUp("first", 30, run.now, run.now + 1_000_000));
        topUps.add(new Budget.TopUp("second", 50, run.now, Long.MAX_VALUE));
        run.budgets.define(List.of(prepaid(0, topUps, Budget.Grace.NONE)));
        BudgetRun.Client client = run.client(PAYER, 1, 1, 10, 10);
        run.begin(client);
        while (!client.done) {
            run.step();
            run.now = Math.min(run.now, run.clients.getFirst().hold.opened.at() + 900_000);
        }
        assertThat(run.view("tokens").available()).isEqualTo(70);
        run.now += 2_000_000;
        // ten of the first were used, the other twenty are gone
        assertThat(run.view("tokens").available()).isEqualTo(50);
    }

    @Test
    void graceIsSpentOnlyWhileItLasts() {
        BudgetRun run = new BudgetRun(1, List.of(tokens(0)));
        Budget b = tokens(0);
        Budget graced = new Budget(
                b.id(),
                b.level(),
                b.tenant(),
                b.project(),
                b.key(),
                b.unit(),
                b.window(),
                0,
                b.mode(),
                false,
                new Budget.Grace(15, run.now + 1_000_000),
                List.of(),
                b.thresholds(),
                b.ladder(),
                "");
        run.budgets.define(List.of(graced));
        BudgetRun.Client client = run.client(PAYER, 1, 1, 10, 10);
        run.begin(client);
        assertThat(client.refusal).isEmpty();
        run.now += 1_000_000;
        BudgetRun.Client late = run.client(PAYER, 1, 1, 10, 10);
        run.begin(late);
        assertThat(late.refusal).isPresent();
    }

    // ---- what people hear ----

    @Test
    void eachThresholdIsToldOnceInAWindow() {
        BudgetRun run = new BudgetRun(1, List.of(tokens(100)));
        List<BudgetEvent> events = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            BudgetRun.Client client = run.client(PAYER, 1, 1, 10, 10);
            run.begin(client);
            while (!client.done) {
                run.step();
            }
            run.now += 1_000_000;
            events.addAll(run.budgets.tick());
        }
        assertThat(events)
                .filteredOn(event -> event.kind() == BudgetEvent.Kind.THRESHOLD)
                .extracting(BudgetEvent::percent)
                .containsExactly(50, 80, 100);
    }

    @Test
    void aForecastBeyondTheLimitIsToldOnceInAWindow() {
        BudgetRun run = new BudgetRun(1, List.of(tokens(100_000)));
        List<BudgetEvent> events = new ArrayList<>();
        // ten tokens a minute, of a budget that pays for 69 a minute: nothing; then 200 a minute
        for (int minute = 0; minute < 300; minute++) {
            for (int i = 0; i < (minute < 60 ? 1 : 20); i++) {
                run.clients.clear(); // or each step would look for one among thousands
                BudgetRun.Client client = run.client(PAYER, 1, 1, 10, 10);
                run.begin(client);
                long at = run.now;
                while (!client.done) {
                    run.step();
                }
                run.now = at + 10_000;
            }
            run.now += 60_000_000;
            List<BudgetEvent> now = run.budgets.tick();
            if (minute < 60) {
                assertThat(now).isEmpty();
            }
            events.addAll(now);
        }
        assertThat(events)
                .filteredOn(event -> event.kind() == BudgetEvent.Kind.FORECAST)
                .hasSize(1)
                .allSatisfy(event -> assertThat(event.view().exhausted())
                        .isLessThan(event.view().window().to()));
    }
}
