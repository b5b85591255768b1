package dev.jeton.server.admin;

import dev.jeton.server.config.Tenant.Former;
import dev.jeton.server.config.Tenant.Key;
import dev.jeton.server.config.Tenant.Scope;
import dev.jeton.server.json.JsonObject;
import java.util.List;
import java.util.Map;

/** A key as the audit log has it. */
final class KeyFormat {

    private KeyFormat() {}

    static JsonObject write(Key key) {
        return AuditEntry.object(
                "sha256",
                key.sha256(),
                "project",
                key.project(),
                "scope",
                key.scope().text(),
                "zone",
                key.zone(),
                "expires",
                key.expires() == Key.NEVER ? null : key.expires(),
                "disabled",
                key.disabled(),
                "formers",
                key.formers().stream()
                        .map(former -> Map.of("sha256", former.sha256(), "until", former.until()))
                        .toList());
    }

    static Key read(String id, JsonObject content) {
        List<Former> formers = content.objects("formers").stream()
                .map(former -> new Former(
                        former.text("sha256"),
                        former.optionalWhole("until", 0, Long.MAX_VALUE).orElse(0)))
                .toList();
        return new Key(
                id,
                content.text("sha256"),
                content.text("project"),
                Scope.of(content.text("scope")).orElseThrow(() -> content.wrong("scope", "no scope of this version")),
                content.text("zone"),
                content.optionalWhole("expires", 0, Long.MAX_VALUE).orElse(Key.NEVER),
                content.flag("disabled", false),
                formers);
    }
}
