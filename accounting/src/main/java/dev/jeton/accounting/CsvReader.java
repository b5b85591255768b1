package dev.jeton.accounting;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Reads comma-separated values as RFC 4180 says: fields may stand in quotes, and hold commas, line ends and doubled
 * quotes there. Lines may also end in LF or CR alone, and the text may begin with a byte order mark; lines without
 * anything are skipped. Nothing is repaired: what is not so written is an error that names the line. Confined to one
 * thread.
 */
final class CsvReader {

    /** Most characters of a field. */
    static final int MAX_FIELD = 1 << 16;
    /** Most fields of a row. */
    static final int MAX_FIELDS = 1_000;

    private static final int END = -1;
    private static final int BYTE_ORDER_MARK = 0xfeff;

    /**
     * A row.
     *
     * @param line where it begins, from 1
     */
    record Row(long line, List<String> fields) {}

    private final String name;
    private final Reader in;
    private final StringBuilder field = new StringBuilder();
    private long line = 1;
    private int next;
    private boolean begun;

    /**
     * Reads a text.
     *
     * @param name what messages call it
     * @param in not closed here
     */
    CsvReader(String name, Reader in) {
        this.name = name;
        this.in = new BufferedReader(in);
    }

    /** The next row; empty at the end. */
    Optional<Row> next() {
        if (!begun) {
            begun = true;
            read();
            if (next == BYTE_ORDER_MARK) {
                read();
            }
        }
        while (next == '\r' || next == '\n') {
            endOfLine();
        }
        if (next == END) {
            return Optional.empty();
        }
        long first = line;
        List<String> fields = new ArrayList<>();
        while (true) {
            fields.add(next == '"' ? quoted() : plain());
            if (fields.size() > MAX_FIELDS) {
                throw wrong("has more than %,d fields".formatted(MAX_FIELDS));
            }
            if (next != ',') {
                break;
            }
            read();
        }
        if (next != END) {
            endOfLine();
        }
        return Optional.of(new Row(first, List.copyOf(fields)));
    }

    private String plain() {
        field.setLength(0);
        while (next != ',' && next != '\r' && next != '\n' && next != END) {
            if (next == '"') {
                throw wrong("has a quote in a field that does not begin with one: put the whole field in quotes, and"
                        + " double those in it");
            }
            take();
        }
        return field.toString();
    }

    private String quoted() {
        long opened = line;
        field.setLength(0);
        read();
        while (true) {
            if (next == END) {
                throw new AccountingException(
                        "%s, line %d: a quote is opened and never closed".formatted(name, opened));
            }
            if (next == '"') {
                read();
                if (next != '"') {
                    break;
                }
            } else if (next == '\n') {
                line++;
            }
            take();
        }
        if (next != ',' && next != '\r' && next != '\n' && next != END) {
            throw wrong("has text after a closing quote: double the quotes that belong to the field");
        }
        return field.toString();
    }

    private void take() {
        if (field.length() == MAX_FIELD) {
            throw wrong("has a field of more than %,d characters".formatted(MAX_FIELD));
        }
        field.append((char) next);
        read();
    }

    private void endOfLine() {
        boolean pair = next == '\r';
        read();
        if (pair && next == '\n') {
            read();
        }
        line++;
    }

    private void read() {
        try {
            next = in.read();
        } catch (CharacterCodingException e) {
            throw new AccountingException("%s, after line %d: is not UTF-8; save it so".formatted(name, line), e);
        } catch (IOException e) {
            throw new AccountingException("%s cannot be read (%s); see to the file".formatted(name, e), e);
        }
    }

    private AccountingException wrong(String what) {
        return new AccountingException("%s, line %d: %s".formatted(name, line, what));
    }
}
