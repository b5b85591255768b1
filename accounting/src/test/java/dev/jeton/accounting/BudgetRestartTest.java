package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Budgets over losses of power: against all facts that were ever durable, also those that the journal has let go of.
 */
@Timeout(value = 240, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BudgetRestartTest {

    private static final JournalConfig CONFIG = new JournalConfig("node", 4096, 1 << 20, 0, 1 << 18, 1, 1, 0);
    private static final BudgetWindow DAY = new BudgetWindow(BudgetWindow.Kind.DAY, ZoneId.of("UTC"));
    private static final PriceBook PRICES = PriceBook.parse("prices", BudgetRun.PRICES);

    private static List<Budget> definitions() {
        return List.of(
                Budget.of("tokens", "t", BudgetUnit.OUTPUT_TOKENS, DAY, 1_000_000),
                Budget.of("input", "t", BudgetUnit.INPUT_TOKENS, DAY, 1_000_000),
                Budget.of("calls", "t", BudgetUnit.REQUESTS, DAY, 1_000_000),
                Budget.of("money", "t", BudgetUnit.LIST_MONEY, DAY, 1_000_000_000_000L));
    }

    /** No tasks; they are tried elsewhere. */
    private static Tasks tasks() {
        return new Tasks(TaskBounds.USUAL, () -> 0, (fact, late) -> 0);
    }

    /** One life of the process. */
    private static final class Life {
        final FaultyDisk disk;
        final Journal journal;
        final Budgets budgets;
        final StateKeeper keeper;
        final Map<Long, Fact> all;
        final Random random;
        final List<Grant> open = new ArrayList<>();
        long now;
        private final int number;
        private int requests;

        Life(FaultyDisk disk, Map<Long, Fact> all, Random random, int number) throws InterruptedException {
            this.disk = disk;
            this.all = all;
            this.random = random;
            this.number = number;
            now = 1_000_000_000_000L + number * 1_000_000L;
            journal = Journal.open(disk, CONFIG, System::nanoTime);
            all.keySet().removeIf(sequence -> sequence > journal.durable());
            budgets = new Budgets(Budgets.Limits.USUAL, () -> now);
            budgets.define(definitions());
            keeper = StateKeeper.restore(budgets, tasks(), journal, disk, version -> PRICES, () -> now);
            for (Recovery.Abandoned left : Recovery.abandoned(journal)) {
                Fact.Closed end = closed(left.opened().request(), Fact.Outcome.ABORTED, Tokens.NONE, 0);
                budgets.abandon(end, () -> append(end));
            }
            await();
            keeper.start();
        }

        long append(Fact fact) {
            long sequence = journal.append(fact);
            all.put(sequence, fact);
            return sequence;
        }

        /** Until everything is durable, or the power is lost. */
        boolean await() {
            while (journal.durable() < journal.last() && disk.hasPower()) {
                LockSupport.parkNanos(1_000);
            }
            return disk.hasPower();
        }

        Fact.Closed closed(String request, Fact.Outcome outcome, Tokens tokens, long list) {
            return new Fact.Closed(now, request, outcome, tokens, 0, list, 0, 0, 0, 0, 0);
        }

        void step() throws InterruptedException {
            now += 10;
            switch (random.nextInt(8)) {
                case 0, 1 -> begin();
                case 2, 3, 4 -> compute();
                case 5, 6 -> end();
                default -> {
                    if (await()) {
                        try {
                            keeper.copy();
                            journal.projectedUpTo(journal.durable());
                        } catch (AccountingException e) {
                            assertThat(disk.hasPower()).isFalse();
                        }
                    }
                }
            }
        }

        private void begin() {
            String id = "r" + number + "-" + requests++;
            Fact.Opened opened = new Fact.Opened(
                    now,
                    id,
                    new Payer("t", "", "k"),
                    "m",
                    Tags.NONE,
                    PRICES.version(),
                    "",
                    1,
                    Zones.UNKNOWN,
                    Work.GENERATION,
                    1,
                    random.nextInt(50));
            BudgetHold hold = budgets.hold(opened, PRICES, List.of());
            Grant grant = new Grant(this::renew, hold, 500, () -> {});
            hold.grant = grant;
            budgets.begin(hold, grant.asked(), total -> {
                Fact.Granted first = grant.give(total, now);
                long sequence = journal.admit(opened, first, 10_000);
                all.put(sequence - 1, opened);
                all.put(sequence, first);
            });
            if (await()) {
                grant.landed();
            }
            open.add(grant);
        }

        private void renew(Grant grant) {
            budgets.renew(grant, total -> append(grant.give(total, now)));
            if (await()) {
                grant.landed();
            }
        }

        private void compute() {
            if (!open.isEmpty()) {
                open.get(random.nextInt(open.size())).grant(1 + random.nextInt(20));
            }
        }

        private void end() {
            if (!open.isEmpty()) {
                Grant grant = open.remove(random.nextInt(open.size()));
                Fact.Opened opened = grant.hold.opened;
                long cached = random.nextLong(opened.prompt() + 1);
                Tokens tokens = new Tokens(opened.prompt() - cached, cached, random.nextLong(grant.spent() + 1));
                long list = new ListPricing(PRICES)
                        .price("m", "t", tokens, now, Work.GENERATION)
                        .total();
                Fact.Closed end = closed(opened.request(), Fact.Outcome.COMPLETED, tokens, list);
                budgets.settle(grant.hold, end, () -> append(end));
                await();
            }
        }

        Map<String, Long> used() {
            Map<String, Long> used = new TreeMap<>();
            budgets.views().forEach(view -> used.put(view.budget().id(), view.used()));
            return used;
        }

        void close() {
            keeper.close();
            journal.close();
        }
    }

    /** What all durable facts together say: what ended as it ended, and everything granted of what was cut off. */
    private static Map<String, Long> told(Map<Long, Fact> facts) {
        Map<String, Fact.Opened> opened = new HashMap<>();
        Map<String, Long> granted = new HashMap<>();
        Map<String, Long> used = new TreeMap<>(Map.of("tokens", 0L, "input", 0L, "calls", 0L, "money", 0L));
        for (Fact fact : facts.values()) {
            switch (fact) {
                case Fact.Opened f -> {
                    opened.put(f.request(), f);
                    used.merge("calls", 1L, Long::sum);
                }
                case Fact.Granted f -> granted.put(f.request(), f.total());
                case Fact.Closed f -> {
                    boolean aborted = f.outcome() == Fact.Outcome.ABORTED;
                    long prompt = opened.get(f.request()).prompt();
                    used.merge(
                            "tokens",
                            aborted
                                    ? granted.getOrDefault(f.request(), 0L)
                                    : f.tokens().output(),
                            Long::sum);
                    used.merge(
                            "input",
                            aborted ? prompt : f.tokens().input() + f.tokens().cached(),
                            Long::sum);
                    used.merge("money", f.list(), Long::sum);
                }
                default -> {}
            }
        }
        return used;
    }

    @Test
    void afterAnyLossOfPowerNothingSpentIsForgottenAndNothingUnspentIsLocked() throws Exception {
        for (int seed = 0; seed < 60; seed++) {
            FaultyDisk disk = new FaultyDisk(seed);
            Map<Long, Fact> all = new TreeMap<>();
            Random random = Facts.random(seed);
            try {
                for (int number = 0; number < 6; number++) {
                    Life life = new Life(disk, all, random, number);
                    assertThat(life.used()).containsAllEntriesOf(number == 0 ? Map.of() : nonZero(told(all)));
                    assertThat(life.budgets.views())
                            .allSatisfy(view -> assertThat(view.reserved()).isZero());
                    disk.losePowerAfter(20 + random.nextInt(300));
                    while (disk.hasPower()) {
                        life.step();
                    }
                    life.close();
                    disk.powerOn();
                }
            } catch (Throwable e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }

    private static Map<String, Long> nonZero(Map<String, Long> amounts) {
        Map<String, Long> left = new TreeMap<>(amounts);
        left.values().removeIf(amount -> amount == 0);
        return left;
    }

    @Test
    void aStateThatIsDamagedIsNamed() {
        FaultyDisk disk = new FaultyDisk(1);
        StateFile file = new StateFile(disk, "budgets");
        file.store(1, new byte[] {1, 2, 3});
        file.store(2, new byte[] {4, 5, 6});
        try (JournalDisk.File open = disk.open("budgets-2.state")) {
            open.write(ByteBuffer.wrap(new byte[] {9}), open.size() - 1);
        } catch (java.io.IOException e) {
            throw new AssertionError(e);
        }
        assertThatThrownBy(() -> new StateFile(disk, "budgets").load())
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("budgets-2.state")
                .hasMessageContaining("damaged")
                .hasMessageContaining("restore it");
    }

    @Test
    void theNewestWholeStateIsTakenAtAnyLossOfPower() {
        for (int seed = 0; seed < 300; seed++) {
            FaultyDisk disk = new FaultyDisk(seed);
            Random random = Facts.random(seed);
            long stored = 0;
            StateFile file = new StateFile(disk, "budgets");
            disk.losePowerAfter(1 + random.nextInt(40));
            while (disk.hasPower()) {
                try {
                    file.store(stored + 1, new byte[random.nextInt(500)]);
                    stored++;
                } catch (AccountingException e) {
                    assertThat(disk.hasPower()).isFalse();
                }
            }
            disk.powerOn();
            Optional<StateFile.Stored> found = new StateFile(disk, "budgets").load();
            assertThat(found.map(StateFile.Stored::sequence).orElse(0L))
                    .as("seed %d", seed)
                    .isBetween(stored, stored + 1);
        }
    }

    @Test
    void aBudgetDefinedAnewCountsOnlyWhatComesAfter() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        Map<Long, Fact> all = new TreeMap<>();
        Life life = new Life(disk, all, Facts.random(3), 0);
        for (int i = 0; i < 50; i++) {
            life.step();
        }
        List<Budget> more = new ArrayList<>(definitions());
        more.add(Budget.of("late", "t", BudgetUnit.OUTPUT_TOKENS, DAY, 100));
        Journal journal = life.journal;
        life.close();
        assertThat(journal.stats().state()).isEqualTo(Journal.State.CLOSED);
        disk.powerOn();
        try (Journal again = Journal.open(disk, CONFIG, System::nanoTime)) {
            Budgets budgets = new Budgets(Budgets.Limits.USUAL, () -> 1_000_000_000_000L);
            budgets.define(more);
            StateKeeper.restore(budgets, tasks(), again, disk, version -> PRICES, () -> 1_000_000_000_000L);
            assertThat(budgets.views()).noneMatch(view -> view.budget().id().equals("late"));
            assertThat(budgets.views()).anyMatch(view -> view.budget().id().equals("tokens") && view.used() > 0);
        }
    }
}
