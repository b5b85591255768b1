package dev.jeton.server.json;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Writes JSON as UTF-8 into a growing array that is reused: streaming a token costs its escaping and nothing else.
 * Commas are set by themselves between values. Not thread-safe.
 */
public final class JsonWriter {

    private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

    private byte[] bytes = new byte[512];
    private int size;
    private boolean comma;

    /** Forgets what was written and keeps the array. */
    public JsonWriter clear() {
        size = 0;
        comma = false;
        return this;
    }

    /** Forgets that a value went before, for a part that follows raw bytes. */
    public JsonWriter restart() {
        comma = false;
        return this;
    }

    /** Bytes written. */
    public int size() {
        return size;
    }

    /** A copy of what was written. */
    public byte[] toBytes() {
        return Arrays.copyOf(bytes, size);
    }

    /** Writes bytes as they are, for parts encoded once per request. */
    public JsonWriter raw(byte[] part) {
        reserve(part.length);
        System.arraycopy(part, 0, bytes, size, part.length);
        size += part.length;
        return this;
    }

    /** Writes ASCII text as it is. */
    public JsonWriter raw(String ascii) {
        int length = ascii.length();
        reserve(length);
        for (int i = 0; i < length; i++) {
            bytes[size++] = (byte) ascii.charAt(i);
        }
        return this;
    }

    /** Writes a number as it is, without a comma. */
    public JsonWriter digits(long number) {
        if (number >= 0 && number < 10) {
            put((char) ('0' + number));
            return this;
        }
        return raw(Long.toString(number));
    }

    /** Opens an object. */
    public JsonWriter beginObject() {
        return open('{');
    }

    /** Closes an object. */
    public JsonWriter endObject() {
        return close('}');
    }

    /** Opens an array. */
    public JsonWriter beginArray() {
        return open('[');
    }

    /** Closes an array. */
    public JsonWriter endArray() {
        return close(']');
    }

    /** A field's name; its value follows. */
    public JsonWriter name(String name) {
        separate();
        quoted(name);
        put(':');
        comma = false;
        return this;
    }

    /** A string. */
    public JsonWriter value(CharSequence text) {
        separate();
        quoted(text);
        comma = true;
        return this;
    }

    /** A whole number. */
    public JsonWriter value(long number) {
        separate();
        digits(number);
        comma = true;
        return this;
    }

    /** A number; one that is not finite becomes null, for JSON has none. */
    public JsonWriter value(double number) {
        separate();
        raw(Double.isFinite(number) ? Double.toString(number) : "null");
        comma = true;
        return this;
    }

    /** A number of single precision, written as short as it reads back. */
    public JsonWriter value(float number) {
        separate();
        raw(Float.isFinite(number) ? Float.toString(number) : "null");
        comma = true;
        return this;
    }

    /** A boolean. */
    public JsonWriter value(boolean flag) {
        separate();
        raw(flag ? "true" : "false");
        comma = true;
        return this;
    }

    /** A null. */
    public JsonWriter nullValue() {
        separate();
        raw("null");
        comma = true;
        return this;
    }

    /** A tree of maps, lists, strings, numbers, Booleans and nulls. */
    public JsonWriter tree(@Nullable Object value) {
        switch (value) {
            case null -> nullValue();
            case CharSequence text -> value(text);
            case Boolean flag -> value(flag.booleanValue());
            case Integer number -> value(number.longValue());
            case Long number -> value(number.longValue());
            case Float number -> value(number.floatValue());
            case Number number -> value(number.doubleValue());
            case Map<?, ?> map -> {
                beginObject();
                map.forEach((name, item) -> name(String.valueOf(name)).tree(item));
                endObject();
            }
            case List<?> list -> {
                beginArray();
                list.forEach(this::tree);
                endArray();
            }
            default -> value(value.toString());
        }
        return this;
    }

    /** The text with JSON's escapes, without quotes; a lone surrogate becomes U+FFFD. */
    public JsonWriter escaped(CharSequence text) {
        int length = text.length();
        // A char takes at most six bytes (an escape); a pair of surrogates takes four.
        reserve(Math.multiplyExact(6, length));
        byte[] out = bytes;
        int at = size;
        for (int i = 0; i < length; i++) {
            char c = text.charAt(i);
            if (c < 0x80) {
                if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
                    out[at++] = (byte) c;
                } else {
                    at = escape(out, at, c);
                }
            } else if (c < 0x800) {
                out[at++] = (byte) (0xc0 | c >> 6);
                out[at++] = (byte) (0x80 | c & 0x3f);
            } else {
                int point = c;
                if (Character.isSurrogate(c)) {
                    boolean pair = Character.isHighSurrogate(c)
                            && i + 1 < length
                            && Character.isLowSurrogate(text.charAt(i + 1));
                    point = pair ? Character.toCodePoint(c, text.charAt(++i)) : 0xfffd;
                }
                at = encode(out, at, point);
            }
        }
        size = at;
        return this;
    }

    private static int encode(byte[] out, int start, int point) {
        int at = start;
        if (point >= 0x10000) {
            out[at++] = (byte) (0xf0 | point >> 18);
            out[at++] = (byte) (0x80 | point >> 12 & 0x3f);
        } else {
            out[at++] = (byte) (0xe0 | point >> 12);
        }
        out[at++] = (byte) (0x80 | point >> 6 & 0x3f);
        out[at++] = (byte) (0x80 | point & 0x3f);
        return at;
    }

    private static int escape(byte[] out, int start, char c) {
        int at = start;
        out[at++] = '\\';
        switch (c) {
            case '"', '\\' -> out[at++] = (byte) c;
            case '\n' -> out[at++] = 'n';
            case '\r' -> out[at++] = 'r';
            case '\t' -> out[at++] = 't';
            default -> {
                out[at++] = 'u';
                out[at++] = '0';
                out[at++] = '0';
                out[at++] = HEX[c >> 4];
                out[at++] = HEX[c & 15];
            }
        }
        return at;
    }

    private void quoted(CharSequence text) {
        put('"');
        escaped(text);
        put('"');
    }

    private JsonWriter open(char bracket) {
        separate();
        put(bracket);
        comma = false;
        return this;
    }

    private JsonWriter close(char bracket) {
        put(bracket);
        comma = true;
        return this;
    }

    private void separate() {
        if (comma) {
            put(',');
        }
    }

    private void put(char ascii) {
        reserve(1);
        bytes[size++] = (byte) ascii;
    }

    private void reserve(int more) {
        if (bytes.length - size < more) {
            bytes = Arrays.copyOf(bytes, Math.max(2 * bytes.length, Math.addExact(size, more)));
        }
    }
}
