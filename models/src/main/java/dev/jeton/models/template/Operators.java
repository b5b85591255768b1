package dev.jeton.models.template;

import dev.jeton.models.TemplateException;
import java.util.ArrayList;
import java.util.List;

/** Arithmetic and concatenation with Python's meaning, bounded. */
final class Operators {

    private static final int MAX_TEXT = 1 << 22;
    private static final int MAX_ITEMS = 1 << 18;

    private Operators() {}

    /** Of two operands; {@code and} and {@code or} may not need their second one, so they are the interpreter's. */
    static Object apply(String operator, Object left, Object right) {
        return switch (operator) {
            case "+" -> add(left, right);
            case "-" ->
                floats(left, right)
                        ? (Object) (Values.toDouble(left) - Values.toDouble(right))
                        : (Object) (Values.toLong(left) - Values.toLong(right));
            case "*" -> multiply(left, right);
            case "/" -> Values.toDouble(left) / nonZero(right);
            case "//" ->
                floats(left, right)
                        ? (Object) Math.floor(Values.toDouble(left) / nonZero(right))
                        : (Object) Math.floorDiv(Values.toLong(left), (long) nonZero(right));
            case "%" -> modulo(left, right);
            case "**" -> power(left, right);
            case "~" -> bounded(Values.text(left) + Values.text(right));
            case "==" -> Values.same(left, right);
            case "!=" -> !Values.same(left, right);
            case "<" -> Values.compare(left, right) < 0;
            case "<=" -> Values.compare(left, right) <= 0;
            case ">" -> Values.compare(left, right) > 0;
            case ">=" -> Values.compare(left, right) >= 0;
            case "in" -> Values.contains(right, left);
            case "not in" -> !Values.contains(right, left);
            default -> throw new TemplateException("chat template: the operator " + operator + " is not supported");
        };
    }

    /** Of one operand. */
    static Object unary(String operator, Object value) {
        return switch (operator) {
            case "not" -> !Values.truth(value);
            case "-" -> value instanceof Double d ? (Object) (-d) : (Object) (-Values.toLong(value));
            default -> value instanceof Double ? value : (Object) Values.toLong(value);
        };
    }

    static Object add(Object left, Object right) {
        if (left instanceof String a && right instanceof String b) {
            return bounded(a + b);
        }
        if (left instanceof List<?> a && right instanceof List<?> b) {
            List<Object> joined = new ArrayList<>(a);
            joined.addAll(b);
            return boundedItems(joined);
        }
        if (left instanceof String || right instanceof String) {
            throw new TemplateException(
                    "chat template: cannot add " + Values.type(left) + " and " + Values.type(right));
        }
        return floats(left, right)
                ? (Object) (Values.toDouble(left) + Values.toDouble(right))
                : (Object) (Values.toLong(left) + Values.toLong(right));
    }

    private static Object multiply(Object left, Object right) {
        if (left instanceof String s) {
            long times = times(right);
            if (times * (double) s.length() > MAX_TEXT) {
                throw tooLong();
            }
            return s.repeat((int) times);
        }
        if (left instanceof List<?> items) {
            return repeated(items, times(right));
        }
        if (right instanceof String || right instanceof List<?>) {
            return multiply(right, left);
        }
        return floats(left, right)
                ? (Object) (Values.toDouble(left) * Values.toDouble(right))
                : (Object) (Values.toLong(left) * Values.toLong(right));
    }

    private static long times(Object value) {
        if (value instanceof Double) {
            throw new TemplateException("chat template: nothing is repeated a float's times");
        }
        return Math.max(0, Values.toLong(value));
    }

    private static List<Object> repeated(List<?> items, long times) {
        if (items.size() * (double) times > MAX_ITEMS) {
            throw tooMany();
        }
        List<Object> repeated = new ArrayList<>();
        for (long i = 0; i < times && !items.isEmpty(); i++) {
            repeated.addAll(items);
        }
        return items instanceof Values.Tuple ? new Values.Tuple(repeated) : repeated;
    }

    private static Object modulo(Object left, Object right) {
        if (left instanceof String) {
            throw new TemplateException("chat template: formatting with % is not supported");
        }
        if (floats(left, right)) {
            double divisor = nonZero(right);
            double rest = Values.toDouble(left) % divisor;
            return rest != 0 && rest < 0 != divisor < 0 ? rest + divisor : rest;
        }
        return Math.floorMod(Values.toLong(left), (long) nonZero(right));
    }

    private static Object power(Object left, Object right) {
        double result = Math.pow(Values.toDouble(left), Values.toDouble(right));
        boolean whole = !floats(left, right) && Values.toLong(right) >= 0 && Math.abs(result) < 1L << 53;
        return whole ? (Object) (long) result : (Object) result;
    }

    private static boolean floats(Object left, Object right) {
        return left instanceof Double || right instanceof Double;
    }

    private static double nonZero(Object value) {
        double divisor = Values.toDouble(value);
        if (divisor == 0) {
            throw new TemplateException("chat template: division by zero");
        }
        return divisor;
    }

    static String bounded(String text) {
        if (text.length() > MAX_TEXT) {
            throw tooLong();
        }
        return text;
    }

    private static List<Object> boundedItems(List<Object> items) {
        if (items.size() > MAX_ITEMS) {
            throw tooMany();
        }
        return items;
    }

    private static TemplateException tooMany() {
        return new TemplateException("chat template: a list grew past " + MAX_ITEMS + " items");
    }

    private static TemplateException tooLong() {
        return new TemplateException("chat template: a text grew past " + MAX_TEXT + " characters");
    }
}
