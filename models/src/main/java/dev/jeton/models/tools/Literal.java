package dev.jeton.models.tools;

/**
 * Finds a fixed text as characters come. Its first character stands nowhere else in it, so that where it does not go on
 * only the character at hand can begin it anew: nothing is ever looked at twice. Not thread-safe.
 */
final class Literal {

    private final String text;
    private final int mark;
    private int matched;

    /**
     * @param text what is looked for; empty where nothing but the mark is
     * @param mark its number among the format's marks, -1 where it is none
     */
    Literal(String text, int mark) {
        if (!text.isEmpty() && text.indexOf(text.charAt(0), 1) >= 0) {
            throw new IllegalArgumentException("'%s' could begin within itself".formatted(text));
        }
        this.text = text;
        this.mark = mark;
    }

    /** A literal that vocabularies may have as a special token. */
    static Literal mark(ToolFormat format, String text) {
        return new Literal(format.signed() ? "" : text, format.marks().indexOf(text));
    }

    /** How much of it the text ends with. */
    int matched() {
        return matched;
    }

    /** The part of it that the text ends with. */
    CharSequence part() {
        return text.subSequence(0, matched);
    }

    /**
     * Takes the next unit.
     *
     * @return whether the literal is whole with it; {@link #matched} begins anew then
     */
    boolean take(int unit) {
        if (unit < 0) {
            matched = 0;
            return Marks.index(unit) == mark;
        }
        if (text.isEmpty()) {
            return false;
        }
        if (text.charAt(matched) == unit) {
            matched++;
        } else {
            matched = text.charAt(0) == unit ? 1 : 0;
        }
        if (matched == text.length()) {
            matched = 0;
            return true;
        }
        return false;
    }

    /** How much of it, and not all, another text ends with. */
    int begunAtEndOf(StringBuilder other) {
        if (text.isEmpty()) {
            return 0;
        }
        int from = other.lastIndexOf(text.substring(0, 1));
        int length = other.length() - from;
        return from >= 0 && length < text.length() && text.startsWith(other.substring(from)) ? length : 0;
    }

    /** Forgets what was matched. */
    void reset() {
        matched = 0;
    }
}
