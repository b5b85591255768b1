package dev.jeton.models.template;

import dev.jeton.models.template.TemplateParser.TokenStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Parses expressions with Jinja2's precedence, loosest first: {@code x if c else y}, or, and, not, comparisons and
 * {@code in}, {@code ~} and {@code + -}, {@code * / // %}, {@code **}, unary signs, then postfixes, filters and tests.
 */
final class ExpressionParser {

    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");
    private static final Set<String> TESTS_WITHOUT_ARGUMENT = Set.of(
            "defined",
            "undefined",
            "none",
            "string",
            "mapping",
            "iterable",
            "sequence",
            "number",
            "integer",
            "float",
            "boolean",
            "true",
            "false",
            "even",
            "odd",
            "callable",
            "lower",
            "upper",
            "filter",
            "test");

    private final TokenStream tokens;

    ExpressionParser(TokenStream tokens) {
        this.tokens = tokens;
    }

    /** An expression, or several separated by commas, which make a tuple. */
    Node.Expression tuple() {
        return tupleOf(true);
    }

    /** The same where {@code if} belongs to the statement around it. */
    Node.Expression tupleWithoutChoice() {
        return tupleOf(false);
    }

    private Node.Expression tupleOf(boolean choice) {
        Node.Expression first = choice ? expression() : or();
        if (!tokens.peek().is(Token.Kind.OPERATOR, ",")) {
            return first;
        }
        List<Node.Expression> items = new ArrayList<>(List.of(first));
        while (tokens.takeOperator(",")) {
            if (startsExpression()) {
                items.add(choice ? expression() : or());
            }
        }
        return new Node.TupleOf(items);
    }

    private boolean startsExpression() {
        return switch (tokens.peek().kind()) {
            case NAME, STRING, INTEGER, FLOAT -> true;
            case OPERATOR ->
                Set.of("(", "[", "{", "-", "+").contains(tokens.peek().text());
            default -> false;
        };
    }

    Node.Expression expression() {
        tokens.enter();
        Node.Expression value = or();
        while (tokens.takeName("if")) {
            Node.Expression condition = or();
            Optional<Node.Expression> otherwise =
                    tokens.takeName("else") ? Optional.of(expression()) : Optional.empty();
            value = new Node.Choice(condition, value, otherwise);
        }
        tokens.leave();
        return value;
    }

    private Node.Expression or() {
        Node.Expression left = and();
        while (tokens.takeName("or")) {
            left = new Node.Binary("or", left, and());
        }
        return left;
    }

    private Node.Expression and() {
        Node.Expression left = not();
        while (tokens.takeName("and")) {
            left = new Node.Binary("and", left, not());
        }
        return left;
    }

    private Node.Expression not() {
        if (tokens.takeName("not")) {
            tokens.enter();
            Node.Expression value = not();
            tokens.leave();
            return new Node.Unary("not", value);
        }
        return comparison();
    }

    private Node.Expression comparison() {
        Node.Expression left = sum();
        Node.Expression result = left;
        boolean chained = false;
        while (true) {
            String operator;
            if (tokens.peek().kind() == Token.Kind.OPERATOR
                    && COMPARISONS.contains(tokens.peek().text())) {
                operator = tokens.next().text();
            } else if (tokens.takeName("in")) {
                operator = "in";
            } else if (tokens.peek().is(Token.Kind.NAME, "not")
                    && tokens.peekAhead(1).is(Token.Kind.NAME, "in")) {
                tokens.next();
                tokens.next();
                operator = "not in";
            } else {
                return result;
            }
            Node.Expression right = sum();
            Node.Expression next = new Node.Binary(operator, left, right);
            result = chained ? new Node.Binary("and", result, next) : next;
            left = right;
            chained = true;
        }
    }

    private Node.Expression sum() {
        Node.Expression left = concatenation();
        while (true) {
            if (tokens.takeOperator("+")) {
                left = new Node.Binary("+", left, concatenation());
            } else if (tokens.takeOperator("-")) {
                left = new Node.Binary("-", left, concatenation());
            } else {
                return left;
            }
        }
    }

    private Node.Expression concatenation() {
        Node.Expression left = product();
        while (tokens.takeOperator("~")) {
            left = new Node.Binary("~", left, product());
        }
        return left;
    }

    private Node.Expression product() {
        Node.Expression left = power();
        while (true) {
            Token token = tokens.peek();
            if (token.kind() != Token.Kind.OPERATOR
                    || !Set.of("*", "/", "//", "%").contains(token.text())) {
                return left;
            }
            left = new Node.Binary(tokens.next().text(), left, power());
        }
    }

    private Node.Expression power() {
        Node.Expression left = unary(true);
        while (tokens.takeOperator("**")) {
            left = new Node.Binary("**", left, unary(true));
        }
        return left;
    }

    private Node.Expression unary(boolean withFilters) {
        tokens.enter();
        Node.Expression value;
        if (tokens.takeOperator("-")) {
            value = new Node.Unary("-", unary(false));
        } else if (tokens.takeOperator("+")) {
            value = new Node.Unary("+", unary(false));
        } else {
            value = postfix(primary());
        }
        tokens.leave();
        return withFilters ? filtersAndTests(value) : value;
    }

    private Node.Expression primary() {
        Token token = tokens.next();
        return switch (token.kind()) {
            case STRING -> {
                StringBuilder text = new StringBuilder(token.text());
                while (tokens.peek().kind() == Token.Kind.STRING) {
                    text.append(tokens.next().text());
                }
                yield new Node.Constant(text.toString());
            }
            case INTEGER -> new Node.Constant(integer(token));
            case FLOAT -> new Node.Constant(Double.valueOf(token.text()));
            case NAME ->
                switch (token.text()) {
                    case "true", "True" -> new Node.Constant(true);
                    case "false", "False" -> new Node.Constant(false);
                    case "none", "None" -> new Node.Constant(Values.NONE);
                    default -> new Node.Name(token.text());
                };
            case OPERATOR ->
                switch (token.text()) {
                    case "(" -> parenthesised();
                    case "[" -> list();
                    case "{" -> dictionary();
                    default -> throw tokens.error("unexpected '" + token.text() + "'");
                };
            default -> throw tokens.error("an expression is missing");
        };
    }

    private Long integer(Token token) {
        try {
            return Long.valueOf(token.text());
        } catch (NumberFormatException e) {
            throw tokens.error("the number " + token.text() + " is too large");
        }
    }

    private Node.Expression parenthesised() {
        if (tokens.takeOperator(")")) {
            return new Node.TupleOf(List.of());
        }
        Node.Expression value = tuple();
        tokens.expectOperator(")");
        return value;
    }

    private Node.Expression list() {
        List<Node.Expression> items = new ArrayList<>();
        while (!tokens.takeOperator("]")) {
            items.add(expression());
            if (!tokens.peek().is(Token.Kind.OPERATOR, "]")) {
                tokens.expectOperator(",");
            }
        }
        return new Node.ListOf(items);
    }

    private Node.Expression dictionary() {
        Map<Node.Expression, Node.Expression> entries = new LinkedHashMap<>();
        while (!tokens.takeOperator("}")) {
            Node.Expression key = expression();
            tokens.expectOperator(":");
            entries.put(key, expression());
            if (!tokens.peek().is(Token.Kind.OPERATOR, "}")) {
                tokens.expectOperator(",");
            }
        }
        return new Node.DictOf(entries);
    }

    private Node.Expression postfix(Node.Expression start) {
        Node.Expression value = start;
        while (true) {
            if (tokens.takeOperator(".")) {
                Token name = tokens.next();
                value = name.kind() == Token.Kind.INTEGER
                        ? new Node.Item(value, new Node.Constant(integer(name)))
                        : new Node.Attribute(value, name.text());
            } else if (tokens.takeOperator("[")) {
                value = subscript(value);
            } else if (tokens.peek().is(Token.Kind.OPERATOR, "(")) {
                value = new Node.Call(value, arguments());
            } else {
                return value;
            }
        }
    }

    private Node.Expression subscript(Node.Expression object) {
        Optional<Node.Expression> from = sliceEnd() ? Optional.empty() : Optional.of(expression());
        if (!tokens.takeOperator(":")) {
            tokens.expectOperator("]");
            return new Node.Item(object, from.orElseThrow(() -> tokens.error("an index is missing between [ and ]")));
        }
        Optional<Node.Expression> to = sliceEnd() ? Optional.empty() : Optional.of(expression());
        Optional<Node.Expression> step = Optional.empty();
        if (tokens.takeOperator(":") && !sliceEnd()) {
            step = Optional.of(expression());
        }
        tokens.expectOperator("]");
        return new Node.Slice(object, from, to, step);
    }

    private boolean sliceEnd() {
        return tokens.peek().is(Token.Kind.OPERATOR, ":") || tokens.peek().is(Token.Kind.OPERATOR, "]");
    }

    private Node.Arguments arguments() {
        List<Node.Expression> positional = new ArrayList<>();
        Map<String, Node.Expression> named = new LinkedHashMap<>();
        Optional<Node.Expression> rest = Optional.empty();
        Optional<Node.Expression> namedRest = Optional.empty();
        tokens.expectOperator("(");
        while (!tokens.takeOperator(")")) {
            boolean late = rest.isPresent() || namedRest.isPresent();
            if (namedRest.isEmpty() && tokens.takeOperator("**")) {
                namedRest = Optional.of(expression());
            } else if (!late && tokens.takeOperator("*")) {
                rest = Optional.of(expression());
            } else if (namedRest.isEmpty()
                    && tokens.peek().kind() == Token.Kind.NAME
                    && tokens.peekAhead(1).is(Token.Kind.OPERATOR, "=")) {
                String name = tokens.next().text();
                tokens.next();
                named.put(name, expression());
            } else if (late || !named.isEmpty()) {
                throw tokens.error("an argument is out of place");
            } else {
                positional.add(expression());
            }
            if (!tokens.peek().is(Token.Kind.OPERATOR, ")")) {
                tokens.expectOperator(",");
            }
        }
        return new Node.Arguments(positional, named, rest, namedRest);
    }

    private Node.Expression filtersAndTests(Node.Expression start) {
        Node.Expression value = start;
        while (true) {
            if (tokens.takeOperator("|")) {
                value = new Node.Filter(value, filterCall());
            } else if (tokens.takeName("is")) {
                value = test(value);
            } else if (tokens.peek().is(Token.Kind.OPERATOR, "(")) {
                value = new Node.Call(value, arguments());
            } else {
                return value;
            }
        }
    }

    Node.FilterCall filterCall() {
        String name = tokens.expect(Token.Kind.NAME).text();
        if (!Filters.known(name)) {
            throw tokens.error("the filter '" + name + "' is not supported");
        }
        Node.Arguments arguments = tokens.peek().is(Token.Kind.OPERATOR, "(") ? arguments() : Node.Arguments.NONE;
        return new Node.FilterCall(name, arguments);
    }

    private Node.Expression test(Node.Expression value) {
        boolean negated = tokens.takeName("not");
        Token token = tokens.next();
        String name = token.text();
        if (!Filters.knownTest(name)) {
            throw tokens.error("the test '" + name + "' is not supported");
        }
        List<Node.Expression> arguments = List.of();
        if (tokens.peek().is(Token.Kind.OPERATOR, "(")) {
            arguments = arguments().positional();
        } else if (!TESTS_WITHOUT_ARGUMENT.contains(name) && startsExpression()) {
            arguments = List.of(postfix(primary()));
        }
        return new Node.Test(value, name, arguments, negated);
    }
}
