package dev.jeton.server.api;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** How long answers are, by model, those of late counting more: what an estimate expects. Any thread. */
final class OutputLengths {

    /** The part that a new answer has in the mean. */
    private static final double PART = 0.05;
    /** Before so many answers there is no mean to speak of. */
    private static final int LEAST = 10;

    private record Mean(double tokens, long answers) {
        Mean with(double length) {
            double part = Math.max(PART, 1.0 / (answers + 1));
            return new Mean(tokens + part * (length - tokens), answers + 1);
        }
    }

    private final Map<String, Mean> means = new ConcurrentHashMap<>();

    /** An answer of so many continuations has ended. */
    void ended(String model, long tokens, int sequences) {
        double length = (double) tokens / Math.max(1, sequences);
        means.compute(model, (name, mean) -> (mean == null ? new Mean(0, 0) : mean).with(length));
    }

    /** Whether there were enough answers. */
    boolean known(String model) {
        Mean mean = means.get(model);
        return mean != null && mean.answers() >= LEAST;
    }

    /** The length of a continuation that may have {@code most} tokens: the mean where one is known, or all of it. */
    long expected(String model, int most) {
        Mean mean = means.get(model);
        return mean == null || mean.answers() < LEAST ? most : Math.min(most, Math.round(mean.tokens()));
    }
}
