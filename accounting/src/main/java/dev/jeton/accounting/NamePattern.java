package dev.jeton.accounting;

/**
 * Names that an entry of the price book is for: one name as it is, or all that begin with what stands before a final
 * {@code *}.
 *
 * @param text as it was written
 */
record NamePattern(String text) {

    /** Whether it is for more than one name. */
    boolean open() {
        return text.endsWith("*");
    }

    /** The name without the star. */
    String stem() {
        return open() ? text.substring(0, text.length() - 1) : text;
    }

    boolean matches(String name) {
        return open() ? name.startsWith(stem()) : name.equals(text);
    }

    /** The greater, the closer: a name of its own before any pattern, a long pattern before a short one. */
    int closeness() {
        return open() ? stem().length() : Integer.MAX_VALUE;
    }
}
