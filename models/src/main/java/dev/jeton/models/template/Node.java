package dev.jeton.models.template;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What a template is made of: statements, and the expressions in them. */
sealed interface Node {

    /** A statement. */
    sealed interface Statement extends Node {}

    record Text(String text) implements Statement {}

    record Print(Expression value) implements Statement {}

    record If(List<Branch> branches, List<Statement> otherwise) implements Statement {}

    record Branch(Expression condition, List<Statement> body) {}

    record For(
            List<String> targets,
            Expression iterable,
            Optional<Expression> filter,
            List<Statement> body,
            List<Statement> otherwise)
            implements Statement {}

    record Set(List<Target> targets, Expression value) implements Statement {}

    /** Where an assignment goes: a name, or an attribute of a namespace where {@code attribute} is not empty. */
    record Target(String name, String attribute) {}

    record SetBlock(Target target, List<FilterCall> filters, List<Statement> body) implements Statement {}

    record FilterBlock(List<FilterCall> filters, List<Statement> body) implements Statement {}

    record MacroDefinition(String name, List<Parameter> parameters, List<Statement> body) implements Statement {}

    record CallBlock(Call call, List<Parameter> parameters, List<Statement> body) implements Statement {}

    record Parameter(String name, Optional<Expression> defaultValue) {}

    record Break() implements Statement {}

    record Continue() implements Statement {}

    /** An expression. */
    sealed interface Expression extends Node {}

    record Constant(Object value) implements Expression {}

    record Name(String name) implements Expression {}

    record ListOf(List<Expression> items) implements Expression {}

    record TupleOf(List<Expression> items) implements Expression {}

    record DictOf(Map<Expression, Expression> entries) implements Expression {}

    record Attribute(Expression object, String name) implements Expression {}

    record Item(Expression object, Expression key) implements Expression {}

    record Slice(Expression object, Optional<Expression> from, Optional<Expression> to, Optional<Expression> step)
            implements Expression {}

    record Call(Expression function, Arguments arguments) implements Expression {}

    /**
     * What a call is given.
     *
     * @param rest a list of further ones, from {@code *list}
     * @param namedRest a mapping of further named ones, from {@code **mapping}
     */
    record Arguments(
            List<Expression> positional,
            Map<String, Expression> named,
            Optional<Expression> rest,
            Optional<Expression> namedRest) {

        static final Arguments NONE = new Arguments(List.of(), Map.of(), Optional.empty(), Optional.empty());
    }

    record Filter(Expression value, FilterCall call) implements Expression {}

    record FilterCall(String name, Arguments arguments) {}

    record Test(Expression value, String name, List<Expression> arguments, boolean negated) implements Expression {}

    record Unary(String operator, Expression value) implements Expression {}

    record Binary(String operator, Expression left, Expression right) implements Expression {}

    record Choice(Expression condition, Expression then, Optional<Expression> otherwise) implements Expression {}
}
