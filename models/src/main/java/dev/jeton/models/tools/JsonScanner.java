package dev.jeton.models.tools;

import java.util.BitSet;

/**
 * Follows one JSON value (RFC 8259) character by character: says of each whether JSON can go on with it, and when the
 * value is whole. Keeps nothing but its state, so that a value may be as long as it likes. Not thread-safe.
 */
final class JsonScanner {

    /** Deepest nesting. */
    static final int MAX_DEPTH = 100;

    private enum State {
        /** A value must come. */
        VALUE,
        /** A value or the end of an array that has none yet. */
        FIRST_ITEM,
        /** A key or the end of an object that has none yet. */
        FIRST_KEY,
        KEY,
        COLON,
        /** After a value: a comma or the end of what it is in. */
        AFTER,
        STRING,
        ESCAPE,
        UNICODE,
        WORD,
        MINUS,
        ZERO,
        INTEGER,
        POINT,
        FRACTION,
        EXPONENT,
        EXPONENT_SIGN,
        EXPONENT_DIGITS,
        DONE,
        BROKEN
    }

    private final BitSet objects = new BitSet(MAX_DEPTH);
    private State state = State.VALUE;
    private int depth;
    private boolean key;
    private int hexDigits;
    private String word = "";
    private int wordLength;

    /** Whether {@code text} is one JSON value and nothing else. */
    static boolean valid(CharSequence text) {
        JsonScanner scanner = new JsonScanner();
        for (int i = 0; i < text.length(); i++) {
            if (!scanner.take(text.charAt(i))) {
                return false;
            }
        }
        return scanner.complete();
    }

    /** Whether a character is white space to JSON. */
    static boolean space(int unit) {
        return unit == ' ' || unit == '\n' || unit == '\t' || unit == '\r';
    }

    /** Takes the next character; false where no JSON goes on with it, and then for ever. */
    boolean take(char c) {
        State next = next(c);
        state = next;
        return next != State.BROKEN;
    }

    /** Whether the value is whole; a number at the top may still go on. */
    boolean complete() {
        return depth == 0
                && switch (state) {
                    case DONE, ZERO, INTEGER, FRACTION, EXPONENT_DIGITS -> true;
                    default -> false;
                };
    }

    /** Arrays and objects that are open. */
    int depth() {
        return depth;
    }

    /** Whether the last character was in a string, and not the quote that ended it. */
    boolean inString() {
        return state == State.STRING || state == State.ESCAPE || state == State.UNICODE;
    }

    /** Whether the string that is open, or ended last, is a key. */
    boolean key() {
        return key;
    }

    /** Whether a value has to come now, of an object's field. */
    boolean atValue() {
        return state == State.VALUE;
    }

    private State next(char c) {
        return switch (state) {
            case VALUE -> space(c) ? state : value(c);
            case FIRST_ITEM -> space(c) ? state : c == ']' ? closed() : value(c);
            case FIRST_KEY -> space(c) ? state : c == '}' ? closed() : string(c, true);
            case KEY -> space(c) ? state : string(c, true);
            case COLON -> space(c) ? state : c == ':' ? State.VALUE : State.BROKEN;
            case AFTER -> after(c);
            case STRING -> c == '"' ? endOfString() : c == '\\' ? State.ESCAPE : c < ' ' ? State.BROKEN : state;
            case ESCAPE -> escape(c);
            case UNICODE ->
                Character.digit(c, 16) < 0 || c > 'f' ? State.BROKEN : ++hexDigits < 4 ? state : State.STRING;
            case WORD -> word(c);
            case MINUS -> c == '0' ? State.ZERO : digit(c) ? State.INTEGER : State.BROKEN;
            case ZERO -> c == '.' ? State.POINT : exponent(c) ? State.EXPONENT : endOfNumber(c);
            case INTEGER -> digit(c) ? state : c == '.' ? State.POINT : exponent(c) ? State.EXPONENT : endOfNumber(c);
            case POINT -> digit(c) ? State.FRACTION : State.BROKEN;
            case FRACTION -> digit(c) ? state : exponent(c) ? State.EXPONENT : endOfNumber(c);
            case EXPONENT ->
                c == '+' || c == '-' ? State.EXPONENT_SIGN : digit(c) ? State.EXPONENT_DIGITS : State.BROKEN;
            case EXPONENT_SIGN -> digit(c) ? State.EXPONENT_DIGITS : State.BROKEN;
            case EXPONENT_DIGITS -> digit(c) ? state : endOfNumber(c);
            case DONE -> space(c) ? state : State.BROKEN;
            case BROKEN -> State.BROKEN;
        };
    }

    private static boolean digit(char c) {
        return c >= '0' && c <= '9';
    }

    private static boolean exponent(char c) {
        return c == 'e' || c == 'E';
    }

    private State value(char c) {
        return switch (c) {
            case '{' -> opened(true);
            case '[' -> opened(false);
            case '"' -> string(c, false);
            case 't' -> word("true", c);
            case 'f' -> word("false", c);
            case 'n' -> word("null", c);
            case '-' -> State.MINUS;
            case '0' -> State.ZERO;
            default -> digit(c) ? State.INTEGER : State.BROKEN;
        };
    }

    private State opened(boolean object) {
        if (depth == MAX_DEPTH) {
            return State.BROKEN;
        }
        objects.set(depth++, object);
        return object ? State.FIRST_KEY : State.FIRST_ITEM;
    }

    private State closed() {
        depth--;
        return ended();
    }

    private State ended() {
        return depth == 0 ? State.DONE : State.AFTER;
    }

    private State after(char c) {
        boolean object = objects.get(depth - 1);
        if (space(c)) {
            return State.AFTER;
        }
        if (c == ',') {
            return object ? State.KEY : State.VALUE;
        }
        return c == (object ? '}' : ']') ? closed() : State.BROKEN;
    }

    private State string(char c, boolean asKey) {
        key = asKey;
        return c == '"' ? State.STRING : State.BROKEN;
    }

    private State endOfString() {
        return key ? State.COLON : ended();
    }

    private State escape(char c) {
        if (c == 'u') {
            hexDigits = 0;
            return State.UNICODE;
        }
        return "\"\\/bfnrt".indexOf(c) >= 0 ? State.STRING : State.BROKEN;
    }

    private State word(String expected, char first) {
        word = expected;
        wordLength = 0;
        return word(first);
    }

    private State word(char c) {
        if (word.charAt(wordLength) != c) {
            return State.BROKEN;
        }
        return ++wordLength == word.length() ? ended() : State.WORD;
    }

    /** A number ends with what follows it. */
    private State endOfNumber(char c) {
        return depth == 0 ? space(c) ? State.DONE : State.BROKEN : after(c);
    }
}
