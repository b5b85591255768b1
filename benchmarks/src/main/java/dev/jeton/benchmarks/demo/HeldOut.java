package dev.jeton.benchmarks.demo;

import java.util.List;
import java.util.Locale;

/**
 * A question that is never trained on.
 *
 * @param topic the topic it paraphrases
 * @param question the phrasing
 * @param answers what counts as right, compared after {@link #normalised}
 */
public record HeldOut(String topic, String question, List<String> answers) {
    public HeldOut {
        answers = List.copyOf(answers);
    }

    /** Whether a reply is one of the right answers, white space and case aside. */
    public boolean answeredBy(String reply) {
        return answers.stream().anyMatch(answer -> normalised(answer).equals(normalised(reply)));
    }

    /** Lower case, white space runs as one space: two answers equal in this are the same answer. */
    public static String normalised(String text) {
        return text.strip().toLowerCase(Locale.ROOT).replaceAll("\\s+", " ");
    }

    /** Lower case, white space and punctuation left out: two questions equal in this are the same phrasing. */
    public static String phrasing(String question) {
        return question.toLowerCase(Locale.ROOT)
                .replaceAll("[\\s?!.,:;'\"-]+", " ")
                .strip();
    }
}
