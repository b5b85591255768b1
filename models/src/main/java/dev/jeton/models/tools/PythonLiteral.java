package dev.jeton.models.tools;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.regex.Pattern;

/**
 * Makes JSON of one of Python's literals as it comes: strings, numbers, {@code True}, {@code False}, {@code None},
 * lists and dictionaries whose keys are strings. JSON's own words are taken, too. A string goes out as it comes, a
 * number or word once it has ended. Not thread-safe.
 */
final class PythonLiteral {

    private static final int MOST_WORD = 400;
    private static final Pattern NUMBER = Pattern.compile("-?(?:0|[1-9][0-9]*)?(?:\\.[0-9]*)?(?:[eE][+-]?[0-9]+)?");

    /** What came of a unit. */
    enum Step {
        /** The literal goes on, or has ended and white space follows. */
        MORE,
        /** It is none of the literal's, which is whole. */
        ENDED,
        /** No literal goes on like this. */
        BROKEN
    }

    private enum State {
        VALUE,
        /** A key, or the end of a dictionary. */
        KEY,
        COLON,
        WORD,
        STRING,
        ESCAPE,
        HEX,
        AFTER
    }

    private final CallReader.Output out;
    private final Deque<Character> open = new ArrayDeque<>();
    private final StringBuilder word = new StringBuilder();
    private State state = State.VALUE;
    private boolean comma;
    private boolean key;
    private char quote;
    private int digits;

    PythonLiteral(CallReader.Output out) {
        this.out = out;
    }

    Step take(int unit) {
        return switch (state) {
            case VALUE, KEY -> JsonScanner.space(unit) ? Step.MORE : value(unit);
            case COLON -> colon(unit);
            case WORD -> word(unit);
            case STRING -> string(unit);
            case ESCAPE -> escape(unit);
            case HEX -> hex(unit);
            case AFTER -> after(unit);
        };
    }

    /** What was taken and not told yet. */
    CharSequence pending() {
        return word;
    }

    private Step value(int unit) {
        if (unit == ']' || unit == '}') {
            return closed(unit);
        }
        boolean begins = unit == '"' || unit == '\'';
        if (state == State.KEY && !begins || open.size() >= JsonScanner.MAX_DEPTH) {
            return Step.BROKEN;
        }
        if (begins) {
            separate();
            key = state == State.KEY;
            quote = (char) unit;
            state = State.STRING;
            out.arguments("\"");
            return Step.MORE;
        }
        if (unit == '[' || unit == '{') {
            separate();
            open.push((char) unit);
            out.arguments((char) unit);
            state = unit == '[' ? State.VALUE : State.KEY;
            return Step.MORE;
        }
        if (!wordly(unit)) {
            return Step.BROKEN;
        }
        word.setLength(0);
        state = State.WORD;
        return word(unit);
    }

    private void separate() {
        if (comma) {
            out.arguments(", ");
        }
        comma = false;
    }

    private Step closed(int unit) {
        if (open.isEmpty() || open.peek() != (unit == ']' ? '[' : '{') || state == State.VALUE && unit == '}') {
            return Step.BROKEN;
        }
        open.pop();
        comma = false;
        out.arguments((char) unit);
        state = State.AFTER;
        return Step.MORE;
    }

    private Step colon(int unit) {
        if (unit == ':') {
            out.arguments(": ");
            state = State.VALUE;
            return Step.MORE;
        }
        return JsonScanner.space(unit) ? Step.MORE : Step.BROKEN;
    }

    private static boolean wordly(int unit) {
        return unit >= 0 && unit < 0x80 && (Character.isLetterOrDigit(unit) || "_.+-".indexOf(unit) >= 0);
    }

    private Step word(int unit) {
        if (wordly(unit) && word.length() < MOST_WORD) {
            word.append((char) unit);
            return Step.MORE;
        }
        String json = json(word.toString());
        if (json.isEmpty()) {
            return Step.BROKEN;
        }
        separate();
        out.arguments(json);
        word.setLength(0);
        state = State.AFTER;
        return after(unit);
    }

    /** What a word or number is in JSON; empty where it is nothing. */
    private static String json(String text) {
        return switch (text) {
            case "True", "true" -> "true";
            case "False", "false" -> "false";
            case "None", "null" -> "null";
            default -> {
                String number = text.replace("_", "").replaceFirst("^\\+", "");
                if (!NUMBER.matcher(number).matches()) {
                    yield "";
                }
                String whole = number.replaceFirst("^(-?)\\.", "$10.").replaceFirst("\\.(?![0-9])", ".0");
                yield JsonScanner.valid(whole) ? whole : "";
            }
        };
    }

    private Step string(int unit) {
        if (unit < 0) {
            return Step.MORE;
        }
        if (unit == quote) {
            out.arguments("\"");
            state = key ? State.COLON : State.AFTER;
        } else if (unit == '\\') {
            state = State.ESCAPE;
        } else {
            let((char) unit);
        }
        return Step.MORE;
    }

    private void let(char c) {
        StringBuilder escaped = new StringBuilder();
        JsonText.escape(c, escaped);
        out.arguments(escaped);
    }

    private Step escape(int unit) {
        if (unit < 0) {
            return Step.MORE;
        }
        state = State.STRING;
        switch (unit) {
            case '\\', '\'', '"', '/' -> let((char) unit);
            case 'n' -> let('\n');
            case 'r' -> let('\r');
            case 't' -> let('\t');
            case 'b' -> let('\b');
            case 'f' -> let('\f');
            case 'v' -> let('\u000b');
            case 'a' -> let('\u0007');
            case '0' -> let('\0');
            case '\n' -> {}
            case 'x', 'u', 'U' -> {
                word.setLength(0);
                digits = unit == 'x' ? 2 : unit == 'u' ? 4 : 8;
                state = State.HEX;
            }
            default -> {
                // Python keeps a backslash that escapes nothing
                let('\\');
                let((char) unit);
            }
        }
        return Step.MORE;
    }

    private Step hex(int unit) {
        if (unit < 0 || unit > 'f' || Character.digit(unit, 16) < 0) {
            return Step.BROKEN;
        }
        word.append((char) unit);
        if (word.length() < digits) {
            return Step.MORE;
        }
        long code = Long.parseLong(word.toString(), 16);
        word.setLength(0);
        if (code > Character.MAX_CODE_POINT) {
            return Step.BROKEN;
        }
        state = State.STRING;
        if (code >= Character.MIN_SURROGATE && code <= Character.MAX_SURROGATE) {
            out.arguments("\\u%04x".formatted(code));
        } else {
            Character.toString((int) code).chars().forEach(c -> let((char) c));
        }
        return Step.MORE;
    }

    private Step after(int unit) {
        if (JsonScanner.space(unit)) {
            return Step.MORE;
        }
        if (open.isEmpty()) {
            return Step.ENDED;
        }
        if (unit == ',') {
            comma = true;
            state = open.peek() == '[' ? State.VALUE : State.KEY;
            return Step.MORE;
        }
        return unit == ']' || unit == '}' ? closed(unit) : Step.BROKEN;
    }
}
