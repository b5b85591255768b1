package dev.jeton.server.admin;

import dev.jeton.server.json.JsonObject;
import java.util.Optional;

/**
 * What is to become of something.
 *
 * @param action kind of thing, dot, what is done
 * @param target which
 * @param content what it is then; empty where it is gone
 */
public record Change(String action, String target, Optional<JsonObject> content) {

    static Change set(String action, String target, JsonObject content) {
        return new Change(action, target, Optional.of(content));
    }

    static Change gone(String action, String target) {
        return new Change(action, target, Optional.empty());
    }
}
