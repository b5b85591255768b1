package dev.jeton.accounting;

import java.util.Map;
import java.util.TreeMap;

/**
 * Which requests a report is about: those that agree in every field that is not empty.
 *
 * @param labels labels that a request must have, by name
 */
public record Filter(String tenant, String project, String key, String model, Map<String, String> labels) {

    /** All requests. */
    public static final Filter ALL = new Filter("", "", "", "", Map.of());

    /** With labels of its own, sorted. */
    public Filter {
        labels = java.util.Collections.unmodifiableMap(new TreeMap<>(labels));
    }
}
