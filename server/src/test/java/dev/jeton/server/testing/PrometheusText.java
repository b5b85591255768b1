package dev.jeton.server.testing;

import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Checks and reads Prometheus' text format: every sample well-formed, of a declared type, and told once. */
public final class PrometheusText {

    private static final Pattern TYPE =
            Pattern.compile("# TYPE ([a-zA-Z_:][\\w:]*) (counter|gauge|histogram|summary|untyped)");
    private static final Pattern HELP = Pattern.compile("# HELP [a-zA-Z_:][\\w:]* .*");
    private static final Pattern SAMPLE = Pattern.compile(
            "([a-zA-Z_:][\\w:]*)(\\{(?:[a-zA-Z_]\\w*=\"(?:[^\"\\\\]|\\\\.)*\",?)*})? (-?[\\d.eE+-]+|NaN|[+-]?Inf)");

    private final Map<String, String> types = new HashMap<>();
    private final Map<String, Double> samples = new LinkedHashMap<>();

    private PrometheusText() {}

    public static PrometheusText parse(String body) {
        PrometheusText text = new PrometheusText();
        Set<String> seen = new HashSet<>();
        for (String line : body.lines().toList()) {
            Matcher type = TYPE.matcher(line);
            Matcher sample = SAMPLE.matcher(line);
            if (type.matches()) {
                check(text.types.put(type.group(1), type.group(2)) == null, "type told twice", line);
            } else if (sample.matches()) {
                check(seen.add(line.substring(0, line.lastIndexOf(' '))), "sample told twice", line);
                check(text.declared(sample.group(1)), "sample without a type", line);
                String value = sample.group(3).replace("Inf", "Infinity");
                text.samples.put(line.substring(0, line.lastIndexOf(' ')), Double.parseDouble(value));
            } else {
                check(HELP.matcher(line).matches(), "no line of the text format", line);
            }
        }
        return text;
    }

    private boolean declared(String name) {
        return List.of("", "_bucket", "_sum", "_count", "_max").stream()
                .filter(name::endsWith)
                .anyMatch(suffix -> types.containsKey(name.substring(0, name.length() - suffix.length())));
    }

    private static void check(boolean holds, String what, String line) {
        if (!holds) {
            throw new AssertionError(what + ": " + line);
        }
    }

    public Map<String, String> types() {
        return types;
    }

    /** The first sample of that name with all these labels; NaN where there is none. */
    public double value(String name, String... labels) {
        return samples.entrySet().stream()
                .filter(sample ->
                        sample.getKey().equals(name) || sample.getKey().startsWith(name + "{"))
                .filter(sample -> List.of(labels).stream().allMatch(sample.getKey()::contains))
                .mapToDouble(Map.Entry::getValue)
                .findFirst()
                .orElse(Double.NaN);
    }
}
