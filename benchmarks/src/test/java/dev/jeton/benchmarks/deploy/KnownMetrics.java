package dev.jeton.benchmarks.deploy;

import dev.jeton.benchmarks.deploy.Expression.Matcher;
import dev.jeton.benchmarks.deploy.Expression.Selector;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Metrics in Prometheus' text format, by name, with the labels they have and the values of those. */
final class KnownMetrics {

    /** Labels whose values are the program's own: one that never occurs is a mistake. */
    private static final Set<String> CLOSED =
            Set.of("state", "kind", "account", "outcome", "endpoint", "area", "clock", "reason");

    /** Labels that Prometheus adds. */
    private static final Set<String> OF_THE_TARGET = Set.of("job", "instance");

    private static final Pattern SAMPLE = Pattern.compile("([a-zA-Z_:][\\w:]*)(?:\\{(.*)})? \\S+");
    private static final Pattern LABEL = Pattern.compile("([a-zA-Z_]\\w*)=\"((?:[^\"\\\\]|\\\\.)*)\"");

    private final Map<String, Map<String, Set<String>>> labels = new TreeMap<>();

    /** Metrics of which no more is known than their name. */
    private final Set<String> open = new TreeSet<>();

    KnownMetrics add(String scrape) {
        for (String line : scrape.lines().filter(line -> !line.startsWith("#")).toList()) {
            var sample = SAMPLE.matcher(line);
            if (!sample.matches()) {
                throw new IllegalArgumentException("no line of Prometheus' text format: " + line);
            }
            Map<String, Set<String>> of = labels.computeIfAbsent(sample.group(1), name -> new TreeMap<>());
            if (sample.group(2) != null) {
                LABEL.matcher(sample.group(2))
                        .results()
                        .forEach(label -> of.computeIfAbsent(label.group(1), name -> new TreeSet<>())
                                .add(label.group(2)));
            }
        }
        return this;
    }

    KnownMetrics addOpen(String name) {
        open.add(name);
        return this;
    }

    /** What an expression names that there is not; empty where all is known. */
    List<String> unknown(String expression) {
        Expression parsed = Expression.of(expression);
        List<String> unknown = new ArrayList<>();
        parsed.selectors().forEach(selector -> unknown(selector, unknown));
        Set<String> everywhere = new TreeSet<>(OF_THE_TARGET);
        labels.values().forEach(of -> everywhere.addAll(of.keySet()));
        parsed.grouping().stream()
                .filter(label -> !everywhere.contains(label))
                .forEach(label -> unknown.add("label " + label));
        if (parsed.selectors().isEmpty()) {
            unknown.add("no metric at all");
        }
        return unknown;
    }

    private void unknown(Selector selector, List<String> unknown) {
        if (open.contains(selector.metric())) {
            return;
        }
        Map<String, Set<String>> of = labels.get(selector.metric());
        if (of == null) {
            unknown.add("metric " + selector.metric());
            return;
        }
        for (Matcher matcher : selector.matchers()) {
            if (!of.containsKey(matcher.label()) && !OF_THE_TARGET.contains(matcher.label())) {
                unknown.add("label %s of %s".formatted(matcher.label(), selector.metric()));
            } else if (CLOSED.contains(matcher.label())) {
                for (String value : matcher.value().split("\\|")) {
                    if (!of.get(matcher.label()).contains(value)) {
                        unknown.add("%s=%s of %s".formatted(matcher.label(), value, selector.metric()));
                    }
                }
            }
        }
    }
}
