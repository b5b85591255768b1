package dev.jeton.server.config;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;

/**
 * Who pays: an entry of {@code tenants}, or one that the admin API made.
 *
 * @param id in reports and on invoices; letters, digits, dots, dashes and underscores
 * @param name in words; the id where none is given
 * @param zone where its callers are, to price bytes; empty where it is not known
 * @param projects what the tenant divides its bill by
 * @param keys its API keys
 * @param disabled whether its requests are refused for now
 */
public record Tenant(String id, String name, String zone, List<String> projects, List<Key> keys, boolean disabled) {

    /** With lists of its own. */
    public Tenant {
        projects = List.copyOf(projects);
        keys = List.copyOf(keys);
    }

    /** One whose requests are served. */
    public Tenant(String id, String name, String zone, List<String> projects, List<Key> keys) {
        this(id, name, zone, projects, keys, false);
    }

    /** Where the callers with a key are: the key's zone, or else the tenant's; empty where it is not known. */
    public String zone(Key key) {
        return key.zone().isEmpty() ? zone : key.zone();
    }

    /** What a key is for. */
    public enum Scope {
        /** Requests to models, and what they cost by the list. */
        TENANT(true, true),
        /** Requests to models, and no questions about the books. */
        INFERENCE(true, false),
        /** What the tenant's requests cost by the list, and no requests to models. */
        REPORTS(false, true),
        /** As {@link #TENANT}, and also what requests cost to compute, margins and everybody's rows. */
        OPERATOR(true, true);

        /** All of them, as {@link #text} has them. */
        public static final List<String> TEXTS =
                Stream.of(values()).map(Scope::text).toList();

        private final boolean work;
        private final boolean books;

        Scope(boolean work, boolean books) {
            this.work = work;
            this.books = books;
        }

        /** Whether it may ask models for work. */
        public boolean work() {
            return work;
        }

        /** Whether it may ask about the books. */
        public boolean books() {
            return books;
        }

        /** As configuration and API say it. */
        public String text() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** The scope that is said so. */
        public static Optional<Scope> of(String text) {
            return Stream.of(values())
                    .filter(scope -> scope.text().equals(text))
                    .findFirst();
        }
    }

    /**
     * A digest that was a key's before it got a new secret.
     *
     * @param sha256 as in {@link Key}
     * @param until the first microsecond since 1970 at which it is not accepted any more
     */
    public record Former(String sha256, long until) {}

    /**
     * An API key, kept as its digest only.
     *
     * @param id in reports; unique in the tenant
     * @param sha256 SHA-256 of the key in lower-case hexadecimal, as {@code jeton key} prints it
     * @param project the project it works for; empty for none
     * @param scope what it is for
     * @param zone where its callers are; empty: where the tenant's are
     * @param expires the first microsecond since 1970 at which it is not accepted any more, or {@link #NEVER}
     * @param disabled whether it is refused for now
     * @param formers secrets that it had before and that are accepted for a while, the latest last
     */
    public record Key(
            String id,
            String sha256,
            String project,
            Scope scope,
            String zone,
            long expires,
            boolean disabled,
            List<Former> formers) {

        /** A key that does not expire. */
        public static final long NEVER = Long.MAX_VALUE;

        private static final int BYTES = 32;

        /** With a list of its own. */
        public Key {
            formers = List.copyOf(formers);
        }

        /** One that does not expire and never had another secret. */
        public Key(String id, String sha256, String project, Scope scope, String zone) {
            this(id, sha256, project, scope, zone, NEVER, false, List.of());
        }

        /** A new secret, which nobody can guess if {@code random} is secure. */
        public static String secret(RandomGenerator random) {
            byte[] bytes = new byte[BYTES];
            random.nextBytes(bytes);
            return "jt-" + HexFormat.of().formatHex(bytes);
        }

        /** What stands for a key: its SHA-256 in lower-case hexadecimal. */
        public static String digest(String key) {
            try {
                return HexFormat.of()
                        .formatHex(MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8)));
            } catch (NoSuchAlgorithmException e) {
                throw new IllegalStateException("every Java runtime has SHA-256", e);
            }
        }
    }
}
