package dev.jeton.server.api;

import dev.jeton.server.json.JsonObject;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The models served, by name: those of the configuration, in its order, then adapters that came later. Read by any
 * thread; each reading sees one moment.
 */
public final class ServedModels {

    private volatile Map<String, ServedModel> byName;

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

    /** Serves one more, or another in place of one of its name; one thread at a time. */
    public void put(ServedModel model) {
        Map<String, ServedModel> more = new LinkedHashMap<>(byName);
        more.put(model.name(), model);
        byName = Collections.unmodifiableMap(more);
    }

    /** Serves a model no longer; one thread at a time. */
    public void remove(String name) {
        Map<String, ServedModel> fewer = new LinkedHashMap<>(byName);
        fewer.remove(name);
        byName = Collections.unmodifiableMap(fewer);
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
