package dev.jeton.server.config;

import java.util.regex.Pattern;

/** Ids of tenants, projects, keys, budgets and zones: what reports and price books can show. */
public final class Names {

    /** What a name is, for messages. */
    public static final String EXPECTED =
            "1 to 64 letters, digits, dots, dashes and underscores are expected, first a letter or digit";

    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");

    private Names() {}

    /** Whether a text is a name. */
    public static boolean fits(String text) {
        return NAME.matcher(text).matches();
    }

    /** The known word nearest to a word, as a suggestion to append to an error; empty where none is near. */
    public static String suggestion(String word, java.util.List<String> known) {
        return Schema.suggestion(word, known);
    }
}
