package dev.jeton.server.api;

import dev.jeton.accounting.Fact;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * The caller's tags on a request, {@code X-Jeton-Labels: team=search, feature=chat}: reports can be divided by them.
 * Bounded, because every combination is a row of its own in the books.
 */
final class Labels {

    /** The header. */
    static final String HEADER = "x-jeton-labels";

    /** All headers that say what work is for. */
    static final List<String> HEADERS_OF_WORK =
            List.of(HEADER, RequestTags.TASK, RequestTags.PROMPT_VERSION, RequestTags.ROUTE);

    private static final int MAX_HEADER = 4_096;
    private static final Pattern NAME = Pattern.compile("[A-Za-z][A-Za-z0-9_.-]{0,63}");
    private static final Pattern VALUE = Pattern.compile("[ -~&&[^,=\"]]{1," + Fact.MAX_LABEL + "}");

    private Labels() {}

    /**
     * Reads the header.
     *
     * @throws ApiException 400, naming the label that does not fit
     */
    static Map<String, String> of(Optional<String> header) {
        Map<String, String> labels = new TreeMap<>();
        if (header.isEmpty() || header.get().isBlank()) {
            return labels;
        }
        if (header.get().length() > MAX_HEADER) {
            throw wrong("has %d characters; at most %d are taken"
                    .formatted(header.get().length(), MAX_HEADER));
        }
        for (String part : header.get().split(",", -1)) {
            int equals = part.indexOf('=');
            String name = equals < 0 ? "" : part.substring(0, equals).strip();
            String value = equals < 0 ? "" : part.substring(equals + 1).strip();
            if (!NAME.matcher(name).matches() || !VALUE.matcher(value).matches()) {
                throw wrong(
                        "is name=value, separated by commas: a name of up to 64 letters, digits, '_', '.' and '-', a"
                                + " value of up to %d printable ASCII characters; this is not: '%s'"
                                        .formatted(Fact.MAX_LABEL, ApiException.shown(part.strip())));
            }
            if (labels.put(name, value) != null) {
                throw wrong("names '%s' twice".formatted(name));
            }
            if (labels.size() > Fact.MAX_LABELS) {
                throw wrong("has more than %d labels".formatted(Fact.MAX_LABELS));
            }
        }
        return labels;
    }

    /** Whether a label may be called so. */
    static boolean isName(String name) {
        return NAME.matcher(name).matches();
    }

    private static ApiException wrong(String what) {
        return ApiException.invalid("X-Jeton-Labels", "The header X-Jeton-Labels " + what);
    }
}
