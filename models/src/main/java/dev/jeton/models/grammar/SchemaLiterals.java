package dev.jeton.models.grammar;

import java.math.BigDecimal;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** JSON values that a schema spells out. */
final class SchemaLiterals {

    private SchemaLiterals() {}

    /** Whether two values are the same, as JSON Schema has it: 1 and 1.0 are. */
    static boolean same(@Nullable Object one, @Nullable Object other) {
        if (one instanceof Number && other instanceof Number) {
            return SchemaMerge.number(one, "enum").compareTo(SchemaMerge.number(other, "enum")) == 0;
        }
        if (one instanceof List<?> first && other instanceof List<?> second) {
            Iterator<?> rest = second.iterator();
            return first.size() == second.size() && first.stream().allMatch(each -> same(each, rest.next()));
        }
        if (one instanceof Map<?, ?> first && other instanceof Map<?, ?> second) {
            return first.keySet().equals(second.keySet())
                    && first.keySet().stream().allMatch(key -> same(first.get(key), second.get(key)));
        }
        return one == null ? other == null : one.equals(other);
    }

    /** What kind of value it is, as {@code type} calls it; whole numbers are integers. */
    static String type(@Nullable Object value) {
        return switch (value) {
            case null -> "null";
            case Boolean b -> "boolean";
            case String s -> "string";
            case Number n -> isWhole(n) ? "integer" : "number";
            case List<?> l -> "array";
            default -> "object";
        };
    }

    private static boolean isWhole(Number number) {
        return SchemaMerge.number(number, "enum").stripTrailingZeros().scale() <= 0;
    }

    /** Whether a value is spelled in one way only. */
    static boolean scalar(@Nullable Object value) {
        return !(value instanceof List<?>) && !(value instanceof Map<?, ?>);
    }

    /** Whether JSON may have all strings of a value. */
    static boolean allowed(JsonRules json, @Nullable Object value) {
        return switch (value) {
            case String text -> json.allowed(JsonRules.escaped(text));
            case List<?> items -> items.stream().allMatch(item -> allowed(json, item));
            case Map<?, ?> members ->
                members.entrySet().stream()
                        .allMatch(member -> allowed(json, member.getKey()) && allowed(json, member.getValue()));
            case null, default -> true;
        };
    }

    /** The one way to spell such a value. */
    static String text(@Nullable Object value) {
        return switch (value) {
            case String s -> '"' + JsonRules.escaped(s) + '"';
            case Double d -> plain(BigDecimal.valueOf(d));
            case null, default -> String.valueOf(value);
        };
    }

    private static String plain(BigDecimal number) {
        return Math.abs(number.scale()) > NumberTexts.INTEGER_DIGITS ? number.toString() : number.toPlainString();
    }

    /** Takes a value from a node on, with white space where there may be some; the node after it. */
    static int write(NetworkBuilder network, JsonRules json, @Nullable Object value, int from) {
        if (scalar(value)) {
            return network.text(from, text(value));
        }
        boolean list = value instanceof List<?>;
        int at = network.call(network.text(from, list ? "[" : "{"), json.space());
        boolean first = true;
        Iterable<?> parts =
                value instanceof List<?> items ? items : ((Map<?, ?>) Objects.requireNonNull(value)).entrySet();
        for (Object part : parts) {
            if (!first) {
                at = network.call(network.text(at, ","), json.space());
            }
            first = false;
            if (!list && part instanceof Map.Entry<?, ?> member) {
                at = network.call(network.text(at, text(member.getKey())), json.space());
                at = network.call(network.text(at, ":"), json.space());
                at = write(network, json, member.getValue(), at);
            } else {
                at = write(network, json, part, at);
            }
            at = network.call(at, json.space());
        }
        return network.text(at, list ? "]" : "}");
    }
}
