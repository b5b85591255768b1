package dev.jeton.server.config;

import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * One known setting.
 *
 * @param key dashed key with its section, {@code server.drain-timeout}
 * @param kind what its value may be
 * @param initial value when nothing else is said
 * @param meaning one sentence for {@code jeton config show} and the reference
 */
record Setting(String key, Kind kind, String initial, String meaning) {

    /** Name of the environment variable that overrides it: {@code JETON_SERVER_DRAIN_TIMEOUT}. */
    String environment() {
        return "JETON_" + key.toUpperCase(Locale.ROOT).replace('.', '_').replace('-', '_');
    }

    /** Its last part, as used in a model's own section. */
    String name() {
        return key.substring(key.indexOf('.') + 1);
    }

    /** What a value may be. */
    sealed interface Kind {
        /**
         * Checks a value.
         *
         * @throws ConfigException with what is expected, if it does not fit
         */
        void check(String value);
    }

    /** An http or https URL, or nothing. */
    record Url() implements Kind {
        @Override
        public void check(String value) {
            if (!value.isEmpty() && !value.matches("https?://[^\\s/]+(/\\S*)?")) {
                throw new ConfigException("an http or https URL is expected, as in http://localhost:4318/v1/traces");
            }
        }
    }

    /** Any text. */
    record Text() implements Kind {
        @Override
        public void check(String value) {}
    }

    /** A name that reports and price books can show, or nothing. */
    record Name() implements Kind {
        /** What a name is, for messages. */
        static final String EXPECTED =
                "1 to 64 letters, digits, dots, dashes and underscores are expected, first a letter or digit";

        private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");

        /** Whether a text is a name. */
        static boolean fits(String text) {
            return NAME.matcher(text).matches();
        }

        @Override
        public void check(String value) {
            if (!value.isEmpty() && !fits(value)) {
                throw new ConfigException(EXPECTED);
            }
        }
    }

    /** Several texts, separated by commas. */
    record Texts() implements Kind {
        @Override
        public void check(String value) {}
    }

    /** One of a few words. */
    record Choice(List<String> options) implements Kind {
        @Override
        public void check(String value) {
            if (!options.contains(value)) {
                throw new ConfigException("one of " + String.join(", ", options) + " is expected");
            }
        }
    }

    /** {@code true} or {@code false}. */
    record Flag() implements Kind {
        @Override
        public void check(String value) {
            if (!value.equals("true") && !value.equals("false")) {
                throw new ConfigException("true or false is expected");
            }
        }
    }

    /** A whole number. */
    record Whole(int least, int most) implements Kind {
        @Override
        public void check(String value) {
            int number;
            try {
                number = Integer.parseInt(value);
            } catch (NumberFormatException e) {
                throw new ConfigException("a whole number is expected");
            }
            if (number < least || number > most) {
                throw new ConfigException("between %d and %d is expected".formatted(least, most));
            }
        }
    }

    /** A size in bytes. */
    record Size(long least, long most) implements Kind {
        @Override
        public void check(String value) {
            long bytes = Units.size(value);
            if (bytes < least || bytes > most) {
                throw new ConfigException(
                        "between %s and %s is expected".formatted(Units.sizeText(least), Units.sizeText(most)));
            }
        }
    }

    /** A duration. */
    record Time(Duration least, Duration most) implements Kind {
        @Override
        public void check(String value) {
            Duration time = Units.duration(value);
            if (time.compareTo(least) < 0 || time.compareTo(most) > 0) {
                throw new ConfigException(
                        "between %s and %s is expected".formatted(Units.durationText(least), Units.durationText(most)));
            }
        }
    }
}
