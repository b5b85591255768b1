package dev.jeton.server.config;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/**
 * Who pays: an entry of {@code tenants}.
 *
 * @param id in reports and on invoices; letters, digits, dots, dashes and underscores
 * @param name in words; the id where none is given
 * @param zone where its callers are, to price bytes; empty where it is not known
 * @param projects what the tenant divides its bill by
 * @param keys its API keys
 */
public record Tenant(String id, String name, String zone, List<String> projects, List<Key> keys) {

    /** With lists of its own. */
    public Tenant {
        projects = List.copyOf(projects);
        keys = List.copyOf(keys);
    }

    /** Where the callers with a key are: the key's zone, or else the tenant's; empty where it is not known. */
    public String zone(Key key) {
        return key.zone().isEmpty() ? zone : key.zone();
    }

    /** What a key may see. */
    public enum Scope {
        /** What its own requests cost by the list. */
        TENANT,
        /** Also what they cost to compute, margins and everybody's rows. */
        OPERATOR
    }

    /**
     * An API key, kept as its digest only.
     *
     * @param id in reports; unique in the tenant
     * @param sha256 SHA-256 of the key in lower-case hexadecimal, as {@code jeton key} prints it
     * @param project the project it works for; empty for none
     * @param scope what it may see
     * @param zone where its callers are; empty: where the tenant's are
     */
    public record Key(String id, String sha256, String project, Scope scope, String zone) {

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
