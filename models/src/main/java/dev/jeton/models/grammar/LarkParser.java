package dev.jeton.models.grammar;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Reads grammars as Lark writes them, as far as they say which texts there are: rules and terminals, texts, ranges,
 * regular expressions, groups, parts that may be left out. Priorities, aliases and what trees are made of say nothing
 * about that and are passed over. Nothing is ignored between parts, so {@code %ignore} is refused, and so are other
 * directives, templates and flags other than {@code i}. The text begins with {@code start}, or the first rule.
 */
final class LarkParser extends RuleParser {

    private static final String START = "start";

    LarkParser(String text) {
        super(text);
    }

    @Override
    Rules rules() {
        Optional<String> first = Optional.empty();
        space();
        while (more()) {
            int from = at();
            if (peek() == '%') {
                throw error("directives are not supported; write a rule for what is imported, and name what is ignored"
                        + " where it may stand");
            }
            Optional<String> name = head();
            if (name.isEmpty()) {
                throw error("a rule is expected, as in: start: \"yes\" | \"no\"", from);
            }
            define(name.get(), from);
            first = first.or(() -> name);
            space();
        }
        String root = first.filter(name -> !defined(START)).orElse(START);
        return rules(mention(root, 0));
    }

    /** What a definition begins with, up to its colon: the name. Nothing is taken where it is none. */
    private Optional<String> head() {
        int from = at();
        while (peek() == '?' || peek() == '!') {
            codePoint();
        }
        String name = name();
        if (peek() == '.' && !name.isEmpty()) {
            codePoint();
            take("-");
            while (Character.isDigit(peek())) {
                codePoint();
            }
        }
        skipBlanks(false);
        if (name.isEmpty() || !take(":")) {
            back(from);
            return Optional.empty();
        }
        return Optional.of(name);
    }

    private String name() {
        int from = at();
        while (peek() == '_' || peek() < 128 && Character.isLetterOrDigit(peek())) {
            codePoint();
        }
        return since(from);
    }

    @Override
    boolean definition() {
        if (peek() == '%') {
            return true;
        }
        int from = at();
        boolean begins = firstInLine(from) && head().isPresent();
        back(from);
        return begins;
    }

    @Override
    void space() {
        skipBlanks(true);
        while (peek() == '#' || peek() == '/' && peek(1) == '/') {
            skipLine();
            skipBlanks(true);
        }
    }

    @Override
    void afterSequence() {
        if (take("->")) {
            space();
            name();
            space();
        }
    }

    @Override
    Expression atom() {
        int from = at();
        String name = name();
        if (!name.isEmpty()) {
            if (peek() == '{') {
                throw error("templates are not supported", from);
            }
            return new Expression.Call(mention(name, from));
        }
        if (take("(")) {
            return group(from, ")");
        }
        if (take("[")) {
            return Expression.optional(group(from, "]"));
        }
        if (peek() == '"' || peek() == '\'') {
            return text();
        }
        if (take("/")) {
            return expression(from);
        }
        throw error("'%s' is not expected here".formatted(shown()));
    }

    private Expression text() {
        int from = at();
        String text = literal((char) codePoint());
        if (take("i")) {
            List<Expression> parts = new ArrayList<>();
            text.codePoints().forEach(c -> parts.add(eitherCase(c)));
            return new Expression.Sequence(parts);
        }
        if (!take("..")) {
            return Expression.text(text);
        }
        char quote = (char) codePoint();
        String last = quote == '"' || quote == '\'' ? literal(quote) : "";
        if (text.codePointCount(0, text.length()) != 1
                || last.codePointCount(0, last.length()) != 1
                || last.codePointAt(0) < text.codePointAt(0)) {
            throw error("a range goes from one character to a later one", from);
        }
        return new Expression.Chars(text.codePointAt(0), last.codePointAt(0));
    }

    private static Expression eitherCase(int c) {
        int lower = Character.toLowerCase(c);
        int upper = Character.toUpperCase(c);
        return new Expression.Chars(CodePoints.union(new int[] {lower, lower}, new int[] {upper, upper}));
    }

    /** The rest of a regular expression. */
    private Expression expression(int from) {
        while (peek() != '/') {
            if (!more() || peek() == '\n') {
                throw error("a regular expression is not closed", from);
            }
            if (codePoint() == '\\') {
                codePoint();
            }
        }
        String pattern = since(from + 1);
        codePoint();
        if (Character.isLetter(peek())) {
            throw error("flags of regular expressions are not supported");
        }
        Expression expression = Regex.parse(pattern);
        if (anchored(expression)) {
            throw error("'^' and '$' are not supported; an expression is about what it takes alone", from);
        }
        return expression;
    }

    private static boolean anchored(Expression expression) {
        return switch (expression) {
            case Expression.Begin(), Expression.End() -> true;
            case Expression.Sequence(var parts) -> parts.stream().anyMatch(LarkParser::anchored);
            case Expression.Either(var parts) -> parts.stream().anyMatch(LarkParser::anchored);
            case Expression.Repeat(var part, int least, int most) -> anchored(part);
            case Expression.Chars chars -> false;
            case Expression.Call call -> false;
        };
    }

    @Override
    Expression quantified(Expression part) {
        if (peek() == '?' && (peek(1) == '_' || Character.isLetter(peek(1)))) {
            // the mark of the rule on the next line
            return part;
        }
        if (!take("~")) {
            return repeated(part);
        }
        skipBlanks(false);
        int least = count();
        skipBlanks(false);
        int most = least;
        if (take("..")) {
            skipBlanks(false);
            most = count();
        }
        return repeated(part, least, most);
    }
}
