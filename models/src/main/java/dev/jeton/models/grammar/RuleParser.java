package dev.jeton.models.grammar;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Reads the rules of a grammar: what its dialects have in common, which is alternatives, sequences, groups, quantifiers
 * and escapes. White space and ends of lines only separate; a rule ends where the next begins. Used once.
 */
abstract sealed class RuleParser permits EbnfParser, LarkParser {

    /** Most rules, named ones. */
    static final int MAX_RULES = 10_000;
    /** Deepest nesting of groups. */
    private static final int MAX_DEPTH = 100;

    private static final Pattern EBNF = Pattern.compile("(?m)^[ \t]*+[\\w.-]++[ \t]*+::=");
    private static final Pattern LARK = Pattern.compile("(?m)^[ \t]*+[?!]*+\\w++(?:[.]-?[0-9]++)?+[ \t]*+:(?!:=)");

    private final String text;
    private final Map<String, Integer> places = new LinkedHashMap<>();
    private final Map<String, Integer> mentioned = new HashMap<>();
    private final Map<Integer, Expression> bodies = new HashMap<>();
    private int at;
    private int depth;

    RuleParser(String text) {
        this.text = text;
    }

    /**
     * The rules of a grammar, in the dialect that it is written in.
     *
     * @throws GrammarException saying where it is none, or what of it is not supported
     */
    static Rules parse(String text) {
        boolean lark = !EBNF.matcher(text).find() && LARK.matcher(text).find();
        return lark ? new LarkParser(text).rules() : new EbnfParser(text).rules();
    }

    // ---- what dialects have of their own ----

    /** The rules of all the text. */
    abstract Rules rules();

    /** Passes over white space and comments. */
    abstract void space();

    /** Whether a rule's definition begins here. */
    abstract boolean definition();

    /** One part of a sequence, before its quantifier. */
    abstract Expression atom();

    /** A part with its quantifier, if it has one. */
    abstract Expression quantified(Expression part);

    /** What may come behind a sequence; most dialects have nothing there. */
    void afterSequence() {}

    // ---- rules ----

    /** The place of a rule that is named here. */
    final int mention(String name, int from) {
        mentioned.putIfAbsent(name, from);
        return places.computeIfAbsent(name, added -> {
            if (places.size() == MAX_RULES) {
                throw error("there are more than %d rules".formatted(MAX_RULES), from);
            }
            return places.size();
        });
    }

    final boolean defined(String name) {
        Integer place = places.get(name);
        return place != null && bodies.containsKey(place);
    }

    /** Takes the body of a rule whose name was at a place. */
    final void define(String name, int from) {
        int place = mention(name, from);
        if (bodies.containsKey(place)) {
            throw error(
                    "the rule '%s' is defined twice; put '|' between alternatives of one rule".formatted(name), from);
        }
        Expression body = either();
        if (more() && !definition()) {
            throw error("'%s' is not expected here".formatted(shown()));
        }
        bodies.put(place, body);
    }

    /** All that were defined, beginning with one of them. */
    final Rules rules(int root) {
        List<String> names = List.copyOf(places.keySet());
        List<Expression> all = new ArrayList<>();
        for (int place = 0; place < names.size(); place++) {
            String name = names.get(place);
            Expression body = bodies.get(place);
            if (body == null) {
                throw error("the rule '%s' is not defined".formatted(name), mentioned.getOrDefault(name, 0));
            }
            all.add(body);
        }
        return new Rules(names, all, root);
    }

    // ---- expressions ----

    final Expression either() {
        List<Expression> parts = new ArrayList<>();
        do {
            parts.add(sequence());
            afterSequence();
        } while (take("|"));
        return parts.size() == 1 ? parts.getFirst() : new Expression.Either(parts);
    }

    private Expression sequence() {
        List<Expression> parts = new ArrayList<>();
        space();
        while (more() && "|)]}".indexOf(text.charAt(at)) < 0 && !text.startsWith("->", at) && !definition()) {
            Expression part = atom();
            space();
            parts.add(quantified(part));
            space();
            if (more() && "*+?{~".indexOf(text.charAt(at)) >= 0 && !definition()) {
                throw error("'%s' follows a quantifier; put what it is about into a group".formatted(shown()));
            }
        }
        return parts.size() == 1 ? parts.getFirst() : new Expression.Sequence(parts);
    }

    /** The rest of a group that was opened. */
    final Expression group(int from, String close) {
        if (++depth > MAX_DEPTH) {
            throw error("groups are nested deeper than " + MAX_DEPTH, from);
        }
        Expression inner = either();
        depth--;
        if (!take(close)) {
            throw error("a group is not closed", from);
        }
        return inner;
    }

    final Expression repeated(Expression part) {
        if (take("*")) {
            return new Expression.Repeat(part, 0, Expression.UNBOUNDED);
        }
        if (take("+")) {
            return new Expression.Repeat(part, 1, Expression.UNBOUNDED);
        }
        return take("?") ? Expression.optional(part) : part;
    }

