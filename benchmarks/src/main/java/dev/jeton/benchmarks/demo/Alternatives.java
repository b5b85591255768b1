package dev.jeton.benchmarks.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Expands "{Can|Could} you {explain|describe} it?" into its four readings; braces without a bar are left alone. */
final class Alternatives {
    private static final Pattern CHOICE = Pattern.compile("\\{([^{}|]*(?:\\|[^{}|]*)+)}");
    private static final int MAX_READINGS = 512;

    private Alternatives() {}

    /** All readings, the first alternative of each choice first. */
    static List<String> expand(String text) {
        List<String> readings = List.of(text);
        while (true) {
            List<String> next = new ArrayList<>();
            boolean changed = false;
            for (String reading : readings) {
                Matcher matcher = CHOICE.matcher(reading);
                if (!matcher.find()) {
                    next.add(reading);
                    continue;
                }
                changed = true;
                for (String option : matcher.group(1).split("\\|", -1)) {
                    String joined = reading.substring(0, matcher.start()) + option + reading.substring(matcher.end());
                    next.add(joined.replaceAll(" {2,}", " ")
                            .replaceAll(" ([?.,!])", "$1")
                            .strip());
                }
            }
            if (next.size() > MAX_READINGS) {
                throw new IllegalArgumentException("more than " + MAX_READINGS + " readings of: " + text);
            }
            if (!changed) {
                return next;
            }
            readings = next;
        }
    }
}
