package dev.jeton.server.api;

import dev.jeton.models.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/**
 * One token as log-probabilities show it: its text amid others, and the bytes it stands for where those are no whole
 * characters.
 *
 * @param text the token's text; {@code bytes:\xe2\x80} where it is a part of a character
 * @param bytes the token's bytes
 */
record TokenText(String text, byte[] bytes) {

    /** Stands for what is no whole character. */
    static final String BROKEN = "\ufffd";
    /** The 68 bytes that byte-level vocabularies show as U+0100 and up, in order, are those outside these ranges. */
    private static final int SHIFTED = 0x100;

    static TokenText of(Tokenizer tokenizer, int token) {
        String alone = tokenizer.decode(new int[] {token}, false);
        if (!alone.contains(BROKEN)) {
            String text = within(tokenizer, token, alone);
            return new TokenText(text, text.getBytes(StandardCharsets.UTF_8));
        }
        byte[] bytes = rawBytes(tokenizer.token(token));
        String whole = new String(bytes, StandardCharsets.UTF_8);
        if (!whole.contains(BROKEN)) {
            return new TokenText(whole, bytes);
        }
        return new TokenText("bytes:" + HexFormat.of().withPrefix("\\x").formatHex(bytes), bytes);
    }

    /** Its text amid others: decoders of SentencePiece take the space from the beginning of a text. */
    private static String within(Tokenizer tokenizer, int token, String alone) {
        String twice = tokenizer.decode(new int[] {token, token}, false);
        return twice.startsWith(alone) ? twice.substring(alone.length()) : alone;
    }

    /** Bytes of a vocabulary entry: byte fallback ({@code <0xE2>}) or byte-level (GPT-2's letters for bytes). */
    private static byte[] rawBytes(String entry) {
        if (entry.length() == 6 && entry.startsWith("<0x") && entry.endsWith(">")) {
            try {
                return new byte[] {(byte) Integer.parseInt(entry, 3, 5, 16)};
            } catch (NumberFormatException e) {
                return entry.getBytes(StandardCharsets.UTF_8);
            }
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int i = 0; i < entry.length(); i++) {
            int value = byteOf(entry.charAt(i));
            if (value < 0) {
                return entry.getBytes(StandardCharsets.UTF_8);
            }
            out.write(value);
        }
        return out.toByteArray();
    }

    private static int byteOf(char letter) {
        if (shownAsItself(letter)) {
            return letter;
        }
        if (letter < SHIFTED) {
            return -1;
        }
        int rank = letter - SHIFTED;
        for (int value = 0; value < SHIFTED; value++) {
            if (!shownAsItself(value) && rank-- == 0) {
                return value;
            }
        }
        return -1;
    }

    private static boolean shownAsItself(int value) {
        return value >= '!' && value <= '~' || value >= 0xa1 && value <= 0xac || value >= 0xae && value <= 0xff;
    }
}
