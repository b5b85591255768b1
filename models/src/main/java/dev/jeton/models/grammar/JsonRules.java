package dev.jeton.models.grammar;

import java.util.Optional;
import java.util.function.IntSupplier;

/**
 * The rules of JSON itself: white space, strings, numbers, any value.
 *
 * <p>White space is a space, or the end of a line and the next one's indentation, once at each place where JSON allows
 * some: a model that may write more may write nothing else any more. Strings escape as RFC 8259 has it, where a
 * surrogate is always one of a pair.
 */
final class JsonRules {

    static final String TRUE = "true";
    static final String FALSE = "false";
    static final String NULL = "null";

    /** Most code points of texts in which a whole mark is looked for. */
    private static final int MOST_MARKED = 1_000;

    /** Most that a line is indented. */
    private static final int MAX_INDENT = 40;

    private final NetworkBuilder network;
    private final Optional<String> never;
    private final boolean python;
    private int space = -1;
    private int string = -1;
    private int inString = -1;
    private int value = -1;
    private int object = -1;
    private int array = -1;

    JsonRules(NetworkBuilder network) {
        this(network, Optional.empty(), false);
    }

    /**
     * @param never what no string may contain, since it would end more than that
     * @param python whether words are Python's
     */
    JsonRules(NetworkBuilder network, Optional<String> never, boolean python) {
        this.network = network;
        this.never = never;
        this.python = python;
    }

    /** How one of the three words is written. */
    String word(String json) {
        return switch (python ? json : "") {
            case TRUE -> "True";
            case FALSE -> "False";
            case NULL -> "None";
            default -> json;
        };
    }

    /** Those of some texts that a string may have. */
    TextAutomaton allowed(TextAutomaton texts) {
        return never.isEmpty() ? texts : texts.without(containing(never.get()));
    }

    /** Whether a string may have a text. */
    boolean allowed(String text) {
        return never.isEmpty() || !text.contains(never.get());
    }

    /** Texts of so many code points that a string may have, where that is not all of them. */
    Optional<TextAutomaton> allowed(int least, int most) {
        return never.map(mark -> without(mark, least, most));
    }

    /**
     * Texts of so many code points that do not contain a mark; where those are many, nor what it begins with, since an
     * automaton that counts them has its size with each.
     *
     * @param most negative for no bound
     */
    static TextAutomaton without(String mark, int least, int most) {
        int counted = Math.max(least, most);
        String part = counted <= MOST_MARKED ? mark : mark.substring(0, Math.min(2, mark.length()));
        return (most < 0 ? TextAutomaton.atLeast(least) : TextAutomaton.lengths(least, most)).without(containing(part));
    }

    /** Texts that contain another. */
    static TextAutomaton containing(String text) {
        return ExpressionAutomaton.within(Expression.text(text));
    }

    /** The letter that escapes a code point after a backslash, or 0. */
    static int shortEscape(int c) {
        return switch (c) {
            case '"' -> '"';
            case '\\' -> '\\';
            case '\b' -> 'b';
            case '\f' -> 'f';
            case '\n' -> 'n';
            case '\r' -> 'r';
            case '\t' -> 't';
            default -> 0;
        };
    }

