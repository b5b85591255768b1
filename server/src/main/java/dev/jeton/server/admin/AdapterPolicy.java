package dev.jeton.server.admin;

import dev.jeton.server.json.JsonObject;

/**
 * An adapter that the admin API loaded.
 *
 * @param name under which it is served
 * @param model served name of the model that it changes
 * @param folder below the root of adapters, as it was asked for
 */
public record AdapterPolicy(String name, String model, String folder) {

    static AdapterPolicy read(String name, JsonObject content) {
        return new AdapterPolicy(name, content.text("model"), content.text("folder"));
    }

    JsonObject write() {
        return AuditEntry.object("model", model, "folder", folder);
    }
}
