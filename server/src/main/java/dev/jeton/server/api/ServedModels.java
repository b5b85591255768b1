package dev.jeton.server.api;

import dev.jeton.server.json.JsonObject;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The models served, by name, in the order of configuration; immutable. */
public final class ServedModels {

    private final Map<String, ServedModel> byName;

    /** @throws IllegalArgumentException if there is none, or two have one name */
    public ServedModels(List<ServedModel> models) {
        Map<String, ServedModel> map = new LinkedHashMap<>();
        for (ServedModel model : models) {
            if (map.putIfAbsent(model.name(), model) != null) {
                throw new IllegalArgumentException(
                        "two models are served as '%s': give one another --served-model-name".formatted(model.name()));
            }
        }
        if (map.isEmpty()) {
            throw new IllegalArgumentException("at least one model is needed: name one with --model");
        }
        byName = Collections.unmodifiableMap(map);
    }

    /** All of them. */
    public Collection<ServedModel> all() {
        return byName.values();
    }

    /** The model of that name, if served. */
    public Optional<ServedModel> find(String name) {
        return Optional.ofNullable(byName.get(name));
    }

    /** The model that a request's {@code model} names. */
    ServedModel named(Call call, JsonObject body) {
        ServedModel model = require(body.text("model"));
        call.servedBy(model);
        return model;
    }

    /** The model that {@code model} names; without one, the first. */
    ServedModel namedOrFirst(Call call, JsonObject body) {
        ServedModel model = body.optionalText("model")
                .map(this::require)
                .orElseGet(() -> byName.values().iterator().next());
        call.servedBy(model);
        return model;
    }

    ServedModel require(String name) {
        return find(name)
                .orElseThrow(() -> new ApiException(
                        404,
                        ApiException.INVALID_REQUEST,
                        "model",
                        "model_not_found",
                        "The model '%s' does not exist; GET /v1/models lists those served"
                                .formatted(ApiException.shown(name))));
    }
}
