package dev.jeton.models.encoder;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Texts that go through the graph together: a rectangle of {@code count} texts, each filled up to {@code longest}
 * tokens. What is written here are whole numbers, of 64 bits or of 32. Reused from run to run; owned by the engine's
 * thread.
 */
public final class TextRun {

    private final int padding;
    private final int separator;
    private int[] tokens = new int[0];
    private int[] row = new int[8];
    private int[] first = new int[8];
    private int[] length = new int[8];
    private int count;
    private int longest;

    /**
     * @param padding token that fills up a text
     * @param separator token after whose first place types are 1; -1 for none
     */
    TextRun(int padding, int separator) {
        this.padding = padding;
        this.separator = separator;
    }

    /** A run of given texts, to try a model with. */
    public static TextRun of(int padding, int separator, int[]... texts) {
        TextRun run = new TextRun(padding, separator);
        run.begin(Arrays.stream(texts).flatMapToInt(Arrays::stream).toArray());
        int at = 0;
        for (int i = 0; i < texts.length; i++) {
            run.add(i, at, texts[i].length);
            at += texts[i].length;
        }
        return run;
    }

    /** Begins a run of texts that lie in {@code source}. */
    void begin(int[] source) {
        tokens = source;
        count = 0;
        longest = 0;
    }

    /** Adds a text: {@code size} tokens from {@code from} on, which belong to a row of the step. */
    void add(int stepRow, int from, int size) {
        if (count == row.length) {
            row = Arrays.copyOf(row, 2 * count);
            first = Arrays.copyOf(first, 2 * count);
            length = Arrays.copyOf(length, 2 * count);
        }
        row[count] = stepRow;
        first[count] = from;
        length[count] = size;
        count++;
        longest = Math.max(longest, size);
    }

    /** Texts. */
    public int count() {
        return count;
    }

    /** Tokens of the longest, and places of each. */
    public int longest() {
        return longest;
    }

    /** Places of all. */
    public long places() {
        return (long) count * longest;
    }

    /** The step's row of a text. */
    int row(int text) {
        return row[text];
    }

    /** Tokens of a text. */
    int length(int text) {
        return length[text];
    }

    /** Writes token ids. */
    public void tokens(MemorySegment memory, boolean wide) {
        for (int i = 0; i < count; i++) {
            for (int t = 0; t < longest; t++) {
                put(memory, wide, i, t, t < length[i] ? tokens[first[i] + t] : padding);
            }
        }
    }

    /** Writes 1 where there is a token, else 0. */
    public void mask(MemorySegment memory, boolean wide) {
        for (int i = 0; i < count; i++) {
            for (int t = 0; t < longest; t++) {
                put(memory, wide, i, t, t < length[i] ? 1 : 0);
            }
        }
    }

    /** Writes types of tokens: 1 in the second text of a pair, which begins after the first separator. */
    public void types(MemorySegment memory, boolean wide) {
        for (int i = 0; i < count; i++) {
            int type = 0;
            for (int t = 0; t < longest; t++) {
                boolean inside = t < length[i];
                put(memory, wide, i, t, inside ? type : 0);
                if (inside && tokens[first[i] + t] == separator) {
                    type = 1;
                }
            }
        }
    }

    private void put(MemorySegment memory, boolean wide, int text, int place, int value) {
        long at = (long) text * longest + place;
        if (wide) {
            memory.setAtIndex(ValueLayout.JAVA_LONG, at, value);
        } else {
            memory.setAtIndex(ValueLayout.JAVA_INT, at, value);
        }
    }
}
