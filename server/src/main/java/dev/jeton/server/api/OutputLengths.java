package dev.jeton.server.api;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * How long a tenant's answers are, by model, those of late counting more: what an estimate expects. Nobody else's
 * count, or an estimate would tell of them. Any thread.
 */
final class OutputLengths {

    /** The part that a new answer has in the mean. */
    private static final double PART = 0.05;
    /** Before so many answers there is no mean to speak of. */
    private static final int LEAST = 10;

    /** Most means; of tenants beyond them nothing is expected. */
    private static final int MOST = 10_000;

    private record Key(String tenant, String model) {}

    private record Mean(double tokens, long answers) {
        Mean with(double length) {
            double part = Math.max(PART, 1.0 / (answers + 1));
            return new Mean(tokens + part * (length - tokens), answers + 1);
        }
    }

    private final Map<Key, Mean> means = new ConcurrentHashMap<>();

    /** An answer of so many continuations has ended. */
    void ended(String tenant, String model, long tokens, int sequences) {
        double length = (double) tokens / Math.max(1, sequences);
        Key key = new Key(tenant, model);
        if (means.size() < MOST || means.containsKey(key)) {
            means.compute(key, (name, mean) -> (mean == null ? new Mean(0, 0) : mean).with(length));
        }
    }

    /** Whether there were enough answers. */
    boolean known(String tenant, String model) {
        Mean mean = means.get(new Key(tenant, model));
        return mean != null && mean.answers() >= LEAST;
    }

    /** The length of a continuation that may have {@code most} tokens: the mean where one is known, or all of it. */
    long expected(String tenant, String model, int most) {
        Mean mean = means.get(new Key(tenant, model));
        return mean == null || mean.answers() < LEAST ? most : Math.min(most, Math.round(mean.tokens()));
    }
}
