package dev.jeton.benchmarks.demo;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Disturbs a question as people's typing does: other words for the same thing, small words left out, no capitals, no
 * question mark, a slip of the finger. It is what lets a model this small take a phrasing it has never seen.
 */
final class Noise {
    private static final double SYNONYM = 0.15;
    private static final double DROP_SMALL_WORD = 0.08;
    private static final double LOWER_CASE = 0.25;
    private static final double NO_MARK = 0.3;
    private static final double SLIP = 0.05;
    private static final Pattern WORD = Pattern.compile("[A-Za-z]+");
    private static final Pattern MARK = Pattern.compile("[?.!]+$");
    private static final Set<String> SMALL_WORDS = Set.of(
            "a", "an", "the", "do", "does", "is", "are", "me", "please", "can", "could", "you", "of", "to", "it");

    private final Map<String, List<String>> synonyms;

    Noise(Map<String, List<String>> synonyms) {
        this.synonyms = synonyms;
    }

    /** A disturbed reading of the question; often the question itself. */
    String disturb(String question, RandomGenerator random) {
        String text = replaceWords(question, random);
        if (random.nextDouble() < LOWER_CASE) {
            text = text.toLowerCase(Locale.ROOT);
        }
        if (random.nextDouble() < NO_MARK) {
            text = MARK.matcher(text).replaceFirst("");
        }
        if (random.nextDouble() < SLIP) {
            text = slip(text, random);
        }
        return text.isBlank() ? question : text;
    }

    private String replaceWords(String question, RandomGenerator random) {
        Matcher matcher = WORD.matcher(question);
        StringBuilder out = new StringBuilder();
        while (matcher.find()) {
            String word = matcher.group();
            String lower = word.toLowerCase(Locale.ROOT);
            List<String> others = synonyms.getOrDefault(lower, List.of());
            String chosen = word;
            if (!others.isEmpty() && random.nextDouble() < SYNONYM) {
                chosen = likeCase(word, others.get(random.nextInt(others.size())));
            } else if (SMALL_WORDS.contains(lower) && random.nextDouble() < DROP_SMALL_WORD) {
                chosen = "";
            }
            matcher.appendReplacement(out, Matcher.quoteReplacement(chosen));
        }
        matcher.appendTail(out);
        return out.toString()
                .replaceAll(" {2,}", " ")
                .replaceAll(" ([?.,!])", "$1")
                .strip();
    }

    private static String likeCase(String model, String word) {
        boolean capital = Character.isUpperCase(model.charAt(0));
        return capital ? Character.toUpperCase(word.charAt(0)) + word.substring(1) : word;
    }

    /** Drops, doubles or swaps one letter. */
    private static String slip(String text, RandomGenerator random) {
        if (text.length() < 8) {
            return text;
        }
        int at = 1 + random.nextInt(text.length() - 2);
        return switch (random.nextInt(3)) {
            case 0 -> text.substring(0, at) + text.substring(at + 1);
            case 1 -> text.substring(0, at) + text.charAt(at) + text.substring(at);
            default -> text.substring(0, at) + text.charAt(at + 1) + text.charAt(at) + text.substring(at + 2);
        };
    }
}
