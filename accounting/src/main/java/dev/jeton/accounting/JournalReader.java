package dev.jeton.accounting;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Reads the journal's durable facts in the order of their numbers, while it is written. Owned by one thread; a thread
 * that is interrupted while it reads loses its reader.
 */
public final class JournalReader implements AutoCloseable {

    private final Journal journal;
    private final JournalDisk disk;
    /** The last number that was returned, or that is not wanted. */
    private long read;

    private @Nullable Segment segment;
    private @Nullable SegmentScanner scanner;

    JournalReader(Journal journal, JournalDisk disk, long from) {
        this.journal = journal;
        this.disk = disk;
        read = Math.max(0, from - 1);
        List<Segment> segments = journal.segments();
        if (!segments.isEmpty() && read < segments.getFirst().previous()) {
            throw new AccountingException(
                    ("the journal begins at fact %d, so facts from %d on cannot be read: the ledger had taken them once,"
                                    + " and has lost them; restore its database")
                            .formatted(segments.getFirst().first(), from));
        }
    }

    /**
     * The next fact that is durable.
     *
     * @return empty where there is none yet
     * @throws AccountingException if the disk fails, or a fact is damaged
     */
    public Optional<FactSource.Entry> poll() {
        if (read >= journal.durable()) {
            return Optional.empty();
        }
        try {
            while (true) {
                SegmentScanner current = scanner();
                if (!current.next()) {
                    throw new AccountingException(
                            "the journal segment %s cannot be read at byte %d, where fact %d was; restore the file from a copy"
                                    .formatted(segment == null ? "" : segment.name(), current.offset(), read + 1));
                }
                if (current.sequence() > read) {
                    read = current.sequence();
                    return Optional.of(new FactSource.Entry(read, FactCodec.decode(current.payload())));
                }
            }
        } catch (IOException e) {
            close();
            throw new AccountingException(
                    "the journal cannot be read (%s); see to the disk, it is tried again from the same fact"
                            .formatted(e),
                    e);
        }
    }

    /** Waits for the next fact; empty once the journal is closed and everything was read. */
    public Optional<FactSource.Entry> next() throws InterruptedException {
        Optional<FactSource.Entry> entry = poll();
        if (entry.isEmpty()) {
            journal.await(read + 1);
            entry = poll();
        }
        return entry;
    }

    /** The last number that was returned, or the one before the first that is wanted. */
    public long position() {
        return read;
    }

    private SegmentScanner scanner() throws IOException {
        SegmentScanner current = scanner;
        Segment at = segment;
        if (current != null && at != null && at.last() > read) {
            return current;
        }
        close();
        for (Segment candidate : journal.segments()) {
            if (candidate.last() > read && !candidate.empty()) {
                SegmentScanner opened = new SegmentScanner(disk.open(candidate.name()));
                scanner = opened;
                segment = candidate;
                return opened;
            }
        }
        throw new AccountingException(
                "fact %d of the journal is gone; nothing but the journal may delete its files".formatted(read + 1));
    }

    @Override
    public void close() {
        SegmentScanner open = scanner;
        scanner = null;
        segment = null;
        if (open != null) {
            try {
                open.close();
            } catch (IOException e) {
                throw new AccountingException("a segment of the journal cannot be closed; see to the disk", e);
            }
        }
    }
}
