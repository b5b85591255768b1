package dev.jeton.accounting;

import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a caller says that a request is for, so that its cost can be found again by that.
 *
 * @param labels free tags, sorted by name; bounded in number and length by {@link Fact}
 * @param task id of the task that it is part of, the tenant's own; empty for none
 * @param promptVersion which version of its prompt; empty where the caller does not say
 * @param route which way through the caller's program led here; empty where the caller does not say
 * @param fallback whether it stands in for another model or request that failed or was refused
 */
public record Tags(Map<String, String> labels, String task, String promptVersion, String route, boolean fallback) {

    /** Of a request of which nothing is said. */
    public static final Tags NONE = labels(Map.of());

    /** With labels of its own, sorted. */
    public Tags {
        labels = Collections.unmodifiableMap(new TreeMap<>(labels));
    }

    /** Labels and nothing else. */
    public static Tags labels(Map<String, String> labels) {
        return new Tags(labels, "", "", "", false);
    }

    /** The same of a request that stands in for another. */
    public Tags asFallback() {
        return new Tags(labels, task, promptVersion, route, true);
    }
}
