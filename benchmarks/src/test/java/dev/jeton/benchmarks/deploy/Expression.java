package dev.jeton.benchmarks.deploy;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * What an expression of PromQL names: metrics with their matchers, and labels by which it groups. Reads words only;
 * whether the expression is one, promtool and Prometheus say.
 */
final class Expression {

    /** A metric, and what its labels must be. */
    record Selector(String metric, List<Matcher> matchers) {}

    /** A condition on a label; {@code operator} is one of {@code = != =~ !~}. */
    record Matcher(String label, String operator, String value) {}

    private static final Set<String> GROUPING = Set.of("by", "without", "on", "ignoring", "group_left", "group_right");
    private static final Set<String> OPERATORS = Set.of("and", "or", "unless", "offset", "bool");

    /** After the name of a function or an aggregation. */
    private static final Pattern CALL = Pattern.compile("\\(|(by|without)\\b");

    private final String text;
    private final List<Selector> selectors = new ArrayList<>();
    private final List<String> grouping = new ArrayList<>();
    private int at;

    private Expression(String text) {
        this.text = text;
    }

    static Expression of(String text) {
        Expression expression = new Expression(text);
        expression.read();
        return expression;
    }

    List<Selector> selectors() {
        return selectors;
    }

    List<String> grouping() {
        return grouping;
    }

    private void read() {
        while (skipSpaces()) {
            char c = text.charAt(at);
            if (c == '"') {
                string();
            } else if (c == '[') {
                at = text.indexOf(']', at) + 1;
            } else if (Character.isDigit(c)) {
                word(); // a number or a duration
            } else if (begins(c)) {
                name(word());
            } else {
                at++;
            }
        }
    }

    private void name(String word) {
        boolean more = skipSpaces();
        if (GROUPING.contains(word)) {
            if (more && text.charAt(at) == '(') {
                int end = text.indexOf(')', at);
                for (String label : text.substring(at + 1, end).split(",")) {
                    if (!label.isBlank()) {
                        grouping.add(label.strip());
                    }
                }
                at = end + 1;
            }
        } else if (!OPERATORS.contains(word)
                && !(more && CALL.matcher(text).region(at, text.length()).lookingAt())) {
            selectors.add(new Selector(word, more && text.charAt(at) == '{' ? matchers() : List.of()));
        }
    }

    private List<Matcher> matchers() {
        List<Matcher> matchers = new ArrayList<>();
        at++;
        while (skipSpaces() && text.charAt(at) != '}') {
            if (text.charAt(at) == ',') {
                at++;
                continue;
            }
            String label = word();
            skipSpaces();
            int from = at;
            while (text.charAt(at) != '"') {
                at++;
            }
            matchers.add(new Matcher(label, text.substring(from, at).strip(), string()));
        }
        at++;
        return matchers;
    }

    private String string() {
        StringBuilder value = new StringBuilder();
        for (at++; text.charAt(at) != '"'; at++) {
            if (text.charAt(at) == '\\') {
                at++;
            }
            value.append(text.charAt(at));
        }
        at++;
        return value.toString();
    }

    private String word() {
        int from = at;
        while (at < text.length()
                && (begins(text.charAt(at)) || Character.isDigit(text.charAt(at)) || text.charAt(at) == '.')) {
            at++;
        }
        if (at == from) {
            throw new IllegalArgumentException("no name at %d of %s".formatted(at, text));
        }
        return text.substring(from, at);
    }

    private static boolean begins(char c) {
        return Character.isLetter(c) || c == '_' || c == ':';
    }

    private boolean skipSpaces() {
        while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
            at++;
        }
        return at < text.length();
    }
}
