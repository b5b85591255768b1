package dev.jeton.benchmarks.load;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;

/**
 * What a run measured.
 *
 * @param samples all requests
 * @param wallNanos from the first request to the last answer
 * @param cpuShare processor time of the load generator itself, per second of the run
 */
public record Report(List<Sample> samples, long wallNanos, double cpuShare) {

    /** Keeps the list. */
    public Report {
        samples = List.copyOf(samples);
    }

    /** Limits that a request must keep to count as goodput; seconds, 0 for none. */
    public record Limits(double firstToken, double perToken, double endToEnd) {
        boolean keeps(Sample s) {
            return s.good()
                    && (firstToken == 0 || s.firstNanos() <= firstToken * 1e9)
                    && (perToken == 0 || s.nanosPerToken() <= perToken * 1e9)
                    && (endToEnd == 0 || s.totalNanos() <= endToEnd * 1e9);
        }
    }

    private List<Sample> good() {
        return samples.stream().filter(Sample::good).toList();
    }

    private double perSecond(double count) {
        return count / (wallNanos / 1e9);
    }

    /** Tokens generated per second of the run. */
    public double outputTokensPerSecond() {
        return perSecond(good().stream().mapToInt(Sample::outputTokens).sum());
    }

    /** Requests ended well per second of the run. */
    public double requestsPerSecond() {
        return perSecond(good().size());
    }

    /** A percentile in milliseconds over requests that went well. */
    double percentile(ToDoubleFunction<Sample> nanos, double p) {
        return percentile(good().stream().mapToDouble(nanos).toArray(), p);
    }

    private static double percentile(double[] values, double p) {
        if (values.length == 0) {
            return Double.NaN;
        }
        Arrays.sort(values);
        int rank = (int) Math.ceil(p / 100 * values.length);
        return values[Math.clamp(rank - 1, 0, values.length - 1)] / 1e6;
    }

    private double gapPercentile(double p) {
        return percentile(
                good().stream()
                        .flatMapToLong(s -> Arrays.stream(s.gaps()))
                        .asDoubleStream()
                        .toArray(),
                p);
    }

    private Map<String, Integer> errors() {
        Map<String, Integer> errors = new TreeMap<>();
        samples.stream().filter(s -> !s.good()).forEach(s -> errors.merge(s.error(), 1, Integer::sum));
        return errors;
    }

    private double[] row(ToDoubleFunction<Sample> nanos) {
        return new double[] {percentile(nanos, 50), percentile(nanos, 95), percentile(nanos, 99)};
    }

    /** Only over those requests that have a time between tokens. */
    private double[] perTokenRow() {
        double[] times = good().stream()
                .mapToDouble(Sample::nanosPerToken)
                .filter(nanos -> nanos > 0)
                .toArray();
        return new double[] {percentile(times, 50), percentile(times, 95), percentile(times, 99)};
    }

    /** The report as a table. */
    public String text(Limits limits) {
        StringBuilder out = new StringBuilder();
        out.append(line(
                "requests",
                "%d well, %d failed in %.2f s",
                good().size(),
                samples.size() - good().size(),
                wallNanos / 1e9));
        errors().forEach((error, count) -> out.append(line("  failed", "%d times: %s", count, error)));
        out.append(line(
                "throughput",
                "%.1f output tok/s, %.1f prompt tok/s, %.2f requests/s",
                outputTokensPerSecond(),
                perSecond(good().stream().mapToInt(Sample::promptTokens).sum()),
                requestsPerSecond()));
        out.append(line(
                "goodput",
                "%.2f requests/s within the limits",
                perSecond(samples.stream().filter(limits::keeps).count())));
        out.append("%-22s %10s %10s %10s%n".formatted("milliseconds", "p50", "p95", "p99"));
        out.append(row("first token", row(Sample::firstNanos)));
        out.append(row("per output token", perTokenRow()));
        out.append(row("between pieces", new double[] {gapPercentile(50), gapPercentile(95), gapPercentile(99)}));
        out.append(row("end to end", row(Sample::totalNanos)));
        out.append(line("load generator", "%.2f of a core", cpuShare));
        return out.toString();
    }

    private static String line(String name, String format, Object... arguments) {
        return "%-22s %s%n".formatted(name, String.format(Locale.ROOT, format, arguments));
    }

    private static String row(String name, double[] values) {
        return String.format(Locale.ROOT, "%-22s %10.2f %10.2f %10.2f%n", name, values[0], values[1], values[2]);
    }

    /** The report as JSON. */
    public String json(Limits limits) {
        StringBuilder out = new StringBuilder("{\n");
        number(out, "requests_well", good().size());
        number(out, "requests_failed", samples.size() - good().size());
        number(out, "seconds", wallNanos / 1e9);
        number(out, "output_tokens_per_second", outputTokensPerSecond());
        number(out, "requests_per_second", requestsPerSecond());
        number(
                out,
                "goodput_requests_per_second",
                perSecond(samples.stream().filter(limits::keeps).count()));
        percentiles(out, "first_token_ms", row(Sample::firstNanos));
        percentiles(out, "per_output_token_ms", perTokenRow());
        percentiles(out, "between_pieces_ms", new double[] {gapPercentile(50), gapPercentile(95), gapPercentile(99)});
        percentiles(out, "end_to_end_ms", row(Sample::totalNanos));
        out.append("  \"load_generator_cores\": ").append(finite(cpuShare)).append("\n}\n");
        return out.toString();
    }

    private static void number(StringBuilder out, String name, double value) {
        out.append("  \"").append(name).append("\": ").append(finite(value)).append(",\n");
    }

    private static void percentiles(StringBuilder out, String name, double[] values) {
        out.append("  \"%s\": {\"p50\": %s, \"p95\": %s, \"p99\": %s},%n"
                .formatted(name, finite(values[0]), finite(values[1]), finite(values[2])));
    }

    private static String finite(double value) {
        return Double.isFinite(value) ? String.format(Locale.ROOT, "%.4f", value) : "null";
    }
}
