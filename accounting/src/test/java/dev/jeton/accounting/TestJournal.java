package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A journal in memory. */
final class TestJournal implements FactSource {

    private final List<Fact> facts = new ArrayList<>();
    private long taken;

    TestJournal(List<Fact> facts) {
        this.facts.addAll(facts);
    }

    synchronized void append(List<Fact> more) {
        facts.addAll(more);
        notifyAll();
    }

    @Override
    public synchronized long last() {
        return facts.size();
    }

    @Override
    public synchronized void taken(long sequence) {
        taken = sequence;
    }

    synchronized long taken() {
        return taken;
    }

    @Override
    public Cursor from(long sequence) {
        return new Cursor() {
            private int at = (int) sequence - 1;

            @Override
            public Optional<Entry> next(long waitNanos) throws InterruptedException {
                synchronized (TestJournal.this) {
                    if (at >= facts.size() && waitNanos > 0) {
                        TestJournal.this.wait(Math.max(1, waitNanos / 1_000_000));
                    }
                    if (at >= facts.size()) {
                        return Optional.empty();
                    }
                    Fact fact = facts.get(at++);
                    return Optional.of(new Entry(at, fact));
                }
            }

            @Override
            public void close() {}
        };
    }
}
