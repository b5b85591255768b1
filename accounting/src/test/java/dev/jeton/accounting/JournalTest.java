package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The time-out only keeps a hang from lasting for ever. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class JournalTest {

    static final JournalConfig SMALL = new JournalConfig("node", 4096, 64 << 10, 8 << 10, 32 << 10, 1, 1, 0);

    static Journal open(JournalDisk disk) {
        return Journal.open(disk, SMALL, System::nanoTime);
    }

    static List<FactSource.Entry> readAll(Journal journal, long from) {
        List<FactSource.Entry> entries = new ArrayList<>();
        try (JournalReader reader = journal.reader(from)) {
            for (Optional<FactSource.Entry> e = reader.poll(); e.isPresent(); e = reader.poll()) {
                entries.add(e.get());
            }
        }
        return entries;
    }

    private static Fact fact(long at) {
        return new Fact.PeriodClosed(at, "2026-11");
    }

    private static void appendDurable(Journal journal, int count) throws InterruptedException {
        for (int i = 0; i < count; i++) {
            journal.awaitDurable(journal.append(fact(i)));
        }
    }

    @Test
    void factsComeBackInOrderAfterReopeningARealFolder(@TempDir Path folder) throws Exception {
        JournalConfig config = JournalConfig.of("node");
        try (Journal journal = Journal.open(folder, config)) {
            for (int i = 1; i <= 1000; i++) {
                assertThat(journal.append(fact(i))).isEqualTo(i);
            }
        }
        try (Journal journal = Journal.open(folder, config)) {
            assertThat(readAll(journal, 1))
                    .extracting(e -> e.fact().at())
                    .hasSize(1000)
                    .isSorted();
            assertThat(journal.append(fact(1))).isEqualTo(1001);
        }
    }

    @Test
    void twoJournalsNeverShareAFolder(@TempDir Path folder) {
        try (Journal journal = Journal.open(folder, JournalConfig.of("node"))) {
            assertThat(journal.state()).isEqualTo(Journal.State.OPEN);
            assertThatThrownBy(() -> Journal.open(folder, JournalConfig.of("node")))
                    .isInstanceOf(AccountingException.class)
                    .hasMessageContaining("in use by another process");
        }
    }

    @Test
    void aFolderThatWasClosedCanBeOpenedAgainAtOnce(@TempDir Path folder) {
        for (int i = 0; i < 20; i++) {
            try (Journal journal = Journal.open(folder, JournalConfig.of("node"))) {
                assertThat(journal.append(fact(i))).isEqualTo(i + 1);
            }
        }
    }

    @Test
    void anotherNodesFolderIsRefused() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = open(disk)) {
            appendDurable(journal, 1);
        }
        assertThatThrownBy(() -> Journal.open(disk, JournalConfig.of("other"), System::nanoTime))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("written by node \"node\"");
    }

    @Test
    void appendsFromManyThreadsGetEachNumberOnce() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        JournalConfig config = new JournalConfig("node", 1 << 16, 1 << 22, 0, 1 << 20, 1, 1, 0);
        try (Journal journal = Journal.open(disk, config, System::nanoTime);
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<List<Long>>> futures = new ArrayList<>();
            for (int t = 0; t < 16; t++) {
                long mark = 1000L * t;
                futures.add(threads.submit((Callable<List<Long>>) () -> {
                    List<Long> numbers = new ArrayList<>();
                    for (int i = 0; i < 50; i++) {
                        long number = journal.append(fact(mark + i));
                        journal.awaitDurable(number);
                        assertThat(journal.durable()).isGreaterThanOrEqualTo(number);
                        numbers.add(number);
                    }
                    return numbers;
                }));
            }
            List<FactSource.Entry> entries = new ArrayList<>();
            try (JournalReader reader = journal.reader(1)) {
                while (entries.size() < 800) {
                    entries.add(reader.next().orElseThrow());
                }
            }
            for (int t = 0; t < 16; t++) {
                List<Long> numbers = futures.get(t).get();
                for (int i = 0; i < 50; i++) {
                    int place = (int) (numbers.get(i) - 1);
                    assertThat(entries.get(place)).isEqualTo(new FactSource.Entry(place + 1, fact(1000L * t + i)));
                }
            }
        }
    }

    @Test
    void whatWaitsWhileTheDiskIsSlowBecomesDurableInOneCommit() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = open(disk)) {
            appendDurable(journal, 1);
            disk.hold();
            journal.append(fact(2));
            disk.awaitHeldForce();
            long last = 0;
            for (int i = 0; i < 100; i++) {
                last = journal.append(fact(3 + i));
            }
            assertThat(journal.durable()).isEqualTo(1);
            int before = disk.forces();
            disk.release();
            journal.awaitDurable(last);
            assertThat(disk.forces() - before).isEqualTo(2);
            assertThat(journal.stats().commits()).isEqualTo(3);
        }
    }

    @Test
    void callbacksComeWhenTheirFactIsDurableAndNotBefore() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        List<Long> told = java.util.Collections.synchronizedList(new ArrayList<>());
        try (Journal journal = open(disk)) {
            disk.hold();
            for (int i = 0; i < 5; i++) {
                long number = journal.append(fact(i));
                journal.whenDurable(number, () -> told.add(journal.durable() - number));
            }
            disk.awaitHeldForce();
            assertThat(told).isEmpty();
            disk.release();
        }
        assertThat(told).hasSize(5).allMatch(ahead -> ahead >= 0);
    }

    @Test
    void aClockThatStepsBackChangesNothing() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = open(disk)) {
            for (long at : new long[] {100, 50, -7, 200, 0}) {
                journal.awaitDurable(journal.append(fact(at)));
            }
        }
        try (Journal journal = open(disk)) {
            assertThat(readAll(journal, 1)).extracting(e -> e.fact().at()).containsExactly(100L, 50L, -7L, 200L, 0L);
        }
    }

    @Test
    void readingBeginsAtTheNumberAskedFor() throws Exception {
        try (Journal journal = open(new FaultyDisk(1))) {
            appendDurable(journal, 300);
            assertThat(journal.stats().segments()).isGreaterThan(2);
            for (long from = 1; from <= 301; from += 20) {
                List<FactSource.Entry> entries = readAll(journal, from);
                assertThat(entries).hasSize((int) (301 - from));
                assertThat(entries)
                        .extracting(FactSource.Entry::sequence)
                        .startsWith(from == 301 ? new Long[0] : new Long[] {from});
            }
        }
    }

    @Test
    void aReaderThatWaitsIsToldOfTheEnd() throws Exception {
        Journal journal = open(new FaultyDisk(1));
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Optional<FactSource.Entry>> waiting = threads.submit((Callable<Optional<FactSource.Entry>>)
                    () -> journal.reader(1).next());
            journal.close();
            assertThat(waiting.get()).isEmpty();
        }
    }

    @Test
    void aClosedJournalTakesNothing() {
        Journal journal = open(new FaultyDisk(1));
        journal.close();
        assertThatThrownBy(() -> journal.append(fact(1)))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("closed");
    }

    @Test
    void awaitingANumberThatWasNeverGivenIsAnError() {
        try (Journal journal = open(new FaultyDisk(1))) {
            assertThatThrownBy(() -> journal.awaitDurable(1)).isInstanceOf(AccountingException.class);
        }
    }

    // ---- clearing away ----

    @Test
    void segmentsThatTheLedgerHasAreDeletedButTheLast() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = open(disk)) {
            appendDurable(journal, 400);
            assertThat(journal.stats().segments()).isGreaterThan(3);
            journal.projectedUpTo(400);
            appendDurable(journal, 1); // a commit comes after clearing away
            assertThat(journal.stats().segments()).isEqualTo(1);
            assertThat(journal.stats().lag()).isEqualTo(1);
        }
        try (Journal journal = open(disk)) {
            assertThat(journal.append(fact(1))).isEqualTo(402);
            assertThatThrownBy(() -> journal.reader(1))
                    .isInstanceOf(AccountingException.class)
                    .hasMessageContaining("begins at fact");
        }
    }

    @Test
    void segmentsFromTheOldestOpenRequestOnStay() throws Exception {
        try (Journal journal = open(new FaultyDisk(1))) {
            appendDurable(journal, 200);
            long opened = journal.append(Facts.opened("r"));
            appendDurable(journal, 200);
            journal.projectedUpTo(journal.durable());
            appendDurable(journal, 1);
            assertThat(readAll(journal, opened).getFirst().fact()).isEqualTo(Facts.opened("r"));

            journal.awaitDurable(journal.append(Facts.closed("r", 1)));
            journal.projectedUpTo(journal.durable());
            appendDurable(journal, 1);
            assertThat(journal.stats().segments()).isEqualTo(1);
        }
    }

    @Test
    void aLedgerThatIsAheadOfTheJournalIsAnError() throws Exception {
        try (Journal journal = open(new FaultyDisk(1))) {
            appendDurable(journal, 3);
            assertThatThrownBy(() -> journal.projectedUpTo(4))
                    .isInstanceOf(AccountingException.class)
                    .hasMessageContaining("lost or replaced");
        }
    }

    // ---- bounds ----

    @Test
    void aFullJournalRefusesRequestsAndKeepsRoomForThoseItAdmitted() throws Exception {
        try (Journal journal = open(new FaultyDisk(1))) {
            int admitted = admitUntilFull(journal);
            assertThat(admitted).isGreaterThan(5);
            assertThat(journal.stats().fill()).isLessThanOrEqualTo(1);
            fillUp(journal);
            for (int r = 0; r < admitted; r++) {
                for (int total = 1; total <= 10; total++) {
                    journal.awaitDurable(journal.append(new Fact.Granted(1, "r" + r, 0, total, 0)));
                }
                journal.awaitDurable(journal.append(Facts.closed("r" + r, 5)));
            }
            assertThat(journal.stats().openRequests()).isZero();
            assertThat(journal.stats().reservedBytes()).isZero();
            assertThat(journal.stats().bytes())
                    .isLessThanOrEqualTo(journal.stats().capacity() + 4096);
        }
    }

    @Test
    void aFullJournalAdmitsAgainOnceTheLedgerHasCaughtUp() throws Exception {
        try (Journal journal = open(new FaultyDisk(1))) {
            fillUp(journal);
            assertThatThrownBy(() -> journal.append(Facts.opened("r")))
                    .isInstanceOf(AccountingException.class)
                    .hasMessageContaining("the journal is full");
            journal.projectedUpTo(journal.durable());
            boolean admitted = false;
            while (!admitted) { // clearing away is the writer's work
                try {
                    journal.append(Facts.opened("r"));
                    admitted = true;
                } catch (AccountingException e) {
                    Thread.onSpinWait();
                }
            }
            assertThat(journal.stats().openRequests()).isEqualTo(1);
        }
    }

    private static int admitUntilFull(Journal journal) throws InterruptedException {
        for (int r = 0; ; r++) {
            try {
                Fact.Granted first = new Fact.Granted(1, "r" + r, 0, 16, 0);
                journal.awaitDurable(journal.admit(Facts.opened("r" + r), first, 600));
            } catch (AccountingException e) {
                assertThat(e).hasMessageContaining("not admitted");
                return r;
            }
        }
    }

    private static void fillUp(Journal journal) throws InterruptedException {
        assertThatThrownBy(() -> appendDurable(journal, 1_000_000))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("the journal is full");
    }

    @Test
    void memoryIsBoundedWhileTheDiskIsSlow() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        JournalConfig config = new JournalConfig("node", 1 << 16, 1 << 22, 0, 32 << 10, 1, 1, 0);
        try (Journal journal = Journal.open(disk, config, System::nanoTime)) {
            long opened = journal.append(Facts.opened("r"));
            journal.awaitDurable(opened);
            disk.hold();
            assertThatThrownBy(() -> {
                        for (int i = 0; i < 1_000_000; i++) {
                            journal.append(fact(i));
                        }
                    })
                    .isInstanceOf(AccountingException.class)
                    .hasMessageContaining("does not keep up");
            assertThat(journal.stats().pendingBytes()).isLessThanOrEqualTo(32 << 10);
            long closed = journal.append(Facts.closed("r", 1));
            disk.release();
            journal.awaitDurable(closed);
        }
    }

    @Test
    void aRequestIsOpenedOnce() {
        try (Journal journal = open(new FaultyDisk(1))) {
            journal.append(Facts.opened("r"));
            assertThatThrownBy(() -> journal.append(Facts.opened("r")))
                    .isInstanceOf(AccountingException.class)
                    .hasMessageContaining("open already");
        }
    }
}
