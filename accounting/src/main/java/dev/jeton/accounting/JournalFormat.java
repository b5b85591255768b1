package dev.jeton.accounting;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;

/**
 * Segments as bytes, big-endian.
 *
 * <p>A segment: {@value #HEADER} bytes of header, then records. The header: magic (8), version (4), first sequence
 * number (8), the last one before it (8), the node's id (2 + UTF-8), CRC32C of all before (the last 4). Records before
 * the first of a later segment's number but after "the last one before it" are remains of a commit that failed and was
 * written again; they do not count.
 *
 * <p>A record: length of the payload (4), CRC32C of everything else (4), sequence number (8), how many records of the
 * same commit are before it (4), payload. The fourth field tells, of any record, what was durable when it was written:
 * everything before its commit. So a hole that is followed by records can be told apart: if one of them was written
 * when the hole was durable, something acknowledged is lost; if not, the hole and they are one commit that a crash cut
 * off.
 */
final class JournalFormat {

    /** Bytes of a segment's header. */
    static final int HEADER = 512;
    /** Bytes of a record before its payload. */
    static final int RECORD = 20;

    private static final long MAGIC = 0x4a65746f6e4a6f75L;
    private static final int VERSION = 1;
    private static final Pattern NAME = Pattern.compile("(\\d{20})(?:-(\\d{1,9}))?\\.journal");

    private JournalFormat() {}

    /**
     * A segment's file.
     *
     * @param first its first sequence number
     * @param attempt 0, or more where the disk failed before anything in a file of that number was durable
     */
    record Name(long first, int attempt) implements Comparable<Name> {

        String text() {
            return attempt == 0 ? "%020d.journal".formatted(first) : "%020d-%d.journal".formatted(first, attempt);
        }

        static Optional<Name> parse(String text) {
            Matcher matcher = NAME.matcher(text);
            if (!matcher.matches()) {
                return Optional.empty();
            }
            String attempt = matcher.group(2);
            try {
                return Optional.of(
                        new Name(Long.parseLong(matcher.group(1)), attempt == null ? 0 : Integer.parseInt(attempt)));
            } catch (NumberFormatException e) {
                return Optional.empty(); // past what a long holds: not ours
            }
        }

        @Override
        public int compareTo(Name other) {
            return first != other.first ? Long.compare(first, other.first) : Integer.compare(attempt, other.attempt);
        }
    }

    /**
     * What a segment says of itself.
     *
     * @param previous the last sequence number that was durable when it began; {@code first - 1} unless numbers were
     *     skipped
     */
    record Header(long first, long previous, String node) {

        ByteBuffer encode() {
            ByteBuffer buffer = ByteBuffer.allocate(HEADER);
            byte[] id = node.getBytes(StandardCharsets.UTF_8);
            buffer.putLong(MAGIC).putInt(VERSION).putLong(first).putLong(previous);
            buffer.putShort((short) id.length).put(id);
            buffer.putInt(HEADER - 4, crc(buffer.array()));
            return buffer.rewind();
        }

        /** Reads a header; empty where there is none, or a torn one. */
        static Optional<Header> read(JournalDisk.File file, String name) throws IOException {
            ByteBuffer buffer = ByteBuffer.allocate(HEADER);
            if (file.read(buffer, 0) < HEADER
                    || buffer.getInt(HEADER - 4) != crc(buffer.array())
                    || buffer.rewind().getLong() != MAGIC) {
                return Optional.empty();
            }
            int version = buffer.getInt();
            if (version != VERSION) {
                throw new AccountingException(
                        "the journal segment %s has version %d, this program knows %d; start the version that wrote it"
                                .formatted(name, version, VERSION));
            }
            long first = buffer.getLong();
            long previous = buffer.getLong();
            byte[] id = new byte[buffer.getShort()];
            buffer.get(id);
            return Optional.of(new Header(first, previous, new String(id, StandardCharsets.UTF_8)));
        }

        private static int crc(byte[] header) {
            CRC32C crc = new CRC32C();
            crc.update(header, 0, HEADER - 4);
            return (int) crc.getValue();
        }
    }

    /** Writes a record's first bytes. */
    static void putRecordHeader(ByteBuffer to, long sequence, int back, byte[] payload, CRC32C crc) {
        int start = to.position();
        to.putInt(payload.length).putInt(0).putLong(sequence).putInt(back);
        crc.reset();
        crc.update(to.duplicate().limit(start + 4).position(start));
        crc.update(to.duplicate().limit(start + RECORD).position(start + 8));
        crc.update(payload);
        to.putInt(start + 4, (int) crc.getValue());
    }

    /** Whether a whole and undamaged record begins there. */
    static boolean holdsRecord(ByteBuffer buffer, int at, CRC32C crc) {
        if (buffer.limit() - at < RECORD) {
            return false;
        }
        int length = buffer.getInt(at);
        if (length <= 0 || length > FactCodec.MAX_BYTES || length > buffer.limit() - at - RECORD) {
            return false;
        }
        crc.reset();
        crc.update(buffer.duplicate().limit(at + 4).position(at));
        crc.update(buffer.duplicate().limit(at + RECORD + length).position(at + 8));
        return (int) crc.getValue() == buffer.getInt(at + 4);
    }
}
