package dev.jeton.accounting;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/** Goes through a segment's records in order, checking each. Owned by one thread. */
final class SegmentScanner implements Closeable {

    private static final int CHUNK = 1 << 17;

    private final JournalDisk.File file;
    private final CRC32C crc = new CRC32C();
    private ByteBuffer buffer = ByteBuffer.allocate(CHUNK).limit(0);
    private long bufferStart;
    private long offset = JournalFormat.HEADER;
    private long sequence;
    private int back;
    private int payloadStart;
    private int payloadLength;

    /** Takes over the file. */
    SegmentScanner(JournalDisk.File file) {
        this.file = file;
    }

    /**
     * Goes to the next record.
     *
     * @return false where no whole and undamaged one follows; the same place is looked at again by the next call
     */
    boolean next() throws IOException {
        // what was buffered may have been half written then, so a second look is at the file itself
        if (!at(offset) && !(fill(offset, CHUNK) && at(offset))) {
            return false;
        }
        int place = (int) (offset - bufferStart);
        payloadLength = buffer.getInt(place);
        sequence = buffer.getLong(place + 8);
        back = buffer.getInt(place + 16);
        payloadStart = place + JournalFormat.RECORD;
        offset += JournalFormat.RECORD + payloadLength;
        return true;
    }

    private boolean at(long position) throws IOException {
        int place = (int) (position - bufferStart);
        if (buffer.limit() - place < JournalFormat.RECORD) {
            return false;
        }
        int length = buffer.getInt(place);
        if (length > buffer.limit() - place - JournalFormat.RECORD
                && length <= FactCodec.MAX_BYTES
                && length > CHUNK / 2) {
            fill(position, length + JournalFormat.RECORD);
            place = 0;
        }
        return JournalFormat.holdsRecord(buffer, place, crc);
    }

    private boolean fill(long position, int least) throws IOException {
        if (buffer.capacity() < least) {
            buffer = ByteBuffer.allocate(least);
        }
        buffer.clear();
        file.read(buffer, position);
        buffer.flip();
        bufferStart = position;
        return buffer.hasRemaining();
    }

    /** Where the next record begins. */
    long offset() {
        return offset;
    }

    /** The current record's number. */
    long sequence() {
        return sequence;
    }

    /** How many records of its commit are before it. */
    int back() {
        return back;
    }

    /** The current record's payload; valid until the next call of {@link #next}. */
    ByteBuffer payload() {
        return buffer.duplicate()
                .limit(payloadStart + payloadLength)
                .position(payloadStart)
                .slice();
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
