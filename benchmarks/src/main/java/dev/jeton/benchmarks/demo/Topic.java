package dev.jeton.benchmarks.demo;

import java.util.List;

/**
 * Something that can be asked about, in several phrasings, with the one answer.
 *
 * @param id short name, unique in the corpus
 * @param kind the file it stands in, without extension, e.g. {@code serving}
 * @param names singular names of the thing asked about, for the templates "What is {name}?"
 * @param plurals plural names, for the templates "What are {plural}?"
 * @param actions what one wants to do, for the templates "How do I {do}?"
 * @param questions phrasings written out
 * @param answers what to say; more than one only for small talk, where any of them will do
 */
public record Topic(
        String id,
        String kind,
        List<String> names,
        List<String> plurals,
        List<String> actions,
        List<String> questions,
        List<String> answers) {
    public Topic {
        if (answers.isEmpty()) {
            throw new IllegalArgumentException("topic " + id + " has no answer");
        }
        if (names.isEmpty() && plurals.isEmpty() && actions.isEmpty() && questions.isEmpty()) {
            throw new IllegalArgumentException("topic " + id + " has no question");
        }
        names = List.copyOf(names);
        plurals = List.copyOf(plurals);
        actions = List.copyOf(actions);
        questions = List.copyOf(questions);
        answers = List.copyOf(answers);
    }
}
