package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Which facts share a commit; the clock is the test's. The time-out only keeps a hang from lasting for ever. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class JournalGatheringTest {

    private static final long GATHER = 50_000_000;
    private static final JournalConfig CONFIG = new JournalConfig("node", 1 << 16, 1 << 22, 0, 1 << 20, 1, 1, GATHER);

    private final AtomicLong clock = new AtomicLong(-3);

    private static Fact.Granted renewal(int total) {
        return new Fact.Granted(0, "a", Grant.ALL, total, 0);
    }

    @Test
    void renewalsOfOneMomentShareACommit() throws Exception {
        try (Journal journal = Journal.open(new FaultyDisk(1), CONFIG, clock::get)) {
            long last = 0;
            for (int i = 1; i <= 500; i++) {
                last = journal.append(renewal(i));
            }
            clock.addAndGet(GATHER);
            journal.awaitDurable(last);
            assertThat(journal.stats().commits()).isEqualTo(1);
        }
    }

    @Test
    void anEndBringsTheCommitOfRenewalsForward() throws Exception {
        try (Journal journal = Journal.open(new FaultyDisk(1), CONFIG, clock::get)) {
            journal.admit(Facts.opened("a"), renewal(16), 1_000);
            journal.append(renewal(32));
            long end = journal.append(Facts.closed("a", 20));
            clock.addAndGet(CONFIG.patience(Facts.closed("a", 20)));
            journal.awaitDurable(end);
            assertThat(journal.stats().commits()).isEqualTo(1);
        }
    }

    @Test
    void manyFactsDoNotWaitForMore() throws Exception {
        try (Journal journal = Journal.open(new FaultyDisk(1), CONFIG, clock::get)) {
            long last = 0;
            for (int i = 1; i <= 2_048; i++) {
                last = journal.append(renewal(i));
            }
            journal.awaitDurable(last - 1_024);
            assertThat(clock.get()).isEqualTo(-3);
        }
    }

    @Test
    void closingDoesNotWaitForCompany() {
        Journal journal = Journal.open(new FaultyDisk(1), CONFIG, clock::get);
        long last = journal.append(renewal(1));
        journal.close();
        assertThat(journal.durable()).isEqualTo(last);
    }
}
