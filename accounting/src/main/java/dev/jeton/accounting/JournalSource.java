package dev.jeton.accounting;

import java.util.Optional;
import java.util.concurrent.locks.LockSupport;

/** The journal as the ledger reads it. */
final class JournalSource implements FactSource {

    private final Journal journal;
    private final boolean keeping;

    /** Lets the journal go of what a ledger has. */
    JournalSource(Journal journal) {
        this(journal, false);
    }

    private JournalSource(Journal journal, boolean keeping) {
        this.journal = journal;
        this.keeping = keeping;
    }

    /** Leaves the journal whole: for a process that does not know which requests the last one left open. */
    static JournalSource keeping(Journal journal) {
        return new JournalSource(journal, true);
    }

    @Override
    public long last() {
        return journal.durable();
    }

    @Override
    public void taken(long sequence) {
        if (keeping) {
            journal.requireWritten(sequence);
        } else {
            journal.projectedUpTo(sequence);
        }
    }

    @Override
    public Cursor from(long sequence) {
        return new Following(journal, journal.reader(sequence));
    }

    /** Parks until a fact is durable; the journal has at most one note to wake it. */
    private static final class Following implements Cursor {
        private final Journal journal;
        private final JournalReader reader;
        private final Thread thread = Thread.currentThread();
        private volatile boolean noted;

        Following(Journal journal, JournalReader reader) {
            this.journal = journal;
            this.reader = reader;
        }

        @Override
        public Optional<Entry> next(long waitNanos) throws InterruptedException {
            Optional<Entry> entry = reader.poll();
            if (entry.isEmpty() && waitNanos > 0) {
                if (!noted) {
                    noted = true;
                    journal.whenDurable(reader.position() + 1, this::wake);
                }
                LockSupport.parkNanos(this, waitNanos);
                if (Thread.interrupted()) {
                    throw new InterruptedException("interrupted while waiting for facts");
                }
                entry = reader.poll();
            }
            return entry;
        }

        private void wake() {
            noted = false;
            LockSupport.unpark(thread);
        }

        @Override
        public void close() {
            reader.close();
        }
    }
}