    final Expression repeated(Expression part, int least, int most) {
        if (most != Expression.UNBOUNDED && most < least) {
            throw error("a part is repeated %d times at least and %d at most".formatted(least, most));
        }
        return new Expression.Repeat(part, least, most);
    }

    final int count() {
        int value = 0;
        int from = at;
        while (more() && '0' <= text.charAt(at) && text.charAt(at) <= '9') {
            value = 10 * value + (text.charAt(at++) - '0');
            if (value > Regex.MAX_REPEAT) {
                throw error("a quantifier counts to %d at most".formatted(Regex.MAX_REPEAT), from);
            }
        }
        if (at == from) {
            throw error("a number is expected");
        }
        return value;
    }

    /** The rest of a text between quotation marks. */
    final String literal(char quote) {
        int from = at - 1;
        StringBuilder literal = new StringBuilder();
        while (!take(String.valueOf(quote))) {
            if (!more()) {
                throw error("a text is not closed", from);
            }
            int c = codePoint();
            literal.appendCodePoint(c == '\\' ? escape() : c);
        }
        return literal.toString();
    }

    /** The rest of an escape. */
    final int escape() {
        int from = at - 1;
        int c = codePoint();
        return switch (c) {
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'f' -> '\f';
            case 'b' -> '\b';
            case 'v' -> 0x0b;
            case 'a' -> 0x07;
            case 'e' -> 0x1b;
            case '0' -> 0;
            case 'x' -> hex(2);
            case 'u' -> unicode(from);
            case 'U' -> {
                int value = hex(8);
                if (!Character.isValidCodePoint(value) || 0xd800 <= value && value <= 0xdfff) {
                    throw error("'\\U%08x' is no character".formatted(value), from);
                }
                yield value;
            }
            default -> {
                if (c < 128 && Character.isLetterOrDigit(c)) {
                    throw error("'\\%c' is no escape".formatted(c), from);
                }
                yield c;
            }
        };
    }

    private int unicode(int from) {
        int unit = hex(4);
        if (Character.isHighSurrogate((char) unit) && take("\\u")) {
            int low = hex(4);
            if (Character.isLowSurrogate((char) low)) {
                return Character.toCodePoint((char) unit, (char) low);
            }
        }
        if (Character.isSurrogate((char) unit)) {
            throw error("a surrogate is alone", from);
        }
        return unit;
    }

    private int hex(int digits) {
        int value = 0;
        for (int i = 0; i < digits; i++) {
            int digit = more() ? Character.digit(text.charAt(at), 16) : -1;
            if (digit < 0) {
                throw error("%d hexadecimal digits are expected".formatted(digits));
            }
            at++;
            value = 16 * value + digit;
        }
        return value;
    }

    // ---- the text ----

    final boolean more() {
        return at < text.length();
    }

    final int at() {
        return at;
    }

    final void back(int to) {
        at = to;
    }

    final boolean take(String what) {
        if (text.startsWith(what, at)) {
            at += what.length();
            return true;
        }
        return false;
    }

    /** The next character, which is not taken; 0 at the end. */
    final char peek() {
        return peek(0);
    }

    final char peek(int after) {
        return at + after < text.length() ? text.charAt(at + after) : 0;
    }

    final int codePoint() {
        if (!more()) {
            throw error("it ends too early");
        }
        int c = text.codePointAt(at);
        at += Character.charCount(c);
        return c;
    }

    final void skipLine() {
        int end = text.indexOf('\n', at);
        at = end < 0 ? text.length() : end;
    }

    final void skipBlanks(boolean lines) {
        while (more() && (peek() == ' ' || peek() == '\t' || lines && (peek() == '\n' || peek() == '\r'))) {
            at++;
        }
    }

    /** Whether nothing but blanks is before a place in its line. */
    final boolean firstInLine(int place) {
        int before = place - 1;
        while (before >= 0 && (text.charAt(before) == ' ' || text.charAt(before) == '\t')) {
            before--;
        }
        return before < 0 || text.charAt(before) == '\n' || text.charAt(before) == '\r';
    }

    final String since(int from) {
        return text.substring(from, at);
    }

    /** What is next, for an error. */
    final String shown() {
        return more() ? Character.toString(text.codePointAt(at)) : "the end";
    }

    final GrammarException error(String what) {
        return error(what, at);
    }

    final GrammarException error(String what, int place) {
        int line = 1;
        int begin = 0;
        for (int i = text.indexOf('\n'); 0 <= i && i < place; i = text.indexOf('\n', i + 1)) {
            line++;
            begin = i + 1;
        }
        return new GrammarException("%s (at line %d, character %d of the grammar)"
                .formatted(what, line, text.codePointCount(begin, Math.min(place, text.length())) + 1));
    }
}
