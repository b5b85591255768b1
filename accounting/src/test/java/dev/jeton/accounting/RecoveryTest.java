package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class RecoveryTest {

    @Test
    void requestsThatWereOpenedAndNotClosedAreListedWithWhatTheyWereGranted() {
        List<Fact> facts = List.of(
                Facts.opened("a"),
                new Fact.Granted(1, "a", Grant.ALL, 16, 0),
                Facts.opened("b"),
                new Fact.Granted(1, "a", Grant.ALL, 48, 9),
                Facts.opened("c"),
                new Fact.Granted(1, "b", Grant.ALL, 16, 0),
                Facts.closed("b", 3));
        assertThat(Recovery.abandoned(facts))
                .containsExactly(
                        new Recovery.Abandoned(Facts.opened("a"), 48, 9),
                        new Recovery.Abandoned(Facts.opened("c"), 0, 0));
    }

    @Test
    void totalsOfSeveralSequencesAddUp() {
        List<Fact> facts = List.of(
                Facts.opened("a"),
                new Fact.Granted(1, "a", 0, 16, 0),
                new Fact.Granted(1, "a", 1, 16, 0),
                new Fact.Granted(1, "a", 0, 48, 0));
        assertThat(Recovery.abandoned(facts)).containsExactly(new Recovery.Abandoned(Facts.opened("a"), 64, 0));
    }

    @Test
    void aProcessThatEndedInGoodOrderLeavesNothing() {
        assertThat(Recovery.abandoned(List.of(Facts.opened("a"), new Fact.Stopped(9))))
                .isEmpty();
    }

    @Test
    void aJournalSaysTheSameWhetherItsLastFactIsTheEndOfTheRunOrNot() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = JournalTest.open(disk)) {
            assertThat(Recovery.abandoned(journal)).as("an empty journal").isEmpty();
            journal.append(Facts.opened("a"));
            journal.awaitDurable(journal.append(new Fact.Stopped(9)));
            assertThat(Recovery.abandoned(journal)).as("the end of a run").isEmpty();
            journal.awaitDurable(journal.append(new Fact.PeriodClosed(9, "2026-11")));
            assertThat(Recovery.abandoned(journal)).as("and something after it").isEmpty();
            journal.awaitDurable(journal.append(Facts.opened("b")));
            assertThat(Recovery.abandoned(journal))
                    .as("a run under way")
                    .containsExactly(new Recovery.Abandoned(Facts.opened("b"), 0, 0));
        }
    }

    @Test
    void aGrantThatComesAfterTheEndOpensNothing() {
        List<Fact> facts = List.of(Facts.opened("a"), Facts.closed("a", 1), new Fact.Granted(1, "a", Grant.ALL, 48, 0));
        assertThat(Recovery.abandoned(facts)).isEmpty();
    }

    @Test
    void aRequestThatWasOpenedLongAgoIsFoundThoughTheLedgerHasItAlready() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        Journal journal = JournalTest.open(disk);
        journal.append(Facts.opened("old"));
        for (int i = 0; i < 300; i++) {
            journal.awaitDurable(journal.append(new Fact.PeriodClosed(i, "2026-11")));
        }
        journal.projectedUpTo(journal.durable());
        journal.awaitDurable(journal.append(new Fact.PeriodClosed(1, "2026-11")));
        disk.losePowerAfter(0);
        journal.close();
        disk.powerOn();
        try (Journal after = JournalTest.open(disk)) {
            assertThat(Recovery.abandoned(after)).containsExactly(new Recovery.Abandoned(Facts.opened("old"), 0, 0));
        }
    }
}
