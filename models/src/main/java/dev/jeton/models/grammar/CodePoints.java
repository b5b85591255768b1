package dev.jeton.models.grammar;

import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntPredicate;

/** Sets of code points as ranges: pairs of lowest and highest, ascending, none touching another. */
final class CodePoints {

    private static final int LAST = Character.MAX_CODE_POINT;

    static final int[] DIGITS = {'0', '9'};
    static final int[] WORD = {'0', '9', 'A', 'Z', '_', '_', 'a', 'z'};
    /** White space and ends of lines of ECMA-262. */
    static final int[] SPACE = {
        0x09, 0x0d, 0x20, 0x20, 0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x202f, 0x205f,
        0x205f, 0x3000, 0x3000, 0xfeff, 0xfeff
    };
    /** What a dot matches: all but ends of lines. */
    static final int[] DOT = {0, 0x09, 0x0b, 0x0c, 0x0e, 0x2027, 0x202a, LAST};

    /** Letters of the general categories, by {@link Character#getType}. */
    private static final Map<String, int[]> CATEGORIES = Map.ofEntries(
            Map.entry("L", new int[] {1, 2, 3, 4, 5}),
            Map.entry("Lu", new int[] {1}),
            Map.entry("Ll", new int[] {2}),
            Map.entry("Lt", new int[] {3}),
            Map.entry("Lm", new int[] {4}),
            Map.entry("Lo", new int[] {5}),
            Map.entry("M", new int[] {6, 7, 8}),
            Map.entry("Mn", new int[] {6}),
            Map.entry("Me", new int[] {7}),
            Map.entry("Mc", new int[] {8}),
            Map.entry("N", new int[] {9, 10, 11}),
            Map.entry("Nd", new int[] {9}),
            Map.entry("Nl", new int[] {10}),
            Map.entry("No", new int[] {11}),
            Map.entry("Z", new int[] {12, 13, 14}),
            Map.entry("Zs", new int[] {12}),
            Map.entry("Zl", new int[] {13}),
            Map.entry("Zp", new int[] {14}),
            Map.entry("C", new int[] {15, 16, 18, 19, 0}),
            Map.entry("Cc", new int[] {15}),
            Map.entry("Cf", new int[] {16}),
            Map.entry("P", new int[] {20, 21, 22, 23, 24, 29, 30}),
            Map.entry("Pd", new int[] {20}),
            Map.entry("Ps", new int[] {21}),
            Map.entry("Pe", new int[] {22}),
            Map.entry("Pc", new int[] {23}),
            Map.entry("Po", new int[] {24}),
            Map.entry("Pi", new int[] {29}),
            Map.entry("Pf", new int[] {30}),
            Map.entry("S", new int[] {25, 26, 27, 28}),
            Map.entry("Sm", new int[] {25}),
            Map.entry("Sc", new int[] {26}),
            Map.entry("Sk", new int[] {27}),
            Map.entry("So", new int[] {28}));

    private CodePoints() {}

    /** All that are in one of them. */
    static int[] union(int[] one, int[] other) {
        int pairs = (one.length + other.length) / 2;
        int[][] sorted = new int[pairs][];
        for (int i = 0; i < pairs; i++) {
            int at = 2 * i;
            sorted[i] = at < one.length
                    ? new int[] {one[at], one[at + 1]}
                    : new int[] {other[at - one.length], other[at - one.length + 1]};
        }
        Arrays.sort(sorted, (a, b) -> Integer.compare(a[0], b[0]));
        int[] out = new int[2 * pairs];
        int count = 0;
        for (int[] range : sorted) {
            if (count > 0 && range[0] <= out[count - 1] + 1) {
                out[count - 1] = Math.max(out[count - 1], range[1]);
            } else {
                out[count++] = range[0];
                out[count++] = range[1];
            }
        }
        return Arrays.copyOf(out, count);
    }

    /** Whether a code point is in one of the ranges. */
    static boolean contains(int[] ranges, int codePoint) {
        for (int i = 0; i < ranges.length; i += 2) {
            if (ranges[i] <= codePoint && codePoint <= ranges[i + 1]) {
                return true;
            }
        }
        return false;
    }

    /** All others. */
    static int[] not(int[] ranges) {
        int[] out = new int[ranges.length + 2];
        int count = 0;
        int from = 0;
        for (int i = 0; i < ranges.length; i += 2) {
            if (ranges[i] > from) {
                out[count++] = from;
                out[count++] = ranges[i] - 1;
            }
            from = ranges[i + 1] + 1;
        }
        if (from <= LAST) {
            out[count++] = from;
            out[count++] = LAST;
        }
        return Arrays.copyOf(out, count);
    }

    /** What {@code \p{name}} matches: a general category, a script, or {@code Alphabetic}; empty for other names. */
    static Optional<int[]> property(String name) {
        int equals = name.indexOf('=');
        String key = equals < 0 ? "" : name.substring(0, equals);
        String value = name.substring(equals + 1);
        if (key.equals("Script") || key.equals("sc")) {
            try {
                Character.UnicodeScript script = Character.UnicodeScript.forName(value);
                return Optional.of(where(c -> Character.UnicodeScript.of(c) == script));
            } catch (IllegalArgumentException e) {
                return Optional.empty();
            }
        }
        if (!key.isEmpty() && !key.equals("gc") && !key.equals("General_Category")) {
            return Optional.empty();
        }
        if (value.equals("Alphabetic")) {
            return Optional.of(where(Character::isAlphabetic));
        }
        int[] types = CATEGORIES.get(value);
        return types == null
                ? Optional.empty()
                : Optional.of(where(c -> Arrays.stream(types).anyMatch(type -> Character.getType(c) == type)));
    }

    private static int[] where(IntPredicate test) {
        CompileWork.spend(LAST);
        int[] out = new int[16];
        int count = 0;
        boolean in = false;
        for (int c = 0; c <= LAST + 1; c++) {
            boolean is = c <= LAST && test.test(c);
            if (is != in) {
                if (count == out.length) {
                    out = Arrays.copyOf(out, 2 * count);
                }
                out[count++] = is ? c : c - 1;
                in = is;
            }
        }
        return Arrays.copyOf(out, count);
    }
}