    /** Text as it stands in a JSON string. */
    static String escaped(String text) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            int letter = shortEscape(c);
            if (letter > 0) {
                out.append('\\').append((char) letter);
            } else if (c < 0x20) {
                out.append("\\u00%02x".formatted((int) c));
            } else {
                out.append(c);
            }
        }
        return out.toString();
    }

    /** White space, which may be none. */
    int space() {
        if (space < 0) {
            space = network.rule();
            int begin = network.begin(space);
            int end = network.end(space);
            network.epsilon(begin, end);
            network.bytes(begin, ' ', ' ', end);
            int line = network.node();
            network.bytes(begin, '\n', '\n', line);
            int carriage = network.node();
            network.bytes(begin, '\r', '\r', carriage);
            network.bytes(carriage, '\n', '\n', line);
            for (char indent : new char[] {' ', '\t'}) {
                int at = line;
                for (int i = 0; i < MAX_INDENT; i++) {
                    int next = network.node();
                    network.bytes(at, indent, indent, next);
                    network.epsilon(next, end);
                    at = next;
                }
            }
            network.epsilon(line, end);
        }
        return space;
    }

    /** Any string. */
    int string() {
        if (string < 0) {
            string = network.rule();
            int body = network.node();
            network.bytes(network.begin(string), '"', '"', body);
            if (never.isPresent()) {
                int end = network.node();
                TextEncoder.write(network, allowed(TextAutomaton.all()), body, end, true);
                network.bytes(end, '"', '"', network.end(string));
            } else {
                network.call(body, inString(), network.end(string));
            }
        }
        return string;
    }

    /** Any string from its opening quotation mark on: the rest of a string that is not told apart any more. */
    int inString() {
        if (inString < 0) {
            inString = network.rule();
            int body = network.node();
            network.epsilon(network.begin(inString), body);
            TextEncoder.write(network, PLAIN, body, body, false);
            escapes(body);
            network.bytes(body, '"', '"', network.end(inString));
        }
        return inString;
    }

    /** One code point that stands for itself in a string. */
    private static final TextAutomaton PLAIN = ExpressionAutomaton.whole(
            new Expression.Chars(0x20, '"' - 1, '"' + 1, '\\' - 1, '\\' + 1, Character.MAX_CODE_POINT));

    private void escapes(int body) {
        int backslash = network.node();
        network.bytes(body, '\\', '\\', backslash);
        for (char letter : "\"\\/bfnrt".toCharArray()) {
            network.bytes(backslash, letter, letter, body);
        }
        int hex = network.node();
        network.bytes(backslash, 'u', 'u', hex);
        int second = network.node();
        for (int[] range : new int[][] {{'0', '9'}, {'a', 'c'}, {'A', 'C'}, {'e', 'f'}, {'E', 'F'}}) {
            network.bytes(hex, range[0], range[1], second);
        }
        int last = hexDigit(hexDigit(second));
        hexDigit(last, body);
        int surrogate = network.node();
        network.bytes(hex, 'd', 'd', surrogate);
        network.bytes(hex, 'D', 'D', surrogate);
        int afterEight = network.node();
        network.bytes(surrogate, '0', '7', afterEight);
        hexDigit(hexDigit(afterEight), body);
        int high = network.node();
        for (int[] range : new int[][] {{'8', '9'}, {'a', 'b'}, {'A', 'B'}}) {
            network.bytes(surrogate, range[0], range[1], high);
        }
        int next = network.text(hexDigit(hexDigit(high)), "\\u");
        int low = network.node();
        network.bytes(next, 'd', 'd', low);
        network.bytes(next, 'D', 'D', low);
        int lowSecond = network.node();
        network.bytes(low, 'c', 'f', lowSecond);
        network.bytes(low, 'C', 'F', lowSecond);
        hexDigit(hexDigit(lowSecond), body);
    }

    private int hexDigit(int from) {
        int to = network.node();
        hexDigit(from, to);
        return to;
    }

    private void hexDigit(int from, int to) {
        network.bytes(from, '0', '9', to);
        network.bytes(from, 'a', 'f', to);
        network.bytes(from, 'A', 'F', to);
    }

    /** Any value. */
    int value() {
        if (value < 0) {
            value = network.rule();
            int begin = network.begin(value);
            int end = network.end(value);
            network.call(begin, object(), end);
            network.call(begin, array(), end);
            network.call(begin, string(), end);
            TextEncoder.write(network, ExpressionAutomaton.whole(NumberTexts.any(false)), begin, end, false);
            for (String literal : new String[] {TRUE, FALSE, NULL}) {
                network.epsilon(network.text(begin, word(literal)), end);
            }
        }
        return value;
    }

    /** Any object. */
    int object() {
        if (object < 0) {
            object = network.rule();
            list(object, '{', '}', () -> {
                int member = network.rule();
                int colon = network.call(network.call(network.begin(member), string()), space());
                int after = network.node();
                network.bytes(colon, ':', ':', after);
                network.call(network.call(after, space()), value(), network.end(member));
                return member;
            });
        }
        return object;
    }

    /** Any array. */
    int array() {
        if (array < 0) {
            array = network.rule();
            list(array, '[', ']', this::value);
        }
        return array;
    }

    private void list(int rule, char open, char close, IntSupplier elements) {
        int element = elements.getAsInt();
        int opened = network.node();
        network.bytes(network.begin(rule), open, open, opened);
        int first = network.call(opened, space());
        int closing = network.node();
        network.epsilon(first, closing);
        network.bytes(closing, close, close, network.end(rule));
        int after = network.call(network.call(first, element), space());
        network.epsilon(after, closing);
        int comma = network.node();
        network.bytes(after, ',', ',', comma);
        int next = network.call(comma, space());
        int afterNext = network.call(network.call(next, element), space());
        network.epsilon(afterNext, after);
    }
}
