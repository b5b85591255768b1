package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The test's thread is the step loop. The time-out only keeps a hang from lasting for ever. */
@Timeout(value = 240, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GrantsTest {

    private static final JournalConfig CONFIG = new JournalConfig("node", 4096, 1 << 20, 0, 1 << 18, 1, 1, 0);

    private static Journal open(JournalDisk disk) {
        return Journal.open(disk, CONFIG, System::nanoTime);
    }

    private static List<Fact.Granted> granted(Journal journal) {
        List<Fact.Granted> facts = new ArrayList<>();
        for (FactSource.Entry entry : JournalTest.readAll(journal, 1)) {
            if (entry.fact() instanceof Fact.Granted fact) {
                facts.add(fact);
            }
        }
        return facts;
    }

    /** Takes one token, waiting for grants as a step loop does. */
    private static void takeOne(Grant grant, Semaphore woken) {
        while (grant.grant(1) == 0) {
            woken.acquireUninterruptibly();
        }
    }

    @Test
    void nothingCanBeTakenUntilTheFirstGrantIsDurable() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = open(disk);
                Grants grants = new Grants(journal, TestBudgets.none(), () -> 7)) {
            Semaphore woken = new Semaphore(0);
            disk.hold();
            Grant grant = grants.open(TestBudgets.unbounded(Facts.opened("r")), 100, woken::release);
            disk.awaitHeldForce();
            assertThat(grant.grant(1)).isZero();
            assertThat(grant.exhausted()).isFalse();
            disk.release();
            woken.acquire();
            assertThat(grant.grant(5)).isEqualTo(5);
            assertThat(grant.granted()).isEqualTo(16);
            assertThat(grant.spent()).isEqualTo(5);
        }
    }

    @Test
    void theFirstGrantIsDurableWithTheRequestsBeginning() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = open(disk);
                Grants grants = new Grants(journal, TestBudgets.none(), () -> 7)) {
            Semaphore woken = new Semaphore(0);
            grants.open(TestBudgets.unbounded(Facts.opened("r")), 100, woken::release);
            woken.acquire();
            assertThat(journal.stats().commits()).isEqualTo(1);
            assertThat(journal.durable()).isEqualTo(2);
        }
    }

    @Test
    void grantsGrowFrom16To64AndStopAtWhatTheRequestMayUse() throws InterruptedException {
        try (Journal journal = open(new FaultyDisk(1));
                Grants grants = new Grants(journal, TestBudgets.none(), () -> 7)) {
            Semaphore woken = new Semaphore(0);
            Grant grant = grants.open(TestBudgets.unbounded(Facts.opened("r")), 200, woken::release);
            for (int i = 0; i < 200; i++) {
                assertThat(grant.exhausted()).isFalse();
                takeOne(grant, woken);
            }
            assertThat(grant.exhausted()).isTrue();
            assertThat(grant.grant(1)).isZero();
            assertThat(granted(journal)).extracting(Fact.Granted::total).containsExactly(16L, 48L, 112L, 176L, 200L);
            assertThat(granted(journal)).extracting(Fact.Granted::sequence).containsOnly(Grant.ALL);
        }
    }

    @Test
    void renewalIsAskedForWhenHalfOfAGrantIsLeft() throws Exception {
        try (Journal journal = open(new FaultyDisk(1));
                Grants grants = new Grants(journal, TestBudgets.none(), () -> 7)) {
            Semaphore woken = new Semaphore(0);
            Grant grant = grants.open(TestBudgets.unbounded(Facts.opened("r")), 200, woken::release);
            woken.acquire();
            assertThat(grant.grant(7)).isEqualTo(7);
            assertThat(granted(journal)).hasSize(1);
            assertThat(grant.grant(1)).isEqualTo(1);
            woken.acquire();
            assertThat(grant.granted()).isEqualTo(48);
        }
    }

    @Test
    void whatIsLentForDraftsIsSpentByThoseThatAreRight() throws Exception {
        try (Journal journal = open(new FaultyDisk(1));
                Grants grants = new Grants(journal, TestBudgets.none(), () -> 7)) {
            Semaphore woken = new Semaphore(0);
            Grant grant = grants.open(TestBudgets.unbounded(Facts.opened("r")), 16, woken::release);
            woken.acquire();
            assertThat(grant.grant(1)).isEqualTo(1);
            assertThat(grant.lend(8)).isEqualTo(8);
            assertThat(grant.spent()).isEqualTo(1);
            assertThat(grant.lend(8)).isEqualTo(7);
            assertThat(grant.grant(1)).isZero();

            grant.settle(8, 3);

            assertThat(grant.spent()).isEqualTo(4);
            assertThat(grant.grant(9)).isEqualTo(5);
        }
    }

    @Test
    void draftsLeaveATokenForEachOtherSequence() throws Exception {
        try (Journal journal = open(new FaultyDisk(1));
                Grants grants = new Grants(journal, TestBudgets.none(), () -> 7)) {
            Semaphore woken = new Semaphore(0);
            Fact.Opened opened =
                    new Fact.Opened(1, "r", Payer.UNKNOWN, "m", Map.of(), "", "", 4, Zones.UNKNOWN, Work.GENERATION);
            Grant grant = grants.open(TestBudgets.unbounded(opened), 64, woken::release);
            woken.acquire();
            assertThat(grant.grant(1)).isEqualTo(1);
            assertThat(grant.lend(100)).isEqualTo(60);
            assertThat(grant.lend(1)).isZero();
            assertThat(grant.grant(4)).isEqualTo(3);
            assertThat(grant.lend(1)).isZero();
        }
    }

    @Test
    void nothingIsExhaustedWhileDraftsMayBeWrong() throws Exception {
        try (Journal journal = open(new FaultyDisk(1));
                Grants grants = new Grants(journal, TestBudgets.none(), () -> 7)) {
            Semaphore woken = new Semaphore(0);
            Grant grant = grants.open(TestBudgets.unbounded(Facts.opened("r")), 16, woken::release);
            woken.acquire();
            grant.grant(8);
            grant.lend(8);
            grant.stop(false);
            assertThat(grant.exhausted()).isFalse();
            assertThat(grant.unspent()).isEqualTo(8);

            grant.settle(8, 8);

            assertThat(grant.exhausted()).isTrue();
            assertThat(grant.unspent()).isZero();
        }
    }

    @Test
    void aRequestOfSeveralSequencesGetsAsManyTimesMore() throws Exception {
        try (Journal journal = open(new FaultyDisk(1));
                Grants grants = new Grants(journal, TestBudgets.none(), () -> 7)) {
            Semaphore woken = new Semaphore(0);
            Fact.Opened opened =
                    new Fact.Opened(1, "r", Payer.UNKNOWN, "m", Map.of(), "", "", 4, Zones.UNKNOWN, Work.GENERATION);
            Grant grant = grants.open(TestBudgets.unbounded(opened), 400, woken::release);
            woken.acquire();
            assertThat(grant.granted()).isEqualTo(64);
        }
    }

    @Test
    void noGrantsComeWhileTheJournalFailsAndTheyComeOnceItRecovers() throws InterruptedException {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = open(disk);
                Grants grants = new Grants(journal, TestBudgets.none(), () -> 7)) {
            Semaphore woken = new Semaphore(0);
            Grant grant = grants.open(TestBudgets.unbounded(Facts.opened("r")), 1000, woken::release);
            takeOne(grant, woken);
            disk.failForces(Integer.MAX_VALUE);
            assertThat(grant.grant(15)).isEqualTo(15);
            while (journal.stats().failures() < 5) {
                assertThat(grant.grant(1)).isZero();
                assertThat(grant.exhausted()).isFalse();
            }
            assertThatThrownBy(() -> grants.open(TestBudgets.unbounded(Facts.opened("other")), 10, () -> {}))
                    .isInstanceOf(AccountingException.class);
            disk.failForces(0);
            takeOne(grant, woken);
            assertThat(grant.granted()).isEqualTo(48);
        }
    }

    @Test
    void anAdmittedRequestGetsAllItsGrantsThoughTheJournalIsFull() throws InterruptedException {
        JournalConfig config = new JournalConfig("node", 4096, 64 << 10, 0, 32 << 10, 1, 1, 0);
        try (Journal journal = Journal.open(new FaultyDisk(1), config, System::nanoTime);
                Grants grants = new Grants(journal, TestBudgets.none(), () -> 7)) {
            Semaphore woken = new Semaphore(0);
            Grant grant = grants.open(TestBudgets.unbounded(Facts.opened("r")), 1000, woken::release);
            takeOne(grant, woken);
            assertThatThrownBy(() -> {
                        while (true) {
                            journal.awaitDurable(journal.append(new Fact.PeriodClosed(1, "2026-11")));
                        }
                    })
                    .isInstanceOf(AccountingException.class)
                    .hasMessageContaining("full");
            assertThatThrownBy(() -> grants.open(TestBudgets.unbounded(Facts.opened("other")), 10, () -> {}))
                    .isInstanceOf(AccountingException.class)
                    .hasMessageContaining("not admitted");
            for (int i = 1; i < 1000; i++) {
                takeOne(grant, woken);
            }
            assertThat(grant.granted()).isEqualTo(1000);
        }
    }

    @Test
    void aGrantThatFindsNoRoomComesOnceTheLedgerHasCaughtUp() throws Exception {
        JournalConfig config = new JournalConfig("node", 16 << 10, 1 << 20, 0, 1 << 18, 1, 1, 0);
        try (Journal journal = Journal.open(new FaultyDisk(1), config, System::nanoTime);
                Grants grants = new Grants(journal, TestBudgets.none(), () -> 7)) {
            for (int i = 0; i < 60; i++) {
                journal.awaitDurable(journal.append(document()));
            }
            long before = journal.durable();
            Semaphore woken = new Semaphore(0);
            Grant grant = grants.open(TestBudgets.unbounded(Facts.opened("r")), Long.MAX_VALUE, woken::release);
            assertThatThrownBy(() -> {
                        while (true) {
                            journal.awaitDurable(journal.append(document()));
                        }
                    })
                    .hasMessageContaining("full");
            // until its reservation is spent, and what the last document left: then no grant's record finds room
            int record = JournalFormat.RECORD
                    + FactCodec.encode(new Fact.Granted(7, "r", Grant.ALL, grant.asked(), 0)).length;
            while (free(journal) >= JournalFormat.HEADER + record) {
                grant.grant(64);
            }
            while (grant.grant(64) > 0 || grant.granted() < 16) {
                woken.tryAcquire();
            }
            assertThat(grant.exhausted()).isFalse();
            journal.projectedUpTo(before);
            takeOne(grant, woken);
            assertThat(grant.spent()).isLessThanOrEqualTo(grant.granted());
        }
    }

    private static long free(Journal journal) {
        JournalStats stats = journal.stats();
        return stats.capacity() - stats.bytes() - stats.pendingBytes() - stats.reservedBytes();
    }

    private static Fact document() {
        return new Fact.Adopted(1, Fact.DocumentKind.POLICY, "v", "x".repeat(8000));
    }

    @Test
    void anEndedRequestIsExhaustedAndAsksForNoMore() throws Exception {
        try (Journal journal = open(new FaultyDisk(1));
                Grants grants = new Grants(journal, TestBudgets.none(), () -> 7)) {
            Semaphore woken = new Semaphore(0);
            Grant grant = grants.open(TestBudgets.unbounded(Facts.opened("r")), Long.MAX_VALUE, woken::release);
            woken.acquire();
            grant.end();
            assertThat(grant.exhausted()).isTrue();
            grant.grant(16);
            Grant other = grants.open(TestBudgets.unbounded(Facts.opened("other")), Long.MAX_VALUE, woken::release);
            for (int i = 0; i < 100; i++) {
                takeOne(other, woken);
            }
            assertThat(granted(journal))
                    .filteredOn(f -> f.request().equals("r"))
                    .hasSize(1);
        }
    }

    @Test
    void manyRequestsAtOnceSpendNoMoreThanIsDurablyGranted() throws InterruptedException {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = open(disk);
                Grants grants = new Grants(journal, TestBudgets.none(), () -> 7)) {
            Semaphore woken = new Semaphore(0);
            List<Grant> all = new ArrayList<>();
            for (int i = 0; i < 32; i++) {
                all.add(grants.open(TestBudgets.unbounded(Facts.opened("r" + i)), 1 + 20L * i, woken::release));
            }
            while (!all.stream().allMatch(Grant::exhausted)) {
                int taken = 0;
                for (Grant grant : all) {
                    taken += grant.grant(1);
                    assertThat(grant.spent()).isLessThanOrEqualTo(grant.granted());
                }
                if (taken == 0) {
                    woken.acquireUninterruptibly();
                }
            }
            Map<String, Long> totals = new HashMap<>();
            granted(journal).forEach(f -> totals.merge(f.request(), f.total(), Math::max));
            for (int i = 0; i < 32; i++) {
                assertThat(totals).containsEntry("r" + i, 1 + 20L * i);
            }
        }
    }

    // ---- after a crash ----

    @Test
    void confirmedIsAtMostReceivedIsAtMostGrantedWheneverThePowerIsLost() throws Exception {
        for (int seed = 0; seed < 200; seed++) {
            try {
                crash(seed);
            } catch (AssertionError | RuntimeException e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }

    private static void crash(long seed) throws InterruptedException {
        Random random = Facts.random(seed);
        FaultyDisk disk = new FaultyDisk(seed);
        Journal journal = open(disk);
        Map<String, Grant> running = new HashMap<>();
        Map<String, Long> received = new HashMap<>();
        disk.losePowerAfter(5 + random.nextInt(200));
        try (journal;
                Grants grants = new Grants(journal, TestBudgets.none(), () -> 7)) {
            for (int step = 0; disk.hasPower() && step < 100_000; step++) {
                // on a busy machine this thread alone would have the processor, and the journal refuse what cannot be
                // written
                while (journal.stats().pendingBytes() > CONFIG.maxPendingBytes() / 4 && disk.hasPower()) {
                    Thread.onSpinWait();
                }
                if (running.size() < 6) {
                    String id = "r" + received.size();
                    running.put(
                            id,
                            grants.open(TestBudgets.unbounded(Facts.opened(id)), 1 + random.nextInt(300), () -> {}));
                    received.put(id, 0L);
                }
                for (Map.Entry<String, Grant> entry : List.copyOf(running.entrySet())) {
                    long now = received.merge(
                            entry.getKey(), (long) entry.getValue().grant(1), Long::sum);
                    entry.getValue().confirm(now - random.nextInt((int) Math.min(3, now + 1)));
                    if (entry.getValue().exhausted() || random.nextInt(400) == 0) {
                        entry.getValue().end();
                        journal.append(Facts.closed(entry.getKey(), received.get(entry.getKey())));
                        running.remove(entry.getKey());
                    }
                }
            }
        } catch (AccountingException e) {
            assertThat(disk.hasPower()).as(e.getMessage()).isFalse();
        }
        disk.powerOn();
        try (Journal after = open(disk)) {
            Map<String, Long> granted = new HashMap<>();
            granted(after).forEach(f -> granted.merge(f.request(), f.total(), Math::max));
            for (Recovery.Abandoned abandoned : Recovery.abandoned(after)) {
                String id = abandoned.opened().request();
                assertThat(abandoned.granted()).isEqualTo(granted.getOrDefault(id, 0L));
                assertThat(abandoned.confirmed()).isLessThanOrEqualTo(received.getOrDefault(id, 0L));
            }
            for (FactSource.Entry entry : JournalTest.readAll(after, 1)) {
                if (entry.fact() instanceof Fact.Closed closed) {
                    assertThat(closed.tokens().output()).isLessThanOrEqualTo(received.get(closed.request()));
                }
            }
            received.forEach((id, tokens) ->
                    assertThat(tokens).as("%s received", id).isLessThanOrEqualTo(granted.getOrDefault(id, 0L)));
        }
    }
}
