package dev.jeton.models.grammar;

import java.util.List;
import java.util.Map;

/** Texts that strings of a schema may have: of a length, a pattern, a format. */
final class StringTexts {

    private static final String DAYS =
            "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)"
                    + "|02-(?:0[1-9]|1\\d|2[0-8]))";
    private static final String LEAP_DAY =
            "(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29";
    private static final String DATE = "(?:\\d{4}-" + DAYS + "|" + LEAP_DAY + ")";
    private static final String TIME =
            "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)";
    private static final String LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?";
    private static final String HOST = LABEL + "(?:\\." + LABEL + "){0,6}";
    private static final String OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
    private static final String IPV4 = OCTET + "(?:\\." + OCTET + "){3}";
    private static final String GROUP = "[0-9A-Fa-f]{1,4}";

    /**
     * Formats that are enforced, as expressions of whole texts. Other names are annotations, as the standard has it.
     */
    private static final Map<String, String> FORMATS = Map.ofEntries(
            Map.entry("date", DATE),
            Map.entry("time", TIME),
            Map.entry("date-time", DATE + "T" + TIME),
            Map.entry(
                    "duration",
                    "P(?:\\d{1,6}W|(?:\\d{1,6}Y(?:\\d{1,6}M)?(?:\\d{1,6}D)?|\\d{1,6}M(?:\\d{1,6}D)?|\\d{1,6}D)"
                            + "(?:T(?:\\d{1,6}H(?:\\d{1,6}M(?:\\d{1,6}S)?)?|\\d{1,6}M(?:\\d{1,6}S)?|\\d{1,6}S))?"
                            + "|T(?:\\d{1,6}H(?:\\d{1,6}M(?:\\d{1,6}S)?)?|\\d{1,6}M(?:\\d{1,6}S)?|\\d{1,6}S))"),
            Map.entry(
                    "email",
                    "[A-Za-z0-9_%+-]{1,32}(?:\\.[A-Za-z0-9_%+-]{1,10}){0,2}@(?:" + LABEL + "\\.){1,5}[A-Za-z]{2,24}"),
            Map.entry("hostname", HOST),
            Map.entry("ipv4", IPV4),
            Map.entry("ipv6", ipv6()),
            Map.entry("uuid", "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"),
            Map.entry("uri", "[A-Za-z][A-Za-z0-9+.-]{0,30}:(?:[A-Za-z0-9._~:/?#@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"));

    private StringTexts() {}

    private static String ipv6() {
        StringBuilder all = new StringBuilder("(?:" + GROUP + ":){7}" + GROUP);
        for (int before = 0; before <= 7; before++) {
            int after = 7 - before;
            String left = before == 0 ? "" : GROUP + "(?::" + GROUP + "){0," + (before - 1) + "}";
            // at least one group is left out
            String right = after == 0 ? "" : "(?:" + GROUP + "(?::" + GROUP + "){0," + (after - 1) + "})?";
            all.append('|').append(left).append("::").append(right);
        }
        return "(?:" + all + ")";
    }

    /** Whether texts of the format are told from others. */
    static boolean known(String format) {
        return FORMATS.containsKey(format);
    }

    /**
     * Texts that all of that allows.
     *
     * @param least code points
     * @param most code points; negative for no bound
     * @param patterns of which each must match somewhere
     * @param formats of which each is known
     */
    static TextAutomaton of(int least, int most, List<String> patterns, List<String> formats) {
        TextAutomaton texts = TextAutomaton.all();
        for (String format : formats) {
            texts = texts.and(ExpressionAutomaton.whole(Regex.parse(FORMATS.getOrDefault(format, ""))));
        }
        for (String pattern : patterns) {
            texts = texts.and(Regex.texts(pattern, false));
        }
        if (most >= 0) {
            texts = texts.and(TextAutomaton.lengths(least, most));
        } else if (least > 0) {
            texts = texts.and(TextAutomaton.atLeast(least));
        }
        return texts;
    }
}
