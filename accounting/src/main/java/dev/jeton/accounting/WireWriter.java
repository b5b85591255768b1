package dev.jeton.accounting;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Bytes being written: grows as needed, up to a bound. Owned by one thread. */
final class WireWriter {

    private final int most;
    private byte[] bytes = new byte[256];
    private int size;

    /** Of a fact. */
    WireWriter() {
        this(FactCodec.MAX_BYTES);
    }

    /**
     * Of anything.
     *
     * @param most most bytes
     */
    WireWriter(int most) {
        this.most = most;
    }

    void octet(int value) {
        room(1);
        bytes[size++] = (byte) value;
    }

    /** Seven bits at a time, the lowest first; small magnitudes of either sign are short. */
    void number(long value) {
        room(10);
        long rest = (value << 1) ^ (value >> 63);
        while ((rest & ~0x7fL) != 0) {
            bytes[size++] = (byte) (rest | 0x80);
            rest >>>= 7;
        }
        bytes[size++] = (byte) rest;
    }

    /**
     * Length in bytes, then UTF-8; half a surrogate pair becomes a question mark.
     *
     * @param most most characters
     */
    void text(String what, String value, int most) {
        if (value.length() > most) {
            throw new AccountingException(
                    "%s has %d characters, the journal keeps at most %d; refuse longer ones where they come in"
                            .formatted(what, value.length(), most));
        }
        byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
        number(utf8.length);
        room(utf8.length);
        System.arraycopy(utf8, 0, bytes, size, utf8.length);
        size += utf8.length;
    }

    /** Length, then the bytes. */
    void bytes(byte[] value) {
        number(value.length);
        room(value.length);
        System.arraycopy(value, 0, bytes, size, value.length);
        size += value.length;
    }

    /** How many things follow. */
    void count(String what, int value, int most) {
        if (value > most) {
            throw new AccountingException(
                    "there are %d %s, the journal keeps at most %d; send fewer at once".formatted(value, what, most));
        }
        number(value);
    }

    byte[] toBytes() {
        return Arrays.copyOf(bytes, size);
    }

    private void room(int more) {
        if (size + more > most) {
            throw new AccountingException(
                    "a record takes more than %d bytes, the most of one; close the window sooner, or keep less"
                            .formatted(most));
        }
        if (size + more > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(size + more, 2 * size));
        }
    }
}
