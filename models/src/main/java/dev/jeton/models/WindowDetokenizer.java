package dev.jeton.models;

import java.util.Arrays;

/**
 * Detokenizes with the tokenizer's own decoder, for kinds that {@link PieceDecoder} does not know: the last few tokens
 * are decoded with and without the new one, and what the new one adds comes out, unless it ends in a broken character.
 */
final class WindowDetokenizer implements Detokenizer {

    private static final String BROKEN = "\uFFFD";
    private static final int MAX_HELD = 16;

    private final Tokenizer tokenizer;
    private final boolean skipSpecialTokens;
    private int[] ids = new int[64];
    private int length;
    private int windowStart;
    private int readTo;

    WindowDetokenizer(Tokenizer tokenizer, boolean skipSpecialTokens) {
        this.tokenizer = tokenizer;
        this.skipSpecialTokens = skipSpecialTokens;
    }

    @Override
    public String add(int token) {
        if (length == ids.length) {
            ids = Arrays.copyOf(ids, 2 * length);
        }
        ids[length++] = token;
        String text = addition();
        if (text.isEmpty() || text.endsWith(BROKEN) && length - readTo < MAX_HELD) {
            return "";
        }
        windowStart = readTo;
        readTo = length;
        return text;
    }

    @Override
    public String finish() {
        String text = addition();
        readTo = length;
        windowStart = length;
        return text;
    }

    private String addition() {
        String before = tokenizer.decode(Arrays.copyOfRange(ids, windowStart, readTo), skipSpecialTokens);
        String after = tokenizer.decode(Arrays.copyOfRange(ids, windowStart, length), skipSpecialTokens);
        return after.length() > before.length() ? after.substring(before.length()) : "";
    }
}
