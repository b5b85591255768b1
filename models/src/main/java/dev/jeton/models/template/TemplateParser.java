package dev.jeton.models.template;

import dev.jeton.models.TemplateException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Parses statements; expressions are {@link ExpressionParser}'s. Recursive descent, one method per statement. */
final class TemplateParser {

    private final TokenStream tokens;
    private final ExpressionParser expressions;

    TemplateParser(List<Token> tokens) {
        this.tokens = new TokenStream(tokens);
        expressions = new ExpressionParser(this.tokens);
    }

    List<Node.Statement> parse() {
        List<Node.Statement> body = body();
        if (tokens.peek().kind() != Token.Kind.END) {
            throw tokens.error("'" + tokens.peekAhead(1).text() + "' without its beginning");
        }
        return body;
    }

    /** Statements up to a block whose name ends or continues an outer one, which is left to the caller. */
    private List<Node.Statement> body(String... enders) {
        List<Node.Statement> statements = new ArrayList<>();
        while (true) {
            Token token = tokens.peek();
            switch (token.kind()) {
                case TEXT -> statements.add(new Node.Text(tokens.next().text()));
                case PRINT_BEGIN -> {
                    tokens.next();
                    statements.add(new Node.Print(expressions.tuple()));
                    tokens.expect(Token.Kind.PRINT_END);
                }
                case BLOCK_BEGIN -> {
                    String name = tokens.peekAhead(1).text();
                    if (List.of(enders).contains(name) || name.startsWith("end") || name.startsWith("el")) {
                        return statements;
                    }
                    tokens.next();
                    tokens.next();
                    tokens.enter();
                    statement(name, statements);
                    tokens.leave();
                }
                default -> {
                    return statements;
                }
            }
        }
    }

    private void statement(String name, List<Node.Statement> into) {
        switch (name) {
            case "if" -> into.add(ifStatement());
            case "for" -> into.add(forStatement());
            case "set" -> into.add(set());
            case "macro" -> into.add(macro());
            case "filter" -> into.add(filterBlock());
            case "call" -> into.add(callBlock());
            case "break" -> {
                tokens.expect(Token.Kind.BLOCK_END);
                into.add(new Node.Break());
            }
            case "continue" -> {
                tokens.expect(Token.Kind.BLOCK_END);
                into.add(new Node.Continue());
            }
            case "generation" -> {
                tokens.expect(Token.Kind.BLOCK_END);
                into.addAll(body());
                end("endgeneration");
            }
            default -> throw tokens.error("the statement '" + name + "' is not supported");
        }
    }

    private void end(String name) {
        tokens.expect(Token.Kind.BLOCK_BEGIN);
        tokens.expectName(name);
        tokens.expect(Token.Kind.BLOCK_END);
    }

    private Node.Statement ifStatement() {
        List<Node.Branch> branches = new ArrayList<>();
        List<Node.Statement> otherwise = List.of();
        Node.Expression condition = expressions.tuple();
        tokens.expect(Token.Kind.BLOCK_END);
        branches.add(new Node.Branch(condition, body()));
        while (true) {
            tokens.expect(Token.Kind.BLOCK_BEGIN);
            String name = tokens.next().text();
            switch (name) {
                case "elif" -> {
                    Node.Expression next = expressions.tuple();
                    tokens.expect(Token.Kind.BLOCK_END);
                    branches.add(new Node.Branch(next, body()));
                }
                case "else" -> {
                    tokens.expect(Token.Kind.BLOCK_END);
                    otherwise = body();
                }
                case "endif" -> {
                    tokens.expect(Token.Kind.BLOCK_END);
                    return new Node.If(branches, otherwise);
                }
                default -> throw tokens.error("an if is not closed: found '" + name + "'");
            }
        }
    }

    private Node.Statement forStatement() {
        List<String> targets = targetNames();
        tokens.expectName("in");
        Node.Expression iterable = expressions.tupleWithoutChoice();
        Optional<Node.Expression> filter = Optional.empty();
        if (tokens.takeName("if")) {
            filter = Optional.of(expressions.expression());
        }
        if (tokens.peek().is(Token.Kind.NAME, "recursive")) {
            throw tokens.error("recursive loops are not supported");
        }
        tokens.expect(Token.Kind.BLOCK_END);
        List<Node.Statement> body = body();
        List<Node.Statement> otherwise = List.of();
        if (tokens.peekAhead(1).text().equals("else")) {
            end("else");
            otherwise = body();
        }
        end("endfor");
        return new Node.For(targets, iterable, filter, body, otherwise);
    }

