package dev.jeton.models.tools;

import java.util.random.RandomGenerator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What ids of calls look like. */
public enum CallId {
    /** {@code call_} and 24 letters and digits. */
    LONG,
    /** Nine letters and digits: templates of Mistral's models take no others. */
    NINE,
    /** {@code functions.NAME:NUMBER}: templates of Kimi's models show no more of a call than that. */
    NUMBERED;

    /** Before a function's name in a {@link #NUMBERED} id. */
    static final String FUNCTIONS = "functions.";

    /** Before its number. */
    static final String NUMBER = ":";

    private static final Pattern WHOLE = Pattern.compile("(?:functions\\.)?(.+):[0-9]{1,9}");

    private static final String LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    private static final int SHORT = 9;

    /**
     * An id as a template takes it: another model's may be longer or shorter, or say nothing of the call.
     *
     * @param function that is called; empty where that is not known
     * @param number how many calls went before in the conversation
     */
    public String fitted(String id, String function, int number) {
        return switch (this) {
            case LONG -> id;
            case NINE -> {
                String letters = id.replaceAll("[^A-Za-z0-9]", "");
                String padded = "0".repeat(Math.max(0, SHORT - letters.length())) + letters;
                yield padded.substring(padded.length() - SHORT);
            }
            case NUMBERED -> {
                boolean known = function.isEmpty() || made(id) && function(id).equals(function);
                yield known ? id : numbered(function, number);
            }
        };
    }

    /**
     * A new one.
     *
     * @param function that is called
     * @param number how many calls went before, as far as is known
     */
    public String next(RandomGenerator random, String function, int number) {
        return switch (this) {
            case LONG -> letters(random, "call_", 24);
            case NINE -> letters(random, "", SHORT);
            case NUMBERED -> numbered(function, number);
        };
    }

    /** Whether an id looks like one of these. */
    boolean made(String id) {
        return switch (this) {
            case LONG -> true;
            case NINE -> id.matches("[A-Za-z0-9]{9}");
            case NUMBERED -> id.startsWith(FUNCTIONS) && WHOLE.matcher(id).matches();
        };
    }

    /** The function that a {@link #NUMBERED} id names, which models may write without what goes before it or behind. */
    static String function(String id) {
        Matcher whole = WHOLE.matcher(id);
        return whole.matches() ? whole.group(1) : id.startsWith(FUNCTIONS) ? id.substring(FUNCTIONS.length()) : id;
    }

    private static String numbered(String function, int number) {
        return FUNCTIONS + function + NUMBER + number;
    }

    private static String letters(RandomGenerator random, String prefix, int length) {
        StringBuilder id = new StringBuilder(prefix);
        for (int i = 0; i < length; i++) {
            id.append(LETTERS.charAt(random.nextInt(LETTERS.length())));
        }
        return id.toString();
    }
}
