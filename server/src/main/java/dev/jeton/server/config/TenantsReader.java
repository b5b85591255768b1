package dev.jeton.server.config;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.Period;
import dev.jeton.server.config.Tenant.Key;
import dev.jeton.server.config.Tenant.Scope;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/** Reads the list {@code tenants} of a jeton.yaml, and names the line of what does not fit. */
final class TenantsReader {

    private static final int MAX_TENANTS = 10_000;
    private static final int MAX_KEYS = 1_000;
    private static final int MAX_PROJECTS = 1_000;
    private static final Pattern DIGEST = Pattern.compile("[0-9a-f]{64}");
    private static final List<String> TENANT_KEYS = List.of("id", "name", "zone", "projects", "keys");
    private static final List<String> KEY_KEYS = List.of("id", "sha256", "project", "scope", "zone", "expires");

    private final JsonParser parser;
    private final String file;
    private final Set<String> digests = new HashSet<>();

    TenantsReader(JsonParser parser, String file) {
        this.parser = parser;
        this.file = file;
    }

    /** Reads from the list's beginning to its end. */
    List<Tenant> read() {
        List<Tenant> tenants = new ArrayList<>();
        Set<String> ids = new HashSet<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            expect(JsonToken.START_OBJECT, "an entry of 'tenants' is a list of keys with values");
            Tenant tenant = tenant();
            if (!ids.add(tenant.id())) {
                throw wrong("there are two tenants '%s'".formatted(tenant.id()));
            }
            tenants.add(tenant);
            bound(tenants.size(), MAX_TENANTS, "tenants");
        }
        return tenants;
    }

    private Tenant tenant() {
        Map<String, String> texts = new LinkedHashMap<>();
        List<String> projects = new ArrayList<>();
        List<Key> keys = new ArrayList<>();
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = known(parser.currentName(), TENANT_KEYS, "a tenant");
            JsonToken token = parser.nextToken();
            switch (name) {
                case "projects" -> {
                    expect(JsonToken.START_ARRAY, "'projects' is a list of names");
                    while (parser.nextToken() != JsonToken.END_ARRAY) {
                        projects.add(id(text(parser.currentToken(), "a project"), "a project"));
                        bound(projects.size(), MAX_PROJECTS, "projects");
                    }
                }
                case "keys" -> {
                    expect(JsonToken.START_ARRAY, "'keys' is a list");
                    while (parser.nextToken() != JsonToken.END_ARRAY) {
                        expect(JsonToken.START_OBJECT, "a key has 'id' and 'sha256'");
                        keys.add(key());
                        bound(keys.size(), MAX_KEYS, "keys");
                    }
                }
                default -> texts.put(name, text(token, name));
            }
        }
        String id = id(texts.getOrDefault("id", ""), "a tenant's 'id'");
        check(id, projects, keys);
        return new Tenant(id, texts.getOrDefault("name", id), zone(texts, "tenant", id), projects, keys);
    }

    private void check(String tenant, List<String> projects, List<Key> keys) {
        Set<String> ids = new HashSet<>();
        for (Key key : keys) {
            if (!ids.add(key.id())) {
                throw wrong("tenant '%s' has two keys '%s'".formatted(tenant, key.id()));
            }
            if (!key.project().isEmpty() && !projects.contains(key.project())) {
                throw wrong("key '%s' of tenant '%s' works for '%s', which is none of its projects %s"
                        .formatted(key.id(), tenant, key.project(), projects));
            }
        }
    }

    private Key key() {
        Map<String, String> texts = new LinkedHashMap<>();
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = known(parser.currentName(), KEY_KEYS, "a key");
            texts.put(name, text(parser.nextToken(), name));
        }
        String id = id(texts.getOrDefault("id", ""), "a key's 'id'");
        String digest = texts.getOrDefault("sha256", "");
        if (!DIGEST.matcher(digest).matches()) {
            throw wrong("key '%s' needs 'sha256': the key's digest in 64 lower-case hexadecimal digits, never the key"
                            .formatted(id)
                    + " itself; 'jeton key' makes a key and prints it");
        }
        if (!digests.add(digest)) {
            throw wrong("key '%s' has the digest of another key".formatted(id));
        }
        String scope = texts.getOrDefault("scope", Scope.TENANT.text());
        return new Key(
                id,
                digest,
                texts.getOrDefault("project", ""),
                Scope.of(scope)
                        .orElseThrow(() -> wrong("the 'scope' of key '%s' is '%s', which is none of %s"
                                .formatted(id, scope, Scope.TEXTS))),
                zone(texts, "key", id),
                expires(texts, id),
                false,
                List.of());
    }

    private long expires(Map<String, String> texts, String id) {
        String text = texts.getOrDefault("expires", "");
        if (text.isEmpty()) {
            return Key.NEVER;
        }
        try {
            return Period.begin(text);
        } catch (AccountingException e) {
            throw wrong("'expires' of key '%s': %s".formatted(id, e.getMessage()));
        }
    }

    private String known(String name, List<String> names, String of) {
        if (!names.contains(name)) {
            throw wrong("'%s' is nothing that %s has%s".formatted(name, of, Schema.suggestion(name, names)));
        }
        return name;
    }

    private String text(JsonToken token, String name) {
        return switch (token) {
            case VALUE_STRING, VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT, VALUE_TRUE, VALUE_FALSE -> parser.getString();
            default -> throw wrong("'%s' needs a plain value".formatted(name));
        };
    }

    /** Where callers are; empty where nothing is said. */
    private String zone(Map<String, String> texts, String of, String id) {
        String zone = texts.getOrDefault("zone", "");
        return zone.isEmpty() ? "" : id(zone, "the 'zone' of %s '%s'".formatted(of, id));
    }

    private String id(String text, String what) {
        if (!Names.fits(text)) {
            throw wrong("%s is '%s': %s"
                    .formatted(what, text.length() > 80 ? text.substring(0, 80) + "..." : text, Names.EXPECTED));
        }
        return text;
    }

    private void bound(int size, int most, String what) {
        if (size > most) {
            throw wrong("there are more than %d %s".formatted(most, what));
        }
    }

    private void expect(JsonToken token, String otherwise) {
        if (parser.currentToken() != token) {
            throw wrong(otherwise);
        }
    }

    private ConfigException wrong(String message) {
        return new ConfigException(
                "%s:%d: %s".formatted(file, parser.currentTokenLocation().getLineNr(), message));
    }
}