    private List<String> targetNames() {
        boolean parenthesised = tokens.takeOperator("(");
        List<String> names = new ArrayList<>();
        do {
            names.add(tokens.expect(Token.Kind.NAME).text());
        } while (tokens.takeOperator(","));
        if (parenthesised) {
            tokens.expectOperator(")");
        }
        return names;
    }

    private Node.Statement set() {
        List<Node.Target> targets = new ArrayList<>();
        do {
            String name = tokens.expect(Token.Kind.NAME).text();
            String attribute =
                    tokens.takeOperator(".") ? tokens.expect(Token.Kind.NAME).text() : "";
            targets.add(new Node.Target(name, attribute));
        } while (tokens.takeOperator(","));
        if (tokens.takeOperator("=")) {
            Node.Expression value = expressions.tuple();
            tokens.expect(Token.Kind.BLOCK_END);
            return new Node.Set(targets, value);
        }
        List<Node.FilterCall> filters = filters();
        tokens.expect(Token.Kind.BLOCK_END);
        List<Node.Statement> body = body();
        end("endset");
        return new Node.SetBlock(targets.getFirst(), filters, body);
    }

    private List<Node.FilterCall> filters() {
        List<Node.FilterCall> filters = new ArrayList<>();
        while (tokens.takeOperator("|")) {
            filters.add(expressions.filterCall());
        }
        return filters;
    }

    private Node.Statement filterBlock() {
        List<Node.FilterCall> filters = new ArrayList<>();
        filters.add(expressions.filterCall());
        filters.addAll(filters());
        tokens.expect(Token.Kind.BLOCK_END);
        List<Node.Statement> body = body();
        end("endfilter");
        return new Node.FilterBlock(filters, body);
    }

    private Node.Statement macro() {
        String name = tokens.expect(Token.Kind.NAME).text();
        List<Node.Parameter> parameters = parameters();
        tokens.expect(Token.Kind.BLOCK_END);
        List<Node.Statement> body = body();
        end("endmacro");
        return new Node.MacroDefinition(name, parameters, body);
    }

    private Node.Statement callBlock() {
        List<Node.Parameter> parameters = tokens.peek().is(Token.Kind.OPERATOR, "(") ? parameters() : List.of();
        if (!(expressions.expression() instanceof Node.Call call)) {
            throw tokens.error("a call block needs a call");
        }
        tokens.expect(Token.Kind.BLOCK_END);
        List<Node.Statement> body = body();
        end("endcall");
        return new Node.CallBlock(call, parameters, body);
    }

    private List<Node.Parameter> parameters() {
        List<Node.Parameter> parameters = new ArrayList<>();
        tokens.expectOperator("(");
        while (!tokens.takeOperator(")")) {
            String name = tokens.expect(Token.Kind.NAME).text();
            Optional<Node.Expression> value =
                    tokens.takeOperator("=") ? Optional.of(expressions.expression()) : Optional.empty();
            parameters.add(new Node.Parameter(name, value));
            if (!tokens.peek().is(Token.Kind.OPERATOR, ")")) {
                tokens.expectOperator(",");
            }
        }
        return parameters;
    }

    /** The tokens, one by one, with a bound on nesting. */
    static final class TokenStream {

        private static final int MAX_DEPTH = 200;

        private final List<Token> tokens;
        private int at;
        private int depth;

        TokenStream(List<Token> tokens) {
            this.tokens = tokens;
        }

        Token peek() {
            return tokens.get(at);
        }

        Token peekAhead(int count) {
            return tokens.get(Math.min(at + count, tokens.size() - 1));
        }

        Token next() {
            return tokens.get(at < tokens.size() - 1 ? at++ : at);
        }

        void enter() {
            if (++depth > MAX_DEPTH) {
                throw error("nested deeper than " + MAX_DEPTH);
            }
        }

        void leave() {
            depth--;
        }

        Token expect(Token.Kind kind) {
            if (peek().kind() != kind) {
                throw error("expected " + kind + " but found '" + peek().text() + "'");
            }
            return next();
        }

        void expectName(String name) {
            if (!takeName(name)) {
                throw error("expected '" + name + "' but found '" + peek().text() + "'");
            }
        }

        void expectOperator(String operator) {
            if (!takeOperator(operator)) {
                throw error("expected '" + operator + "' but found '" + peek().text() + "'");
            }
        }

        boolean takeName(String name) {
            return take(Token.Kind.NAME, name);
        }

        boolean takeOperator(String operator) {
            return take(Token.Kind.OPERATOR, operator);
        }

        private boolean take(Token.Kind kind, String text) {
            boolean there = peek().is(kind, text);
            if (there) {
                next();
            }
            return there;
        }

        TemplateException error(String message) {
            return new TemplateException("chat template, line %d: %s".formatted(peek().line(), message));
        }
    }
}
