package dev.jeton.accounting;

import java.nio.charset.StandardCharsets;

/** Text as both databases can hold it. */
final class SqlText {

    private SqlText() {}

    /** The text with what PostgreSQL refuses (the character zero, halves of surrogate pairs) replaced. */
    static String clean(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == 0 || Character.isSurrogate(c)) {
                return new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8)
                        .replace('\0', '\ufffd');
            }
        }
        return text;
    }
}
