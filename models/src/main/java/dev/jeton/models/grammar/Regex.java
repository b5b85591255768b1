package dev.jeton.models.grammar;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Parses regular expressions of ECMA-262 over code points, those parts that describe a set of texts: no references
 * back, word boundaries or flags, and look-ahead only where all of a text is ahead. Whether a quantifier is lazy makes
 * no difference to the set.
 */
final class Regex {

    /** Most that a quantifier may count to. */
    static final int MAX_REPEAT = 5_000;
    /** Deepest nesting of groups. */
    private static final int MAX_DEPTH = 100;

    private static final String QUANTIFIERS = "*+?";

    /** What a text must begin with, or must not. */
    private record Ahead(Expression expression, boolean not) {}

    private final String pattern;
    private int at;
    private int depth;

    private Regex(String pattern) {
        this.pattern = pattern;
    }

    /**
     * The expression.
     *
     * @throws GrammarException saying where it is none, or what of it is not supported
     */
    static Expression parse(String pattern) {
        Regex regex = new Regex(pattern);
        Expression expression = regex.either();
        if (regex.at < pattern.length()) {
            throw regex.error("there is a ')' that closes nothing");
        }
        return expression;
    }

    /**
     * The texts that a pattern matches, as a whole or somewhere.
     *
     * @throws GrammarException saying where it is none, or what of it is not supported
     */
    static TextAutomaton texts(String pattern, boolean whole) {
        Regex regex = new Regex(pattern);
        boolean anchored = regex.take("^") || whole;
        List<Ahead> ahead = new ArrayList<>();
        while (anchored && regex.looksAhead()) {
            boolean not = pattern.charAt(regex.at + 2) == '!';
            regex.at += 3;
            ahead.add(new Ahead(Expression.sequence(new Expression.Begin(), regex.inGroup()), not));
        }
        if (ahead.isEmpty()) {
            Expression expression = parse(pattern);
            return whole ? ExpressionAutomaton.whole(expression) : ExpressionAutomaton.within(expression);
        }
        Expression rest = Expression.sequence(new Expression.Begin(), regex.sequence());
        if (regex.more()) {
            throw regex.error(
                    "look-ahead is supported before all of an expression only; put what follows into a group");
        }
        TextAutomaton texts = whole ? ExpressionAutomaton.whole(rest) : ExpressionAutomaton.within(rest);
        for (Ahead look : ahead) {
            TextAutomaton seen = ExpressionAutomaton.within(look.expression);
            texts = look.not ? texts.without(seen) : texts.and(seen);
        }
        return texts;
    }

    private boolean looksAhead() {
        return pattern.startsWith("(?!", at) || pattern.startsWith("(?=", at);
    }

    private GrammarException error(String what) {
        return new GrammarException("the regular expression '%s' cannot be followed: %s (at character %d)"
                .formatted(pattern.length() > 100 ? pattern.substring(0, 100) + "…" : pattern, what, at + 1));
    }

    private boolean more() {
        return at < pattern.length();
    }

    private boolean take(String text) {
        if (pattern.startsWith(text, at)) {
            at += text.length();
            return true;
        }
        return false;
    }

    private int codePoint() {
        if (!more()) {
            throw error("it ends too early");
        }
        int c = pattern.codePointAt(at);
        at += Character.charCount(c);
        return c;
    }

    private Expression either() {
        List<Expression> parts = new ArrayList<>();
        do {
            parts.add(sequence());
        } while (take("|"));
        return parts.size() == 1 ? parts.getFirst() : new Expression.Either(parts);
    }

    private Expression sequence() {
        List<Expression> parts = new ArrayList<>();
        while (more() && pattern.charAt(at) != '|' && pattern.charAt(at) != ')') {
            parts.add(quantified(atom()));
        }
        return parts.size() == 1 ? parts.getFirst() : new Expression.Sequence(parts);
    }

    private Expression quantified(Expression part) {
        int least;
        int most;
        if (take("*")) {
            least = 0;
            most = Expression.UNBOUNDED;
        } else if (take("+")) {
            least = 1;
            most = Expression.UNBOUNDED;
        } else if (take("?")) {
            least = 0;
            most = 1;
        } else if (pattern.startsWith("{", at)) {
            at++;
            least = number();
            most = least;
            if (take(",")) {
                most = pattern.startsWith("}", at) ? Expression.UNBOUNDED : number();
            }
            if (!take("}") || most != Expression.UNBOUNDED && most < least) {
                throw error("a quantifier is {n}, {n,} or {n,m}; escape a brace that is meant as itself");
            }
        } else {
            return part;
        }
        if (part instanceof Expression.Begin || part instanceof Expression.End) {
            throw error("nothing can be repeated before the quantifier");
        }
        take("?");
        if (more() && (QUANTIFIERS.indexOf(pattern.charAt(at)) >= 0 || pattern.charAt(at) == '{')) {
            throw error("nothing can be repeated before the quantifier");
        }
        return new Expression.Repeat(part, least, most);
    }

