package dev.jeton.models.grammar;

import java.util.List;
import java.util.function.UnaryOperator;

/** A regular expression, parsed; or the body of a grammar's rule, which calls others. */
sealed interface Expression {

    /** Without bound. */
    int UNBOUNDED = -1;

    /** One code point of some ranges: pairs of lowest and highest. */
    record Chars(int... ranges) implements Expression {}

    /** One after the other. */
    record Sequence(List<Expression> parts) implements Expression {}

    /** One of them. */
    record Either(List<Expression> parts) implements Expression {}

    /** Several times; {@code most} may be {@link #UNBOUNDED}. */
    record Repeat(Expression part, int least, int most) implements Expression {}

    /** Where the text begins. */
    record Begin() implements Expression {}

    /** Where the text ends. */
    record End() implements Expression {}

    /** What a rule of the grammar takes that this is in; regular expressions have none. */
    record Call(int rule) implements Expression {}

    /** The same of other parts; one that has none is itself. */
    default Expression withParts(UnaryOperator<Expression> change) {
        return switch (this) {
            case Sequence(var parts) -> new Sequence(parts.stream().map(change).toList());
            case Either(var parts) -> new Either(parts.stream().map(change).toList());
            case Repeat(var part, int least, int most) -> new Repeat(change.apply(part), least, most);
            case Chars chars -> chars;
            case Begin begin -> begin;
            case End end -> end;
            case Call call -> call;
        };
    }

    /** No text but the empty one. */
    static Expression empty() {
        return new Sequence(List.of());
    }

    /** Some texts as they stand. */
    static Expression text(String text) {
        return new Sequence(
                text.codePoints().<Expression>mapToObj(c -> new Chars(c, c)).toList());
    }

    /** One after the other. */
    static Expression sequence(Expression... parts) {
        return new Sequence(List.of(parts));
    }

    /** One of them. */
    static Expression either(Expression... parts) {
        return new Either(List.of(parts));
    }

    /** It or nothing. */
    static Expression optional(Expression part) {
        return new Repeat(part, 0, 1);
    }

    /** A digit between two. */
    static Expression digit(int lowest, int highest) {
        return new Chars('0' + lowest, '0' + highest);
    }

    /** So many digits. */
    static Expression digits(int least, int most) {
        return new Repeat(digit(0, 9), least, most);
    }
}
