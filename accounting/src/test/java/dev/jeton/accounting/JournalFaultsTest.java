package dev.jeton.accounting;

import static dev.jeton.accounting.JournalTest.open;
import static dev.jeton.accounting.JournalTest.readAll;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the journal promises on disks that break theirs. The time-out only keeps a hang from lasting for ever. */
@Timeout(value = 240, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class JournalFaultsTest {

    /** Segments small, the whole large enough for all that a life writes. */
    private static final JournalConfig ROOMY = new JournalConfig("node", 4096, 1 << 20, 0, 1 << 18, 1, 1, 0);

    private static Fact fact(long at) {
        return new Fact.PeriodClosed(at, "2026-11");
    }

    private static void appendDurable(Journal journal, int count) throws InterruptedException {
        for (int i = 0; i < count; i++) {
            journal.awaitDurable(journal.append(fact(i)));
        }
    }

    /** Files that are segments, oldest first. */
    private static List<String> segments(FaultyDisk disk) throws Exception {
        return disk.list().stream().sorted().toList();
    }

    /** What a run of several processes on one disk did. */
    private static final class Life {
        final Random random;
        final FaultyDisk disk;
        final Map<Long, Fact> appended = new HashMap<>();
        long acknowledged;
        long projected;

        Life(long seed) {
            random = Facts.random(seed);
            disk = new FaultyDisk(seed);
        }

        /** Opens, checks what is there, works until the power is lost. */
        void process() throws InterruptedException {
            Journal journal;
            disk.losePowerAfter(1 + random.nextInt(120));
            try {
                journal = Journal.open(disk, ROOMY, System::nanoTime);
            } catch (AccountingException e) {
                assertThat(disk.hasPower()).as(e.getMessage()).isFalse();
                disk.powerOn();
                return;
            }
            try (journal) {
                check(journal);
                while (disk.hasPower()) {
                    work(journal);
                }
            } catch (AccountingException e) {
                assertThat(disk.hasPower()).as(e.getMessage()).isFalse();
            }
            acknowledged = Math.max(acknowledged, journal.durable());
            disk.powerOn();
        }

        private void check(Journal journal) {
            List<FactSource.Entry> entries = readAll(journal, projected + 1);
            long before = projected;
            for (FactSource.Entry entry : entries) {
                assertThat(entry.fact()).isEqualTo(appended.get(entry.sequence()));
                for (long lost = before + 1; lost < entry.sequence(); lost++) {
                    assertThat(lost > acknowledged || !appended.containsKey(lost))
                            .as("fact %d was acknowledged", lost)
                            .isTrue();
                }
                before = entry.sequence();
            }
            assertThat(journal.durable()).isGreaterThanOrEqualTo(acknowledged);
            acknowledged = journal.durable();
            appended.keySet().removeIf(number -> number > acknowledged);
        }

        private void work(Journal journal) throws InterruptedException {
            int count = 1 + random.nextInt(8);
            long last = 0;
            for (int i = 0; i < count; i++) {
                Fact fact = random.nextInt(10) == 0
                        ? new Fact.Adopted(1, Fact.DocumentKind.POLICY, "v", "x".repeat(random.nextInt(3000)))
                        : fact(random.nextInt());
                last = journal.append(fact);
                assertThat(appended.put(last, fact))
                        .as("number %d is given twice", last)
                        .isNull();
            }
            if (random.nextInt(4) == 0) {
                disk.failForces(random.nextInt(3));
            }
            if (random.nextInt(3) > 0) {
                awaitOrNoPower(journal, last);
            }
            if (random.nextInt(6) == 0) {
                projected = journal.durable();
                journal.projectedUpTo(projected);
            }
        }

        private void awaitOrNoPower(Journal journal, long last) {
            while (journal.durable() < last && disk.hasPower()) {
                Thread.yield(); // to the writer thread: there may be one processor
            }
        }
    }

    @Test
    void noFactThatWasAcknowledgedIsLostHoweverOftenThePowerIs() throws Exception {
        for (int seed = 0; seed < 1000; seed++) {
            Life life = new Life(seed);
            try {
                for (int process = 0; process < 12; process++) {
                    life.process();
                }
            } catch (AssertionError | RuntimeException e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }

    @Test
    void aForceThatFailsLosesNothingThoughTheSystemForgetsWhatWasDirty() throws Exception {
        for (int seed = 0; seed < 100; seed++) {
            FaultyDisk disk = new FaultyDisk(seed);
            Journal journal = open(disk);
            appendDurable(journal, 3);
            disk.failForces(1 + seed % 5);
            appendDurable(journal, 1);
            assertThat(journal.stats().failures()).isEqualTo(1 + seed % 5);
            assertThat(journal.state()).isEqualTo(Journal.State.OPEN);
            appendDurable(journal, 2);
            disk.losePowerAfter(0);
            journal.close();
            disk.powerOn();
            try (Journal after = open(disk)) {
                assertThat(readAll(after, 1))
                        .as("seed %d", seed)
                        .extracting(FactSource.Entry::sequence)
                        .containsExactly(1L, 2L, 3L, 4L, 5L, 6L);
            }
        }
    }

    @Test
    void aForceThatFailsInTheFirstCommitOfAllLosesNothing() throws Exception {
        for (int seed = 0; seed < 50; seed++) {
            FaultyDisk disk = new FaultyDisk(seed);
            disk.failForces(3);
            Journal journal = open(disk);
            appendDurable(journal, 2);
            disk.losePowerAfter(0);
            journal.close();
            disk.powerOn();
            try (Journal after = open(disk)) {
                assertThat(readAll(after, 1)).as("seed %d", seed).hasSize(2);
            }
        }
    }

    @Test
    void aFullDiskRefusesRequestsKeepsWhatIsInFlightAndRecoversByItself() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = open(disk)) {
            journal.awaitDurable(journal.append(Facts.opened("r")));
            disk.capacity(0);
            long closed = journal.append(Facts.closed("r", 3));
            while (journal.state() != Journal.State.FAILING) {
                Thread.onSpinWait();
            }
            assertThatThrownBy(() -> journal.append(Facts.opened("other")))
                    .isInstanceOf(AccountingException.class)
                    .hasMessageContaining("disk fails");
            long later = journal.append(fact(1));

            disk.capacity(Long.MAX_VALUE);
            journal.awaitDurable(later);
            assertThat(journal.state()).isEqualTo(Journal.State.OPEN);
            assertThat(readAll(journal, closed).getFirst().fact()).isEqualTo(Facts.closed("r", 3));
            journal.append(Facts.opened("other"));
        }
    }

    @Test
    void whatWaitsWhenAFailingJournalIsClosedIsNeverSaidToBeDurable() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        Journal journal = open(disk);
        disk.failForces(Integer.MAX_VALUE);
        List<String> told = new ArrayList<>();
        long number = journal.append(fact(1));
        journal.whenDurable(number, () -> told.add("durable"));
        journal.close();
        assertThat(told).isEmpty();
        assertThatThrownBy(() -> journal.awaitDurable(number))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("closed before");
    }

    @Test
    void aTornTailIsDroppedAndItsNumbersAreNotGivenAgain() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = open(disk)) {
            appendDurable(journal, 5);
        }
        disk.append(segments(disk).getFirst(), new byte[] {0, 0, 0, 40, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0});
        try (Journal journal = open(disk)) {
            assertThat(readAll(journal, 1)).hasSize(5);
            long next = journal.append(fact(7));
            assertThat(next).isGreaterThan(6);
            journal.awaitDurable(next);
            assertThat(readAll(journal, 6)).containsExactly(new FactSource.Entry(next, fact(7)));
        }
    }

    @Test
    void zerosAfterTheEndAreATornTail() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = open(disk)) {
            appendDurable(journal, 5);
        }
        disk.append(segments(disk).getFirst(), new byte[4096]);
        try (Journal journal = open(disk)) {
            assertThat(readAll(journal, 1)).hasSize(5);
        }
    }

    @Test
    void damageBeforeFactsThatAreWholeIsAnErrorThatNamesFileAndPlace() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = open(disk)) {
            appendDurable(journal, 5);
        }
        String name = segments(disk).getFirst();
        long record = (disk.size(name) - JournalFormat.HEADER) / 5;
        long third = JournalFormat.HEADER + 2 * record;
        disk.damage(name, third + 25);
        assertThatThrownBy(() -> open(disk))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining(name)
                .hasMessageContaining("at byte " + third);
    }

    @Test
    void damageInAnOlderSegmentIsAnError() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = open(disk)) {
            appendDurable(journal, 300);
        }
        String name = segments(disk).getFirst();
        disk.damage(name, disk.size(name) - 1);
        assertThatThrownBy(() -> open(disk))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining(name);
    }

    @Test
    void aSegmentThatIsMissingIsAnError() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = open(disk)) {
            appendDurable(journal, 300);
        }
        disk.delete(segments(disk).get(1));
        assertThatThrownBy(() -> open(disk))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining(segments(disk).getFirst());
    }

    @Test
    void aDamagedHeaderOfASegmentWithFactsIsAnError() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = open(disk)) {
            appendDurable(journal, 5);
        }
        disk.damage(segments(disk).getFirst(), 20);
        assertThatThrownBy(() -> open(disk)).isInstanceOf(AccountingException.class);
    }
}
