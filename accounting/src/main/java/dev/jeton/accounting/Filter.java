package dev.jeton.accounting;

import java.util.Map;
import java.util.TreeMap;

/**
 * Which requests a question is about: those that agree in every field that is not empty.
 *
 * @param labels labels that a request must have, by name
 * @param task id of the task that a request must be part of; only questions that read requests one by one know it
 */
public record Filter(String tenant, String project, String key, String model, Map<String, String> labels, String task) {

    /** All requests. */
    public static final Filter ALL = new Filter("", "", "", "", Map.of());

    /** With labels of its own, sorted. */
    public Filter {
        labels = java.util.Collections.unmodifiableMap(new TreeMap<>(labels));
    }

    /** Of any task or none. */
    public Filter(String tenant, String project, String key, String model, Map<String, String> labels) {
        this(tenant, project, key, model, labels, "");
    }
}
