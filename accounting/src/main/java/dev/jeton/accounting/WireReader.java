package dev.jeton.accounting;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Reads what a {@link WireWriter} wrote, trusting nothing of it. Owned by one thread. */
final class WireReader {

    private final ByteBuffer bytes;

    WireReader(ByteBuffer bytes) {
        this.bytes = bytes;
    }

    int octet() {
        if (!bytes.hasRemaining()) {
            throw damaged("it ends early");
        }
        return bytes.get() & 0xff;
    }

    long number() {
        long value = 0;
        for (int shift = 0; shift < 70; shift += 7) {
            int next = octet();
            value |= (next & 0x7fL) << shift;
            if (next < 0x80) {
                return (value >>> 1) ^ -(value & 1);
            }
        }
        throw damaged("a number takes more than ten bytes");
    }

    /** A number that fits an {@code int}. */
    int small() {
        long value = number();
        if (value != (int) value) {
            throw damaged("a number is out of range: " + value);
        }
        return (int) value;
    }

    String text(int most) {
        int length = count(4 * most);
        if (length > bytes.remaining()) {
            throw damaged("it ends early");
        }
        byte[] utf8 = new byte[length];
        bytes.get(utf8);
        String text = new String(utf8, StandardCharsets.UTF_8);
        if (text.length() > most) {
            throw damaged("a text has %d characters, at most %d were expected".formatted(text.length(), most));
        }
        return text;
    }

    byte[] bytes(int most) {
        int length = count(most);
        if (length > bytes.remaining()) {
            throw damaged("it ends early");
        }
        byte[] value = new byte[length];
        bytes.get(value);
        return value;
    }

    int count(int most) {
        long value = number();
        if (value < 0 || value > most) {
            throw damaged("it counts %d things, at most %d were expected".formatted(value, most));
        }
        return (int) value;
    }

    <E extends Enum<E>> E constant(E[] values) {
        int ordinal = octet();
        if (ordinal >= values.length) {
            throw damaged("it has a %s of number %d"
                    .formatted(values[0].getDeclaringClass().getSimpleName(), ordinal));
        }
        return values[ordinal];
    }

    boolean flag() {
        return octet() != 0;
    }

    void end() {
        if (bytes.hasRemaining()) {
            throw damaged("%d bytes follow its end".formatted(bytes.remaining()));
        }
    }

    static AccountingException damaged(String why) {
        return new AccountingException(
                "a fact of the journal cannot be read: " + why
                        + "; it was written by a newer version, or damaged: read it with the version that wrote it, or restore it");
    }
}
