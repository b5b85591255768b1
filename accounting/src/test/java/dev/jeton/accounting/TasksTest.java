package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.accounting.TaskException.Reason;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TasksTest {

    private static final Payer ALICE = new Payer("alice", "web", "k1");
    private static final Payer BOB = new Payer("bob", "", "k2");
    private static final TaskBounds BOUNDS = new TaskBounds(4, 3, 3, 20, Duration.ofHours(24), Duration.ofHours(1));
    private static final TaskSpec SPEC = new TaskSpec(
            "answer a letter",
            "the customer is content",
            5_000_000_000L,
            List.of(new TaskLimit(BudgetUnit.LIST_MONEY, 50), new TaskLimit(BudgetUnit.OUTPUT_TOKENS, 1_000)));

    private final List<Fact> facts = new ArrayList<>();
    private long now = TestFacts.START;
    private final Tasks tasks = tasks(BOUNDS);

    private Tasks tasks(TaskBounds bounds) {
        return new Tasks(bounds, () -> now, (fact, late) -> {
            facts.add(fact);
            return facts.size();
        });
    }

    private void pass(Duration time) {
        now += TimeUnit.NANOSECONDS.toMicros(time.toNanos());
    }

    private static TaskStep step(String id, long list) {
        return TestFacts.step(id, TaskStep.Kind.RETRIEVAL, list);
    }

    private Tasks.Stepped post(Payer payer, String task, TaskStep step) {
        return tasks.step(payer, task, step, Tasks.Wish.POST, "book1");
    }

    private static void refused(Reason reason, ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOf(TaskException.class)
                .extracting(e -> ((TaskException) e).reason())
                .isEqualTo(reason);
    }

    @Test
    void openingAgainWithTheSameContentIsARepetitionAndWithOtherAConflict() {
        Tasks.Opened first = tasks.open(ALICE, "t", SPEC);
        Tasks.Opened again = tasks.open(ALICE, "t", SPEC);

        assertThat(first.fresh()).isTrue();
        assertThat(again.fresh()).isFalse();
        assertThat(again.sequence()).isEqualTo(first.sequence());
        refused(Reason.CONFLICT, () -> tasks.open(ALICE, "t", TaskSpec.NONE));
        assertThat(facts).hasSize(1);
    }

    @Test
    void theSameIdOfTwoTenantsIsTwoTasks() {
        tasks.open(ALICE, "t", SPEC);

        refused(Reason.NOT_FOUND, () -> post(BOB, "t", step("s", 1)));
        refused(Reason.NOT_FOUND, () -> tasks.end("bob", "t", TaskOutcome.SUCCESS, ""));
        assertThat(tasks.find("bob", "t")).isEmpty();
        assertThat(tasks.open(BOB, "t", TaskSpec.NONE).fresh()).isTrue();
    }

    @Test
    void aTenantThatSaysMuchOfEachTaskIsRefusedBeforeARestartCouldNotReadThem() {
        Tasks many = new Tasks(TaskBounds.USUAL, () -> now, (fact, late) -> 1);
        TaskSpec wordy = new TaskSpec("\u20ac".repeat(Fact.MAX_NAME), "\u20ac".repeat(Fact.MAX_TEXT), 0, List.of());
        String why = "\u20ac".repeat(Fact.MAX_TEXT);
        for (int i = 0; i < 9_000; i++) {
            many.open(ALICE, "ended" + i, wordy);
            many.end("alice", "ended" + i, TaskOutcome.SUCCESS, why);
        }
        refused(Reason.TOO_MANY_STEPS, () -> {
            for (int i = 0; i < TaskBounds.USUAL.tenantOpen(); i++) {
                many.open(ALICE, "open" + i, TaskSpec.NONE);
                for (int step = 0; step < 5; step++) {
                    many.step(ALICE, "open" + i, wordy(step), Tasks.Wish.POST, "book1");
                }
            }
        });

        assertThat(many.encode().length).isLessThan(TaskCodec.MAX_KEPT_BYTES / 4);
        assertThat(many.open(BOB, "t", wordy).fresh()).isTrue();
    }

    private static TaskStep wordy(int number) {
        return new TaskStep(
                "s" + number,
                TaskStep.Kind.OTHER,
                1,
                Rate.ONE,
                "\u20ac".repeat(Fact.MAX_NAME),
                0,
                TaskStep.Hit.UNKNOWN,
                "r".repeat(128));
    }

    @Test
    void aRequestBeginsATaskThatNobodyOpened() {
        tasks.use(ALICE, "t");
        tasks.use(ALICE, "t");

        assertThat(facts).containsExactly(new Fact.TaskOpened(now, ALICE, "t", TaskSpec.NONE, true));
        refused(Reason.CONFLICT, () -> tasks.open(ALICE, "t", SPEC));
    }

    @Test
    void anOutcomeIsSaidOnceAndEndsRequests() {
        tasks.open(ALICE, "t", SPEC);
        tasks.end("alice", "t", TaskOutcome.SUCCESS, "done");

        refused(Reason.ENDED, () -> tasks.end("alice", "t", TaskOutcome.SUCCESS, "done"));
        refused(Reason.ENDED, () -> tasks.use(ALICE, "t"));
        refused(Reason.ENDED, () -> tasks.open(ALICE, "t", SPEC));
        assertThat(facts.getLast()).isEqualTo(new Fact.TaskEnded(now, "alice", "t", TaskOutcome.SUCCESS, "done"));
    }

    @Test
    void aStepThatComesLateIsTakenForAWhile() {
        tasks.open(ALICE, "t", SPEC);
        tasks.end("alice", "t", TaskOutcome.FAILURE, "");
        pass(Duration.ofMinutes(59));

        assertThat(post(ALICE, "t", step("review", 7)).late()).isTrue();
        refused(Reason.ENDED, () -> tasks.step(ALICE, "t", step("next", 7), Tasks.Wish.RESERVE, "book1"));
        pass(Duration.ofMinutes(2));
        refused(Reason.NOT_FOUND, () -> post(ALICE, "t", step("later", 7)));
    }

    @Test
    void aStepThatWasNotReservedIsOverdraft() {
        tasks.use(ALICE, "t");

        Tasks.Stepped posted = post(ALICE, "t", step("s", 400));

        assertThat(posted.step().overdraft()).isEqualTo(400);
        assertThat(posted.step().state()).isEqualTo(TaskStep.State.POSTED);
    }

    @Test
    void aReservedStepMayCostMoreAndWhatIsBeyondIsOverdraft() {
        tasks.use(ALICE, "t");
        tasks.step(ALICE, "t", step("s", 100), Tasks.Wish.RESERVE, "book1");

        assertThat(post(ALICE, "t", step("s", 130)).step().overdraft()).isEqualTo(30);
        assertThat(post(ALICE, "t", step("s", 130)).fresh()).isFalse();
        refused(Reason.STEP_CONFLICT, () -> post(ALICE, "t", step("s", 131)));
        refused(Reason.STEP_CONFLICT, () -> tasks.step(ALICE, "t", step("s", 0), Tasks.Wish.RELEASE, "book1"));
    }

    @Test
    void aReservedStepThatIsReleasedOwesNothingAndStaysReleased() {
        tasks.use(ALICE, "t");
        tasks.step(ALICE, "t", step("s", 100), Tasks.Wish.RESERVE, "book1");

        assertThat(tasks.step(ALICE, "t", step("s", 0), Tasks.Wish.RELEASE, "book1")
                        .step()
                        .state())
                .isEqualTo(TaskStep.State.RELEASED);
        assertThat(tasks.step(ALICE, "t", step("s", 0), Tasks.Wish.RELEASE, "book1")
                        .fresh())
                .isFalse();
        refused(Reason.STEP_CONFLICT, () -> post(ALICE, "t", step("s", 100)));
        refused(Reason.STEP_NOT_FOUND, () -> tasks.step(ALICE, "t", step("other", 0), Tasks.Wish.RELEASE, "book1"));
    }

    @Test
    void aReservedStepIsSettledAsItsOwnKind() {
        tasks.use(ALICE, "t");
        tasks.step(ALICE, "t", step("s", 100), Tasks.Wish.RESERVE, "book1");

        refused(Reason.STEP_CONFLICT, () -> post(ALICE, "t", TestFacts.step("s", TaskStep.Kind.TOOL, 100)));
    }

    @Test
    void tasksThatNobodyUsesEndByThemselvesTheOthersDoNot() {
        tasks.open(ALICE, "idle", SPEC);
        tasks.open(ALICE, "used", SPEC);
        pass(Duration.ofHours(23));
        tasks.use(ALICE, "used");
        pass(Duration.ofHours(2));

        tasks.tidy();

        assertThat(facts.getLast()).isEqualTo(new Fact.TaskEnded(now, "alice", "idle", TaskOutcome.EXPIRED, ""));
        refused(Reason.ENDED, () -> tasks.use(ALICE, "idle"));
        tasks.use(ALICE, "used");
        assertThat(tasks.stats()).isEqualTo(new Tasks.Stats(1, 1, 0, 2, 1));
    }

    @Test
    void whatATaskHadReservedIsReleasedWhenItIsForgotten() {
        tasks.open(ALICE, "t", SPEC);
        tasks.step(ALICE, "t", step("s", 100), Tasks.Wish.RESERVE, "book1");
        tasks.end("alice", "t", TaskOutcome.SUCCESS, "");
        pass(Duration.ofHours(2));

        tasks.tidy();

        assertThat(facts.getLast())
                .isEqualTo(new Fact.TaskStepped(now, ALICE, "t", step("s", 100), TaskStep.State.RELEASED, 0, "book1"));
        assertThat(tasks.stats().steps()).isZero();
        assertThat(tasks.find("alice", "t")).isEmpty();
    }

    @Test
    void oneTenantsTasksLeaveRoomForOthers() {
        for (int i = 0; i < 3; i++) {
            tasks.use(ALICE, "t" + i);
        }
        refused(Reason.TOO_MANY_TASKS, () -> tasks.use(ALICE, "t3"));
        tasks.use(BOB, "t");
        refused(Reason.TOO_MANY_TASKS, () -> tasks.use(BOB, "t2"));

        tasks.end("alice", "t0", TaskOutcome.SUCCESS, "");

        tasks.use(BOB, "t2");
        assertThat(tasks.stats().open()).isEqualTo(4);
    }

    @Test
    void stepsOfATaskAndOfATenantAreBounded() {
        tasks.use(ALICE, "t0");
        tasks.use(ALICE, "t1");
        for (int i = 0; i < 3; i++) {
            post(ALICE, "t0", step("s" + i, 1));
        }
        refused(Reason.TOO_MANY_STEPS, () -> post(ALICE, "t0", step("s3", 1)));
        // a quarter of 20 for one tenant
        post(ALICE, "t1", step("s0", 1));
        post(ALICE, "t1", step("s1", 1));
        refused(Reason.TOO_MANY_STEPS, () -> post(ALICE, "t1", step("s2", 1)));
        assertThat(post(ALICE, "t0", step("s2", 1)).fresh()).isFalse();
    }

    @Test
    void ofEndedTasksOnlyAsManyAreRememberedAsMayBeOpen() {
        for (int i = 0; i < 10; i++) {
            tasks.use(ALICE, "t" + i);
            tasks.end("alice", "t" + i, TaskOutcome.SUCCESS, "");
        }

        assertThat(tasks.stats().ended()).isEqualTo(3);
        refused(Reason.ENDED, () -> tasks.use(ALICE, "t9"));
        refused(Reason.NOT_FOUND, () -> post(ALICE, "t0", step("s", 1)));
    }

    @Test
    void nothingChangesWhereTheJournalTakesNothing() {
        Tasks failing = new Tasks(BOUNDS, () -> now, (fact, late) -> {
            throw new AccountingException("full");
        });

        assertThatThrownBy(() -> failing.use(ALICE, "t")).isInstanceOf(AccountingException.class);
        assertThat(failing.stats()).isEqualTo(new Tasks.Stats(0, 0, 0, 0, 0));
    }

    /** Two ways to the same tasks: what was kept as bytes at some moment and the facts since, or all facts. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
    void aRestartKnowsTheSameTasks(int seed) {
        Random random = Facts.random(seed);
        Tasks live = tasks(new TaskBounds(40, 20, 10, 300, Duration.ofHours(2), Duration.ofHours(1)));
        int keptAt = 50 + random.nextInt(300);
        byte[] kept = {};
        int keptFacts = 0;
        for (int i = 0; i < 500; i++) {
            if (i == keptAt) {
                kept = live.encode();
                keptFacts = facts.size();
            }
            act(live, random);
        }
        live.tidy();
        TaskBounds none = new TaskBounds(1, 1, 1, 1, Duration.ofHours(2), Duration.ofHours(1));

        Tasks fromFacts = tasks(none);
        List<Fact> all = List.copyOf(facts);
        all.forEach(fromFacts::apply);
        fromFacts.tidy();
        Tasks fromBytes = tasks(none);
        fromBytes.restore(kept);
        // some come twice: the bytes may be newer than the number that is written beside them
        all.subList(Math.max(0, keptFacts - 20), all.size()).forEach(fromBytes::apply);
        fromBytes.tidy();

        assertThat(all).hasSizeGreaterThan(200);
        assertThat(state(fromFacts)).isEqualTo(state(live));
        assertThat(state(fromBytes)).isEqualTo(state(live));
        assertThat(facts).isEqualTo(all);
    }

    /** What counts of tasks: how full they are, and everything that is kept, but for the order. */
    private List<Object> state(Tasks of) {
        List<Object> state = new ArrayList<>();
        state.add(of.stats().open());
        state.add(of.stats().steps());
        for (Payer payer : List.of(ALICE, BOB)) {
            for (int i = 0; i < 30; i++) {
                state.add(of.find(payer.tenant(), "t" + i));
            }
        }
        return state;
    }

    private void act(Tasks live, Random random) {
        Payer payer = random.nextBoolean() ? ALICE : BOB;
        String task = "t" + random.nextInt(30);
        pass(Duration.ofSeconds(random.nextInt(120)));
        try {
            switch (random.nextInt(8)) {
                case 0 -> live.open(payer, task, SPEC);
                case 1 -> {
                    live.use(payer, task);
                    facts.add(new Fact.Opened(
                            now,
                            "r" + facts.size(),
                            payer,
                            "model",
                            new Tags(Map.of(), task, "", "", false),
                            "book1",
                            "policy1",
                            1,
                            Zones.UNKNOWN,
                            Work.GENERATION,
                            1,
                            5));
                }
                case 2 -> live.end(payer.tenant(), task, TaskOutcome.FAILURE, "why");
                case 3 -> live.tidy();
                default ->
                    live.step(
                            payer,
                            task,
                            step("s" + random.nextInt(5), random.nextInt(3)),
                            Tasks.Wish.values()[random.nextInt(3)],
                            "book1");
            }
        } catch (TaskException e) {
            assertThat(e.getMessage()).isNotEmpty();
        }
    }

    @Test
    void bytesThatAreNoTasksAreAnError() {
        tasks.open(ALICE, "t", SPEC);
        byte[] bytes = tasks.encode();
        bytes[0] = 99;

        assertThatThrownBy(() -> tasks(BOUNDS).restore(bytes))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("cannot be read");
    }
}
