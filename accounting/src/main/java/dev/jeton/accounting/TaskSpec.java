package dev.jeton.accounting;

import java.util.Comparator;
import java.util.List;

/**
 * What is said of a task when it is opened.
 *
 * @param name what people call it; may be empty
 * @param criterion what makes it a success, in words; may be empty
 * @param sloNanos how long it may take from its opening to its outcome; 0 for no bound
 * @param limits its own budgets, at most one a unit, in the order of the units
 */
public record TaskSpec(String name, String criterion, long sloNanos, List<TaskLimit> limits) {

    /** Of a task of which nothing is said: one that began with its first request. */
    public static final TaskSpec NONE = new TaskSpec("", "", 0, List.of());

    /** With a list of its own, sorted: equal content is an equal record. */
    public TaskSpec {
        limits = limits.stream().sorted(Comparator.comparing(TaskLimit::unit)).toList();
    }
}
