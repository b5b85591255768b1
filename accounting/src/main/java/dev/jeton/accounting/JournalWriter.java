package dev.jeton.accounting;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes segments. Owned by the journal's writer thread (and, before that is started, by the thread that opens the
 * journal); others read {@link #segments()}.
 *
 * <p>After a failure the file is never used again: once {@code fsync} has failed, the system may have forgotten which
 * pages were dirty, so a second one that succeeds proves nothing. The records go into another file, whose header says
 * after which number it begins; what the failed commit may have left in the old one does not count.
 */
final class JournalWriter {

    private static final Logger LOG = LoggerFactory.getLogger(JournalWriter.class);
    private static final int CHUNK = 1 << 18;

    /** A fact on its way to the disk. */
    record Pending(long sequence, byte[] payload) {
        long bytes() {
            return JournalFormat.RECORD + payload.length;
        }
    }

    private final JournalDisk disk;
    private final JournalConfig config;
    private final ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK);
    private final CRC32C crc = new CRC32C();
    /** Files that do not count and could not be deleted. */
    private final List<String> litter = new ArrayList<>();

    private volatile List<Segment> segments = List.of();
    private JournalDisk.@Nullable File file;
    private @Nullable Segment active;
    /** The file that is open was created and its name is not durable yet. */
    private boolean fresh;

    private int attempt;
    private long position;

    JournalWriter(JournalDisk disk, JournalConfig config) {
        this.disk = disk;
        this.config = config;
    }

    /** Segments with durable records, and those recovered; oldest first. */
    List<Segment> segments() {
        return segments;
    }

    /** Takes over what was found in the folder, and clears away what does not count. */
    void adopt(SegmentRecovery.Found found) throws IOException {
        segments = found.segments();
        if (found.tornBytes() > 0) {
            begin(found.next(), found.last());
            file().force();
            disk.sync();
            admitActive();
        } else if (!segments.isEmpty() && segments.getLast().end() < config.segmentBytes()) {
            active = segments.getLast();
            file = disk.open(active.name());
            position = active.end();
        }
        for (JournalFormat.Name name : found.superfluous()) {
            disk.delete(name.text());
        }
        if (!found.superfluous().isEmpty()) {
            disk.sync();
        }
        cutAndForce();
    }

    /**
     * A process that was killed may leave records that are whole but only in the system's memory: they count from now
     * on, so they are made durable.
     */
    private void cutAndForce() throws IOException {
        for (Segment segment : segments) {
            try (JournalDisk.File old = disk.open(segment.name())) {
                if (old.size() > segment.end()) {
                    old.truncate(segment.end());
                }
                old.force();
            }
        }
    }

    /**
     * Writes records and makes them durable.
     *
     * @param durable the last number that is durable already
     * @throws IOException if they may not be durable; {@link #giveUp} then, and call again with the same records
     */
    void commit(List<Pending> batch, long durable) throws IOException {
        Segment before = active;
        if (file == null || before == null || before.end() >= config.segmentBytes()) {
            closeQuietly();
            begin(batch.getFirst().sequence(), durable);
        }
        Segment segment = active();
        position = segment.end();
        chunk.clear();
        for (int i = 0; i < batch.size(); i++) {
            put(batch.get(i), i);
        }
        flush();
        file().force();
        if (fresh) {
            disk.sync();
            admitActive();
        }
        segment.advance(batch.getLast().sequence(), position);
    }

    private void put(Pending record, int back) throws IOException {
        if (chunk.remaining() < JournalFormat.RECORD) {
            flush();
        }
        byte[] payload = record.payload();
        JournalFormat.putRecordHeader(chunk, record.sequence(), back, payload, crc);
        for (int from = 0; from < payload.length; ) {
            if (!chunk.hasRemaining()) {
                flush();
            }
            int count = Math.min(chunk.remaining(), payload.length - from);
            chunk.put(payload, from, count);
            from += count;
        }
    }

    private void flush() throws IOException {
        chunk.flip();
        int count = chunk.remaining();
        file().write(chunk, position);
        position += count;
        chunk.clear();
    }

    private void begin(long first, long previous) throws IOException {
        JournalFormat.Name name = new JournalFormat.Name(first, attempt);
        active = new Segment(name, previous, previous, JournalFormat.HEADER);
        fresh = true;
        file = disk.create(name.text());
        file().write(new JournalFormat.Header(first, previous, config.node()).encode(), 0);
        position = JournalFormat.HEADER;
    }

    /**
     * Adds the active segment to the list; ones without a record, in which a commit failed, have no place there now.
     */
    private void admitActive() {
        List<Segment> more = new ArrayList<>();
        for (Segment segment : segments) {
            if (segment.empty()) {
                deleteQuietly(segment);
            } else {
                more.add(segment);
            }
        }
        more.add(active());
        segments = List.copyOf(more);
        fresh = false;
        attempt = 0;
    }

    private void deleteQuietly(Segment segment) {
        try {
            disk.delete(segment.name());
        } catch (IOException e) {
            litter.add(segment.name());
            LOG.debug("cannot delete {}; it is tried again", segment.name(), e);
        }
    }

    /** Leaves the file in which a commit failed, as clean as the disk allows. */
    void giveUp() {
        Segment segment = active;
        if (segment != null && fresh) {
            closeQuietly();
            attempt++;
            deleteQuietly(segment);
        } else if (segment != null && file != null) {
            try {
                file.truncate(segment.end());
            } catch (IOException e) {
                LOG.debug("cannot cut {}; what is too much in it does not count", segment.name(), e);
            }
            closeQuietly();
            // the next file begins at the same number if nothing is in this one
            attempt = segment.empty() ? segment.attempt() + 1 : 0;
        }
        active = null;
        fresh = false;
    }

    /** Deletes segments whose facts all have numbers up to the given one, oldest first; never the last that has any. */
    void deleteUpTo(long sequence) throws IOException {
        // a file that does not count is known as such by the one after it, so it must be gone for good before that is
        for (String name : litter) {
            disk.delete(name);
        }
        disk.sync();
        litter.clear();
        while (deletable(sequence)) {
            Segment oldest = segments.getFirst();
            disk.delete(oldest.name());
            // one at a time, so that no crash brings back a hole
            disk.sync();
            segments = List.copyOf(segments.subList(1, segments.size()));
        }
    }

    /** Bytes of all segments. */
    long bytes() {
        long sum = 0;
        for (Segment segment : segments) {
            sum += segment.end();
        }
        return sum;
    }

    /** Whether there is a segment to delete. */
    boolean deletable(long sequence) {
        List<Segment> now = segments;
        return now.size() > 1
                && now.getFirst().last() <= sequence
                && !now.get(1).empty();
    }

    void close() {
        closeQuietly();
        active = null;
    }

    private void closeQuietly() {
        JournalDisk.File open = file;
        file = null;
        if (open != null) {
            try {
                open.close();
            } catch (IOException e) {
                // what counts in it was forced
                LOG.debug("cannot close a segment", e);
            }
        }
    }

    private JournalDisk.File file() {
        JournalDisk.File open = file;
        if (open == null) {
            throw new IllegalStateException("no segment is open");
        }
        return open;
    }

    private Segment active() {
        Segment segment = active;
        if (segment == null) {
            throw new IllegalStateException("no segment is active");
        }
        return segment;
    }
}