    private int number() {
        int value = 0;
        int from = at;
        while (more() && Character.digit(pattern.charAt(at), 10) >= 0 && pattern.charAt(at) < 128) {
            value = 10 * value + (pattern.charAt(at++) - '0');
            if (value > MAX_REPEAT) {
                throw error("a quantifier counts to %d at most".formatted(MAX_REPEAT));
            }
        }
        if (at == from) {
            throw error("a quantifier is {n}, {n,} or {n,m}; escape a brace that is meant as itself");
        }
        return value;
    }

    private Expression atom() {
        int c = codePoint();
        return switch (c) {
            case '.' -> new Expression.Chars(CodePoints.DOT);
            case '^' -> new Expression.Begin();
            case '$' -> new Expression.End();
            case '[' -> set();
            case '(' -> group();
            case '\\' -> new Expression.Chars(escape(false));
            case '*', '+', '?', '{' -> {
                at--;
                throw error("nothing can be repeated before the quantifier");
            }
            default -> new Expression.Chars(c, c);
        };
    }

    private Expression group() {
        if (pattern.startsWith("?", at) && !take("?:")) {
            boolean named = pattern.startsWith("?<", at)
                    && !pattern.startsWith("?<=", at)
                    && !pattern.startsWith("?<!", at)
                    && pattern.indexOf('>', at) > 0;
            if (!named) {
                throw error("look-around, but for look-ahead at the beginning, and flags are not supported");
            }
            at = pattern.indexOf('>', at) + 1;
        }
        return inGroup();
    }

    /** The rest of a group that was opened. */
    private Expression inGroup() {
        if (++depth > MAX_DEPTH) {
            throw error("groups are nested deeper than " + MAX_DEPTH);
        }
        Expression inner = either();
        depth--;
        if (!take(")")) {
            throw error("a group is not closed");
        }
        return inner;
    }

    private Expression set() {
        boolean not = take("^");
        int[] all = new int[0];
        while (!take("]")) {
            int[] low = member();
            if (pattern.startsWith("-", at) && !pattern.startsWith("-]", at)) {
                at++;
                int[] high = member();
                if (low.length != 2 || low[0] != low[1] || high.length != 2 || high[0] != high[1] || high[0] < low[0]) {
                    throw error("a range goes from one character to a later one");
                }
                low = new int[] {low[0], high[0]};
            }
            all = CodePoints.union(all, low);
        }
        return new Expression.Chars(not ? CodePoints.not(all) : all);
    }

    private int[] member() {
        int c = codePoint();
        return c == '\\' ? escape(true) : new int[] {c, c};
    }

    private int[] escape(boolean inSet) {
        int c = codePoint();
        int one = switch (c) {
            case 't' -> '\t';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 'f' -> '\f';
            case 'v' -> 0x0b;
            case '0' -> 0;
            case 'x' -> hex(2);
            case 'u' -> unicode();
            case 'c' -> codePoint() % 32;
            default -> -1;
        };
        if (one >= 0) {
            return new int[] {one, one};
        }
        return switch (c) {
            case 'd' -> CodePoints.DIGITS;
            case 'D' -> CodePoints.not(CodePoints.DIGITS);
            case 'w' -> CodePoints.WORD;
            case 'W' -> CodePoints.not(CodePoints.WORD);
            case 's' -> CodePoints.SPACE;
            case 'S' -> CodePoints.not(CodePoints.SPACE);
            case 'p' -> property();
            case 'P' -> CodePoints.not(property());
            default -> literal(c, inSet);
        };
    }

    private int[] literal(int c, boolean inSet) {
        if (c == 'b' && inSet) {
            return new int[] {'\b', '\b'};
        }
        if (c < 128 && Character.isLetterOrDigit(c)) {
            String what = c == 'b' || c == 'B' ? "word boundaries are" : "'\\" + (char) c + "' is";
            throw error(what + " not supported");
        }
        return new int[] {c, c};
    }

    private int unicode() {
        if (take("{")) {
            int close = pattern.indexOf('}', at);
            int value = close > at && close - at <= 6 ? hex(close - at) : -1;
            if (value < 0 || value > Character.MAX_CODE_POINT || !take("}")) {
                throw error("\\u{…} names a code point in hexadecimal");
            }
            return value;
        }
        int high = hex(4);
        if (Character.isHighSurrogate((char) high) && take("\\u")) {
            int low = hex(4);
            if (!Character.isLowSurrogate((char) low)) {
                throw error("a surrogate is alone");
            }
            return Character.toCodePoint((char) high, (char) low);
        }
        return high;
    }

    private int hex(int digits) {
        int value = 0;
        for (int i = 0; i < digits; i++) {
            int digit = more() ? Character.digit(pattern.charAt(at++), 16) : -1;
            if (digit < 0) {
                throw error("%d hexadecimal digits are expected".formatted(digits));
            }
            value = 16 * value + digit;
        }
        return value;
    }

    private int[] property() {
        int close = pattern.indexOf('}', at);
        if (!take("{") || close < 0) {
            throw error("\\p is followed by a property in braces");
        }
        String name = pattern.substring(at, close);
        at = close + 1;
        Optional<int[]> ranges = CodePoints.property(name);
        return ranges.orElseThrow(() -> error("the property '%s' is not known".formatted(name)));
    }
}
