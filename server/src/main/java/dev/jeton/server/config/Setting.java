package dev.jeton.server.config;

import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;
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

    /** Its first part. */
    String section() {
        return key.substring(0, key.indexOf('.'));
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
        @Override
        public void check(String value) {
            if (!value.isEmpty() && !Names.fits(value)) {
                throw new ConfigException(Names.EXPECTED);
            }
        }
    }

    /** Several texts, separated by commas. */
    record Texts() implements Kind {
        @Override
        public void check(String value) {}
    }

    /** Origins of web pages, separated by commas, or {@code *}. */
    record Origins() implements Kind {

        private static final Pattern ORIGIN = Pattern.compile("[a-zA-Z][a-zA-Z0-9+.-]*://[^\\s/?#@*]+");

        @Override
        public void check(String value) {
            for (String entry : value.split(",")) {
                String origin = entry.strip();
                if (!origin.isEmpty()
                        && !origin.equals("*")
                        && !ORIGIN.matcher(origin).matches()) {
                    throw new ConfigException("origins without a path are expected, as https://ui.example.org or"
                            + " http://localhost:3000, or * for all");
                }
            }
        }
    }

    /** Ids with digests of keys, {@code ID:SHA256}, separated by commas. */
    record Digests() implements Kind {

        private static final Pattern ENTRY = Pattern.compile("([^:]*):[0-9a-f]{64}");

        @Override
        public void check(String value) {
            for (String entry : value.split(",")) {
                var matcher = ENTRY.matcher(entry.strip());
                if (!entry.isBlank() && !(matcher.matches() && Names.fits(matcher.group(1)))) {
                    throw new ConfigException("entries ID:SHA256 are expected, the digest of a key in 64 lower-case"
                            + " hexadecimal digits; 'jeton key' makes a key and prints it");
                }
            }
        }
    }

    /** Adapters by their served names, {@code NAME=FOLDER}, separated by commas. */
    record Adapters() implements Kind {

        @Override
        public void check(String value) {
            read(value);
        }

        /** Folders by names, in order. */
        static SequencedMap<String, String> read(String value) {
            SequencedMap<String, String> adapters = new LinkedHashMap<>();
            for (String entry : value.split(",")) {
                String name =
                        entry.substring(0, Math.max(0, entry.indexOf('='))).strip();
                String folder = entry.substring(entry.indexOf('=') + 1).strip();
                if (entry.isBlank()) {
                    continue;
                }
                if (name.isEmpty() || folder.isEmpty()) {
                    throw new ConfigException("entries NAME=FOLDER are expected, as sql=/models/adapters/sql");
                }
                if (adapters.put(name, folder) != null) {
                    throw new ConfigException("two adapters are named '%s'".formatted(name));
                }
            }
            return adapters;
        }
    }

    /** A secret of webhooks, or nothing. */
    record Secret() implements Kind {

        /** Bytes that a secret has at least. */
        static final int LEAST = 24;

        private static final Pattern BASE64 = Pattern.compile("(whsec_)?[A-Za-z0-9+/]+={0,2}");

        @Override
        public void check(String value) {
            if (!value.isEmpty() && (!BASE64.matcher(value).matches() || bytes(value).length < LEAST)) {
                throw new ConfigException(
                        "at least %d bytes in Base64 are expected, as 'openssl rand -base64 32' prints them"
                                .formatted(LEAST));
            }
        }

        /** The secret itself; none where the text is no Base64. */
        static byte[] bytes(String value) {
            try {
                return Base64.getDecoder().decode(value.startsWith("whsec_") ? value.substring(6) : value);
            } catch (IllegalArgumentException e) {
                return new byte[0];
            }
        }
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
