package dev.jeton.models.tools;

import java.util.random.RandomGenerator;

/** What ids of calls look like. */
public enum CallId {
    /** {@code call_} and 24 letters and digits. */
    LONG("call_", 24),
    /** Nine letters and digits: templates of Mistral's models take no others. */
    NINE("", 9);

    private static final String LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    private final String prefix;
    private final int length;

    CallId(String prefix, int length) {
        this.prefix = prefix;
        this.length = length;
    }

    /** An id as a template takes it: another model's may be longer or shorter. */
    public String fitted(String id) {
        if (this == LONG) {
            return id;
        }
        String letters = id.replaceAll("[^A-Za-z0-9]", "");
        String padded = "0".repeat(Math.max(0, length - letters.length())) + letters;
        return padded.substring(padded.length() - length);
    }

    /** A new one. */
    public String next(RandomGenerator random) {
        StringBuilder id = new StringBuilder(prefix);
        for (int i = 0; i < length; i++) {
            id.append(LETTERS.charAt(random.nextInt(LETTERS.length())));
        }
        return id.toString();
    }
}
