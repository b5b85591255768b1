package dev.jeton.benchmarks.demo;

import java.util.List;
import java.util.random.RandomGenerator;

/**
 * Small sums, differences and products, asked in the templates of the corpus and answered as "3 + 4 = 7."
 *
 * @param sums templates with {a} and {b}
 * @param differences templates for a minus b
 * @param products templates for a times b
 */
record Arithmetic(List<String> sums, List<String> differences, List<String> products) {
    private static final int MAX_TERM = 20;
    private static final int MAX_FACTOR = 10;

    static Arithmetic of(Corpus corpus) {
        return new Arithmetic(corpus.templates("sum"), corpus.templates("difference"), corpus.templates("product"));
    }

    /** A question and its answer: terms up to 20, factors up to 10, no negative results. */
    List<Turn> exchange(RandomGenerator random) {
        return switch (random.nextInt(3)) {
            case 0 -> {
                int a = random.nextInt(MAX_TERM + 1);
                int b = random.nextInt(MAX_TERM + 1);
                yield ask(sums, random, a, b, a + " + " + b + " = " + (a + b) + ".");
            }
            case 1 -> {
                int a = random.nextInt(MAX_TERM + 1);
                int b = random.nextInt(a + 1);
                yield ask(differences, random, a, b, a + " - " + b + " = " + (a - b) + ".");
            }
            default -> {
                int a = random.nextInt(MAX_FACTOR + 1);
                int b = random.nextInt(MAX_FACTOR + 1);
                yield ask(products, random, a, b, a + " x " + b + " = " + (a * b) + ".");
            }
        };
    }

    private static List<Turn> ask(List<String> templates, RandomGenerator random, int a, int b, String answer) {
        String question = templates
                .get(random.nextInt(templates.size()))
                .replace("{a}", Integer.toString(a))
                .replace("{b}", Integer.toString(b));
        return List.of(Turn.user(question), Turn.assistant(answer));
    }
}
