package dev.jeton.models.grammar;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.StringJoiner;

/**
 * Grammars that nobody thought of, of few rules over few letters, and which texts they take: found out from which parts
 * of a text each rule takes, over and over until nothing is added. That knows neither automata nor stacks.
 */
final class RandomRules {

    private static final int MAX_DEPTH = 3;
    private static final String LETTERS = "ab";

    /** What a rule's body is made of. */
    sealed interface Part {

        record Text(String text) implements Part {}

        record Letters(boolean not, String letters) implements Part {}

        record Rule(int rule) implements Part {}

        record All(List<Part> parts) implements Part {}

        record Any(List<Part> parts) implements Part {}

        /** @param most negative for no bound */
        record Times(Part part, int least, int most) implements Part {}
    }

    private final Random random;
    private final List<Part> bodies = new ArrayList<>();

    RandomRules(Random random) {
        this.random = random;
        int rules = 1 + random.nextInt(4);
        for (int i = 0; i < rules; i++) {
            bodies.add(alternatives(rules));
        }
    }

    private Part alternatives(int rules) {
        List<Part> parts = new ArrayList<>();
        for (int i = 1 + random.nextInt(3); i > 0; i--) {
            parts.add(part(rules, 0));
        }
        return new Part.Any(parts);
    }

    private Part part(int rules, int depth) {
        int kind = random.nextInt(depth == MAX_DEPTH ? 5 : 12);
        return switch (kind) {
            case 0, 1 -> new Part.Text(letters(random.nextInt(8) == 0 ? 0 : 1 + random.nextInt(2)));
            case 2 -> new Part.Letters(random.nextInt(3) == 0, letters(1));
            case 3, 4 -> new Part.Rule(random.nextInt(rules));
            case 5, 6, 7, 8 -> new Part.All(parts(rules, depth));
            case 9 -> new Part.Any(parts(rules, depth));
            default -> {
                int least = random.nextInt(3);
                int most = random.nextBoolean() ? -1 : least + random.nextInt(3);
                yield new Part.Times(part(rules, depth + 1), least, most == 0 ? 1 : most);
            }
        };
    }

    private List<Part> parts(int rules, int depth) {
        List<Part> parts = new ArrayList<>();
        for (int i = 1 + random.nextInt(3); i > 0; i--) {
            parts.add(part(rules, depth + 1));
        }
        return parts;
    }

    private String letters(int count) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < count; i++) {
            text.append(LETTERS.charAt(random.nextInt(LETTERS.length())));
        }
        return text.toString();
    }

    // ---- as text ----

    /** As llama.cpp writes it. */
    String ebnf() {
        StringJoiner lines = new StringJoiner("\n");
        for (int i = 0; i < bodies.size(); i++) {
            lines.add("%s ::= %s".formatted(i == 0 ? "root" : "rule-" + i, text(bodies.get(i), false)));
        }
        return lines.toString().replace("rule-0", "root");
    }

    /** As Lark writes it. */
    String lark() {
        StringJoiner lines = new StringJoiner("\n");
        for (int i = 0; i < bodies.size(); i++) {
            lines.add("%s: %s".formatted(i == 0 ? "start" : "rule_" + i, text(bodies.get(i), true)));
        }
        return lines.toString().replace("rule_0", "start");
    }

    private String text(Part part, boolean lark) {
        return switch (part) {
            case Part.Text(String text) -> '"' + text + '"';
            case Part.Letters(boolean not, String letters) ->
                (lark ? "/[%s%s]/" : "[%s%s]").formatted(not ? "^" : "", letters);
            case Part.Rule(int rule) -> (lark ? "rule_" : "rule-") + rule;
            case Part.All(var parts) -> joined(parts, " ", lark);
            case Part.Any(var parts) -> joined(parts, " | ", lark);
            case Part.Times(Part inner, int least, int most) ->
                "(" + text(inner, lark) + ")" + times(least, most, lark);
        };
    }

    private String joined(List<Part> parts, String by, boolean lark) {
        StringJoiner joined = new StringJoiner(by, "(", ")");
        parts.forEach(part -> joined.add(text(part, lark)));
        return joined.toString();
    }

    private static String times(int least, int most, boolean lark) {
        if (most < 0) {
            // Lark has no bound below alone
            return least == 0 ? "*" : least == 1 ? "+" : lark ? "+" : "{2,}";
        }
        if (least == 0 && most == 1) {
            return "?";
        }
        return lark ? "~%d..%d".formatted(least, most) : "{%d,%d}".formatted(least, most);
    }

    /** Whether Lark can say it. */
    boolean inLark() {
        return bodies.stream().allMatch(RandomRules::inLark);
    }

    private static boolean inLark(Part part) {
        return switch (part) {
            case Part.Text text -> true;
            case Part.Letters letters -> true;
            case Part.Rule rule -> true;
            case Part.All(var parts) -> parts.stream().allMatch(RandomRules::inLark);
            case Part.Any(var parts) -> parts.stream().allMatch(RandomRules::inLark);
            case Part.Times(Part inner, int least, int most) -> (most >= 0 || least < 2) && inLark(inner);
        };
    }

    // ---- what it takes ----

    /** Whether a text is one of the first rule's. */
    boolean takes(String text) {
        int length = text.length();
        BitSet[][] ends = new BitSet[bodies.size()][length + 1];
        for (BitSet[] its : ends) {
            for (int i = 0; i <= length; i++) {
                its[i] = new BitSet();
            }
        }
        boolean changed = true;
        while (changed) {
            changed = false;
            for (int rule = 0; rule < ends.length; rule++) {
                for (int from = 0; from <= length; from++) {
                    BitSet now = ends(bodies.get(rule), from, text, ends);
                    changed |= !now.equals(ends[rule][from]);
                    ends[rule][from] = now;
                }
            }
        }
        return ends[0][0].get(length);
    }

    private static BitSet ends(Part part, int from, String text, BitSet[][] known) {
        BitSet ends = new BitSet();
        switch (part) {
            case Part.Text(String its) -> ends.set(from + its.length(), text.startsWith(its, from));
            case Part.Letters(boolean not, String letters) ->
                ends.set(from + 1, from < text.length() && letters.indexOf(text.charAt(from)) < 0 == not);
            case Part.Rule(int rule) -> ends.or(known[rule][from]);
            case Part.Any(var parts) -> parts.forEach(each -> ends.or(ends(each, from, text, known)));
            case Part.All(var parts) -> {
                ends.set(from);
                for (Part each : parts) {
                    BitSet next = after(each, ends, text, known);
                    ends.clear();
                    ends.or(next);
                }
            }
            case Part.Times(Part inner, int least, int most) -> {
                BitSet at = new BitSet();
                at.set(from);
                // past the text's length, more of it are as many as before
                int bound = most < 0 ? least + text.length() + 1 : most;
                for (int i = 0; i <= bound; i++) {
                    if (i >= least) {
                        ends.or(at);
                    }
                    at = after(inner, at, text, known);
                }
            }
        }
        return ends;
    }

    private static BitSet after(Part part, BitSet from, String text, BitSet[][] known) {
        BitSet after = new BitSet();
        from.stream().forEach(at -> after.or(ends(part, at, text, known)));
        return after;
    }

    @Override
    public String toString() {
        return ebnf();
    }
}
