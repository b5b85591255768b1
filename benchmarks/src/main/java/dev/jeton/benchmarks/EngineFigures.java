package dev.jeton.benchmarks;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/**
 * What trials of several engines on one model came to, as a table and as a picture.
 *
 * @param name engine and quantisation
 * @param figures by name, as {@link EngineTrial} prints them
 * @param scores log-probabilities of the same text; empty where the engine gives none
 * @param refused why there are no figures; empty where there are
 */
record EngineFigures(String name, Map<String, Double> figures, List<Double> scores, String refused) {

    private static final String[] COLOURS = {"#34495e", "#2e86ab", "#58a4b0", "#8fb996", "#d9a441", "#b56576"};

    /** Reads what a trial printed. */
    static EngineFigures of(String name, List<String> lines) {
        Map<String, Double> figures = new LinkedHashMap<>();
        List<Double> scores = new ArrayList<>();
        String refused = lines.isEmpty() ? "it printed nothing" : "";
        for (String line : lines) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "refused" -> refused = line.substring("refused".length()).strip();
                case "devices" -> {}
                case "scores" -> {
                    for (int i = 1; i < words.length; i++) {
                        scores.add(Double.parseDouble(words[i]));
                    }
                }
                default -> figures.put(words[0], Double.parseDouble(words[1]));
            }
        }
        return new EngineFigures(name, figures, scores, refused);
    }

    /** Whether there are figures. */
    boolean ran() {
        return refused.isEmpty();
    }

    /** Largest difference of log-probabilities to another's; empty where one of them has none. */
    OptionalDouble distance(EngineFigures other) {
        if (scores.isEmpty() || scores.size() != other.scores.size()) {
            return OptionalDouble.empty();
        }
        double most = 0;
        for (int i = 0; i < scores.size(); i++) {
            most = Math.max(most, Math.abs(scores.get(i) - other.scores.get(i)));
        }
        return OptionalDouble.of(most);
    }

    /** A table in Markdown; distances are to the first of them. */
    static String table(List<EngineFigures> all, List<Integer> together) {
        StringBuilder out = new StringBuilder("| engine | load, ms | memory, MiB | first token, ms | prefill, tok/s |");
        together.forEach(rows -> out.append(" decode ").append(rows).append(", tok/s |"));
        out.append(" distance |\n|---|")
                .append("---|".repeat(5 + together.size()))
                .append('\n');
        for (EngineFigures each : all) {
            out.append("| ").append(each.name).append(" | ");
            if (!each.ran()) {
                out.append(each.refused.replace("|", "/")).append(" |").append(" |".repeat(4 + together.size()));
            } else {
                out.append(each.text("load_ms", "%.0f")).append(" | ");
                out.append(each.text("memory_mib", "%.0f")).append(" | ");
                out.append(each.text("first_ms", "%.1f")).append(" | ");
                out.append(each.text("prefill", "%.0f")).append(" |");
                together.forEach(rows -> out.append(' ')
                        .append(each.text("decode_" + rows, "%.1f"))
                        .append(" |"));
                OptionalDouble distance = each.distance(all.getFirst());
                out.append(' ')
                        .append(distance.isPresent() ? String.format(Locale.ROOT, "%.2g", distance.getAsDouble()) : "-")
                        .append(" |");
            }
            out.append('\n');
        }
        return out.toString();
    }

    private String text(String figure, String format) {
        return Optional.ofNullable(figures.get(figure))
                .map(value -> String.format(Locale.ROOT, format, value))
                .orElse("-");
    }

    /** Bars side by side: a group for prefill and for each number of sequences, each scaled to its own best. */
    static String picture(String title, List<EngineFigures> all, List<Integer> together) {
        List<EngineFigures> shown = all.stream().filter(EngineFigures::ran).toList();
        Map<String, String> groups = new LinkedHashMap<>();
        groups.put("prefill", "prefill");
        together.forEach(
                rows -> groups.put("decode_" + rows, "decode, " + rows + (rows == 1 ? " sequence" : " together")));
        int height = 70 + groups.size() * (34 + 24 * shown.size());
        StringBuilder out = new StringBuilder();
        out.append("""
                <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 %d" font-family="Helvetica, Arial, sans-serif" role="img"
                     aria-label="%s">
                  <rect width="820" height="%d" rx="8" fill="#ffffff"/>
                  <text x="30" y="38" font-size="17" font-weight="bold" fill="#222222">%s</text>
                """.formatted(height, escaped(title), height, escaped(title)));
        int y = 66;
        for (Map.Entry<String, String> group : groups.entrySet()) {
            out.append("  <text x=\"30\" y=\"%d\" font-size=\"13\" fill=\"#555555\">%s, tokens a second</text>%n"
                    .formatted(y, group.getValue()));
            y += 10;
            double best = shown.stream()
                    .mapToDouble(each -> each.figures.getOrDefault(group.getKey(), 0.0))
                    .max()
                    .orElse(1);
            for (int i = 0; i < shown.size(); i++) {
                double value = shown.get(i).figures.getOrDefault(group.getKey(), 0.0);
                double width = best <= 0 ? 0 : 480 * value / best;
                out.append(String.format(
                        Locale.ROOT,
                        """
                          <text x="150" y="%d" font-size="13" text-anchor="end" fill="#222222">%s</text>
                          <rect x="160" y="%d" width="%.1f" height="18" rx="2" fill="%s"/>
                          <text x="%.1f" y="%d" font-size="13" fill="#222222">%.0f</text>
                        """,
                        y + 14,
                        escaped(shown.get(i).name),
                        y,
                        width,
                        COLOURS[i % COLOURS.length],
                        168 + width,
                        y + 14,
                        value));
                y += 24;
            }
            y += 24;
        }
        return out.append("</svg>\n").toString();
    }

    private static String escaped(String text) {
        return text.codePoints()
                .mapToObj(c -> switch (c) {
                    case '<' -> "&lt;";
                    case '>' -> "&gt;";
                    case '&' -> "&amp;";
                    case '"' -> "&quot;";
                    default -> Character.toString(c);
                })
                .collect(Collectors.joining());
    }
}
