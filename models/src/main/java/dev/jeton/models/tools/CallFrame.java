package dev.jeton.models.tools;

/**
 * What stands around a call, as the model itself writes it: an answer's calls are {@code open}, then for each call
 * {@code begin}, the function's name, {@code arguments}, the arguments and {@code end}, with {@code between} between
 * two calls, then {@code close}. A grammar that is to hold a model to calls is made of these literals, the names and
 * the schemas of the functions; a parser takes more than that. {@link #COUNT} in {@code arguments} is any number.
 *
 * @param open before the first call
 * @param begin before a call's function's name, which is written as it is
 * @param arguments between the name and the arguments
 * @param body how the arguments are written
 * @param end behind the arguments
 * @param between between two calls
 * @param close behind the last call
 */
public record CallFrame(
        String open, String begin, String arguments, Body body, String end, String between, String close) {

    /** In a frame's literals, stands for a number in digits. */
    public static final String COUNT = "\uf8ff";

    /** How arguments are written. */
    public sealed interface Body {

        /** As one JSON object. */
        Body JSON = new Json();

        /** One JSON object. */
        record Json() implements Body {}

        /**
         * As keywords of a call in Python: {@code a=1, b="x", c=[True, None]}.
         *
         * @param python whether words are Python's, and not JSON's {@code true}, {@code false} and {@code null}
         */
        record Keywords(boolean python) implements Body {}

        /**
         * One argument after the other: {@code begin}, its name, {@code middle}, its value and {@code end}. Strings are
         * written as they are, anything else as JSON, by what the function's schema says ({@link ToolSignatures}).
         *
         * @param end of which the {@linkplain #mark mark} is in no value
         */
        record Parameters(String begin, String middle, String end) implements Body {

            /** By what a reader finds the end of a value. */
            public String mark() {
                return end.strip();
            }
        }
    }
}
