package dev.jeton.server.admin;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.Period;
import dev.jeton.server.api.ApiException;
import dev.jeton.server.config.ConfigException;
import dev.jeton.server.config.Tenant;
import dev.jeton.server.config.Tenant.Former;
import dev.jeton.server.config.Tenant.Key;
import dev.jeton.server.config.Tenant.Scope;
import dev.jeton.server.config.Units;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.regex.Pattern;

/**
 * {@code /admin/v1/tenants/{tenant}/keys}. A secret is made here, answered once and never kept: what is kept is its
 * digest.
 */
final class KeyRoutes {

    private static final List<String> NEW_FIELDS = List.of("id", "project", "scope", "zone", "expires", "sha256");
    private static final List<String> FIELDS = List.of("project", "scope", "zone", "expires", "disabled");
    private static final Pattern DIGEST = Pattern.compile("[0-9a-f]{64}");
    private static final Duration USUAL_OVERLAP = Duration.ofHours(24);
    private static final Duration MAX_OVERLAP = Duration.ofDays(31);
    private static final int MAX_FORMERS = 8;
    private static final String OBJECT = "key";

    private final PolicyStore store;
    private final RandomGenerator random;
    private final Set<String> adminDigests;

    /**
     * @param random of secrets: a secure one
     * @param adminDigests of the admin API's own keys, which no tenant may have
     */
    KeyRoutes(PolicyStore store, RandomGenerator random, Set<String> adminDigests) {
        this.store = store;
        this.random = random;
        this.adminDigests = Set.copyOf(adminDigests);
    }

    void addTo(AdminRoutes routes) {
        routes.add("GET", "tenants/{tenant}/keys", this::list)
                .add("POST", "tenants/{tenant}/keys", this::create)
                .add("GET", "tenants/{tenant}/keys/{key}", this::get)
                .add("PATCH", "tenants/{tenant}/keys/{key}", this::update)
                .add("DELETE", "tenants/{tenant}/keys/{key}", this::delete)
                .add("POST", "tenants/{tenant}/keys/{key}/rotate", this::rotate);
    }

    private AdminReply list(AdminCall call) {
        call.parameters(List.of());
        Policy policy = store.policy();
        Tenant tenant = Rules.tenant(policy, call.at("tenant"));
        JsonWriter out = new JsonWriter()
                .beginObject()
                .name("object")
                .value("list")
                .name("data")
                .beginArray();
        tenant.keys().forEach(key -> write(out, tenant.id(), key, ""));
        return AdminReply.json(200, policy.version(), out.endArray().endObject());
    }

    private AdminReply get(AdminCall call) {
        call.parameters(List.of());
        return one(200, store.policy(), call.at("tenant"), call.at("key"), "");
    }

    private AdminReply one(int status, Policy policy, String tenant, String id, String secret) {
        JsonWriter out = new JsonWriter();
        write(out, tenant, key(Rules.tenant(policy, tenant), id), secret);
        return AdminReply.json(status, policy.version(), out);
    }

    private static Key key(Tenant tenant, String id) {
        return tenant.keys().stream()
                .filter(key -> key.id().equals(id))
                .findFirst()
                .orElseThrow(() -> Rules.notFound(
                        OBJECT, id, tenant.keys().stream().map(Key::id).toList()));
    }

    private Key own(Policy policy, String tenant, String id) {
        Key key = key(Rules.tenant(policy, tenant), id);
        if (store.files().hasKey(tenant, id)) {
            throw Rules.ofFile(OBJECT, id);
        }
        return key;
    }

    private void write(JsonWriter out, String tenant, Key key, String secret) {
        out.beginObject();
        out.name("object").value(OBJECT);
        out.name("id").value(key.id());
        out.name("tenant").value(tenant);
        out.name("project").value(key.project());
        out.name("scope").value(key.scope().text());
        out.name("zone").value(key.zone());
        time(out.name("expires"), key.expires());
        out.name("expired").value(store.now() >= key.expires());
        out.name("disabled").value(key.disabled());
        out.name("sha256").value(key.sha256());
        out.name("formers").beginArray();
        for (Former former : valid(key.formers())) {
            out.beginObject().name("sha256").value(former.sha256());
            time(out.name("until"), former.until());
            out.endObject();
        }
        out.endArray();
        out.name("source").value(store.files().hasKey(tenant, key.id()) ? "file" : "admin");
        if (!secret.isEmpty()) {
            out.name("secret").value(secret);
        }
        out.endObject();
    }

    private static void time(JsonWriter out, long micros) {
        if (micros == Key.NEVER) {
            out.nullValue();
        } else {
            out.value(Period.text(micros));
        }
    }

    private List<Former> valid(List<Former> formers) {
        return formers.stream().filter(former -> former.until() > store.now()).toList();
    }

