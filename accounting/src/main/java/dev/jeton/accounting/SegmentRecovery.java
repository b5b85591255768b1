package dev.jeton.accounting;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * Finds out what a journal's folder holds: reads every segment, newest first, since a segment tells where those before
 * it end. Changes nothing.
 */
final class SegmentRecovery {

    /**
     * What was found.
     *
     * @param segments with records that count, oldest first
     * @param superfluous files that hold nothing which counts
     * @param tornBytes bytes of a commit that was cut off; 0 for none
     */
    record Found(List<Segment> segments, List<JournalFormat.Name> superfluous, long tornBytes) {

        /** The last sequence number; 0 for none. */
        long last() {
            return segments.isEmpty() ? 0 : segments.getLast().last();
        }

        /**
         * The first sequence number to give out: past every one that a record which was cut off can have had, so that
         * no number ever means two things.
         */
        long next() {
            long next = last() + 1;
            if (!segments.isEmpty() && segments.getLast().empty()) {
                next = segments.getLast().first();
            }
            if (tornBytes == 0) {
                return next;
            }
            for (JournalFormat.Name name : superfluous) {
                next = Math.max(next, name.first() + 1);
            }
            return next + 1 + tornBytes / JournalFormat.RECORD;
        }
    }

    private static final long NO_BOUND = Long.MAX_VALUE;

    private final JournalDisk disk;
    private final String node;
    private final Deque<Segment> segments = new ArrayDeque<>();
    private final List<JournalFormat.Name> superfluous = new ArrayList<>();
    private final CRC32C crc = new CRC32C();
    private long tornBytes;
    /** A file without a header, whose numbers are to be found in a segment before it. */
    private Optional<JournalFormat.Name> suspect = Optional.empty();

    /** The last number that the segment looked at must hold: the one before the segment after it. */
    private long bound = NO_BOUND;

    private SegmentRecovery(JournalDisk disk, String node) {
        this.disk = disk;
        this.node = node;
    }

    /**
     * Reads the folder.
     *
     * @throws AccountingException if something that was acknowledged is damaged or missing
     */
    static Found recover(JournalDisk disk, String node) throws IOException {
        SegmentRecovery recovery = new SegmentRecovery(disk, node);
        for (JournalFormat.Name name : newestFirst(disk)) {
            recovery.look(name);
        }
        if (recovery.suspect.isPresent()) {
            throw damaged(recovery.suspect.get(), 0);
        }
        return new Found(List.copyOf(recovery.segments), recovery.superfluous, recovery.tornBytes);
    }

    private static List<JournalFormat.Name> newestFirst(JournalDisk disk) throws IOException {
        return disk.list().stream()
                .map(JournalFormat.Name::parse)
                .flatMap(Optional::stream)
                .sorted()
                .toList()
                .reversed();
    }

    /** The node that wrote the newest segment; empty where there is none with a whole header. */
    static Optional<String> node(JournalDisk disk) throws IOException {
        for (JournalFormat.Name name : newestFirst(disk)) {
            try (JournalDisk.File file = disk.open(name.text())) {
                Optional<JournalFormat.Header> header = JournalFormat.Header.read(file, name.text());
                if (header.isPresent()) {
                    return header.map(JournalFormat.Header::node);
                }
            }
        }
        return Optional.empty();
    }

    private void look(JournalFormat.Name name) throws IOException {
        if (name.first() > bound) {
            superfluous.add(name);
            return;
        }
        try (JournalDisk.File file = disk.open(name.text())) {
            Optional<JournalFormat.Header> header = JournalFormat.Header.read(file, name.text());
            if (header.isEmpty()) {
                lookHeadless(name, file);
                return;
            }
            check(name, header.get());
            scan(name, header.get(), file);
            bound = header.get().previous();
        }
    }

    /**
     * A file whose making was cut off does not count. Nor does it where later segments exist, if those before it hold
     * all numbers up to them; what should hold its numbers is known only then.
     */
    private void lookHeadless(JournalFormat.Name name, JournalDisk.File file) throws IOException {
        if (bound == NO_BOUND) {
            if (holdsRecordAfter(file, 0, name.first())) {
                throw damaged(name, 0);
            }
            tornBytes += file.size();
        } else {
            suspect = Optional.of(name);
        }
        superfluous.add(name);
    }

    private void check(JournalFormat.Name name, JournalFormat.Header header) {
        if (!header.node().equals(node)) {
            throw new AccountingException(
                    "the journal segment %s was written by node \"%s\", this is \"%s\"; give each node a folder of its own"
                            .formatted(name.text(), header.node(), node));
        }
        if (header.first() != name.first() || header.previous() >= header.first()) {
            throw damaged(name, 0);
        }
    }

    private void scan(JournalFormat.Name name, JournalFormat.Header header, JournalDisk.File file) throws IOException {
        SegmentScanner scanner = new SegmentScanner(file);
        long last = header.previous();
        long next = header.first();
        long end = scanner.offset();
        while (last < bound && scanner.next() && scanner.sequence() == next) {
            last = next++;
            end = scanner.offset();
        }
        long rest = file.size() - end;
        if (bound != NO_BOUND && last < bound) {
            throw suspect.map(headless -> damaged(headless, 0)).orElse(damaged(name, end));
        }
        suspect = Optional.empty();
        if (bound == NO_BOUND && rest > 0) {
            if (holdsRecordAfter(file, end, next)) {
                throw damaged(name, end);
            }
            tornBytes += rest;
        }
        segments.addFirst(new Segment(name, header.previous(), last, end));
    }

    /** Whether a record follows that was written when the one of the given number was durable. */
    private boolean holdsRecordAfter(JournalDisk.File file, long from, long number) throws IOException {
        long size = file.size() - from;
        ByteBuffer rest = ByteBuffer.allocate((int) Math.min(size, Integer.MAX_VALUE - 8));
        file.read(rest, from);
        rest.flip();
        for (int at = 0; at <= rest.limit() - JournalFormat.RECORD; at++) {
            long sequence = rest.getLong(at + 8);
            int back = rest.getInt(at + 16);
            // the bounds come first: a checksum at every byte would cost the square of the length
            if (sequence > number
                    && sequence - number <= size
                    && back >= 0
                    && sequence - back > number
                    && JournalFormat.holdsRecord(rest, at, crc)) {
                return true;
            }
        }
        return false;
    }

    private static AccountingException damaged(JournalFormat.Name name, long offset) {
        return new AccountingException(
                ("the journal segment %s is damaged at byte %d: a fact that was acknowledged is not there, though later"
                                + " ones are; restore the file from a copy, or move the folder away to begin a new one"
                                + " under another node id")
                        .formatted(name.text(), offset));
    }
}