    private AdminReply create(AdminCall call) {
        JsonObject body = call.body(NEW_FIELDS, "a key");
        String tenant = call.at("tenant");
        String id = Rules.id(body, "id");
        Optional<String> given = body.optionalText("sha256");
        if (given.isPresent() && !DIGEST.matcher(given.get()).matches()) {
            throw body.wrong(
                    "sha256",
                    "'sha256' must be a key's digest in 64 lower-case hexadecimal digits, never the key itself");
        }
        String secret = given.isPresent() ? "" : Key.secret(random);
        String digest = given.orElseGet(() -> Key.digest(secret));
        Policy after = store.change(call.author(body), before -> {
            Tenant found = Rules.tenant(before, tenant);
            if (found.keys().stream().anyMatch(key -> key.id().equals(id))) {
                throw Rules.exists(OBJECT, id);
            }
            Rules.bound(before.keys(), Rules.MAX_KEYS, "keys");
            requireNew(before, digest);
            Key key = new Key(
                    id,
                    digest,
                    project(body, found, ""),
                    scope(body, Scope.TENANT),
                    Rules.zone(body, ""),
                    expires(body, Key.NEVER),
                    false,
                    List.of());
            return Optional.of(Change.set("key.create", tenant + "/" + id, KeyFormat.write(key)));
        });
        return one(201, after, tenant, id, secret);
    }

    private void requireNew(Policy policy, String digest) {
        boolean taken = adminDigests.contains(digest)
                || policy.tenants().stream()
                        .flatMap(tenant -> tenant.keys().stream())
                        .anyMatch(key -> key.sha256().equals(digest)
                                || key.formers().stream()
                                        .anyMatch(former -> former.sha256().equals(digest)));
        if (taken) {
            throw Rules.conflict("already_exists", "The digest is that of another key; make another secret");
        }
    }

    private static String project(JsonObject body, Tenant tenant, String otherwise) {
        String project = body.optionalText("project").orElse(otherwise);
        if (!project.isEmpty() && !tenant.projects().contains(project)) {
            throw body.wrong(
                    "project",
                    "'project' is none of the tenant's%s"
                            .formatted(dev.jeton.server.config.Names.suggestion(project, tenant.projects())));
        }
        return project;
    }

    private static Scope scope(JsonObject body, Scope otherwise) {
        return body.optionalText("scope")
                .map(text -> Scope.of(text)
                        .orElseThrow(
                                () -> body.wrong("scope", "'scope' must be one of: " + String.join(", ", Scope.TEXTS))))
                .orElse(otherwise);
    }

    /** A time to come; {@code never} takes an end away. */
    private long expires(JsonObject body, long otherwise) {
        Optional<String> text = body.optionalText("expires");
        if (text.isEmpty()) {
            return otherwise;
        }
        if (text.get().equals("never")) {
            return Key.NEVER;
        }
        long at;
        try {
            at = Period.begin(ApiException.shown(text.get()));
        } catch (AccountingException e) {
            throw body.wrong("expires", "'expires': " + e.getMessage());
        }
        if (at <= store.now()) {
            throw body.wrong("expires", "'expires' is past: disable or delete the key instead");
        }
        return at;
    }

    private AdminReply update(AdminCall call) {
        JsonObject body = call.body(FIELDS, "a key");
        String tenant = call.at("tenant");
        String id = call.at("key");
        Policy after = store.change(call.author(body), before -> {
            Key key = own(before, tenant, id);
            Key changed = new Key(
                    id,
                    key.sha256(),
                    project(body, Rules.tenant(before, tenant), key.project()),
                    scope(body, key.scope()),
                    Rules.zone(body, key.zone()),
                    expires(body, key.expires()),
                    body.flag("disabled", key.disabled()),
                    valid(key.formers()));
            return Optional.of(Change.set("key.update", tenant + "/" + id, KeyFormat.write(changed)));
        });
        return one(200, after, tenant, id, "");
    }

    private AdminReply rotate(AdminCall call) {
        JsonObject body = call.body(List.of("overlap"), "a rotation");
        String tenant = call.at("tenant");
        String id = call.at("key");
        Duration overlap = overlap(body);
        String secret = Key.secret(random);
        Policy after = store.change(call.author(body), before -> {
            Key key = own(before, tenant, id);
            List<Former> formers = new ArrayList<>();
            if (!overlap.isZero()) {
                formers.addAll(valid(key.formers()));
                formers.add(new Former(key.sha256(), store.now() + overlap.toNanos() / 1_000));
            }
            if (formers.size() > MAX_FORMERS) {
                throw Rules.conflict(
                        "too_many",
                        "%d former secrets of the key are still accepted; wait, or rotate with an overlap of 0s, which ends"
                                        .formatted(MAX_FORMERS)
                                + " them all");
            }
            Key changed = new Key(
                    id,
                    Key.digest(secret),
                    key.project(),
                    key.scope(),
                    key.zone(),
                    key.expires(),
                    key.disabled(),
                    formers);
            return Optional.of(Change.set("key.rotate", tenant + "/" + id, KeyFormat.write(changed)));
        });
        return one(200, after, tenant, id, secret);
    }

    private static Duration overlap(JsonObject body) {
        try {
            Duration overlap = body.optionalText("overlap").map(Units::duration).orElse(USUAL_OVERLAP);
            if (overlap.compareTo(MAX_OVERLAP) <= 0) {
                return overlap;
            }
        } catch (ConfigException e) {
            throw body.wrong("overlap", "'overlap': " + e.getMessage());
        }
        throw body.wrong("overlap", "'overlap' must be at most %d days".formatted(MAX_OVERLAP.toDays()));
    }

    private AdminReply delete(AdminCall call) {
        call.parameters(List.of(AdminCall.REASON));
        String tenant = call.at("tenant");
        String id = call.at("key");
        Policy after = store.change(call.author(), before -> {
            own(before, tenant, id);
            return Optional.of(Change.gone("key.delete", tenant + "/" + id));
        });
        return TenantRoutes.deleted(after, OBJECT, id);
    }
}
