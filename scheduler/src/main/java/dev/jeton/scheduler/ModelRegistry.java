package dev.jeton.scheduler;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Which dispatcher serves which model name. Immutable after start; several names may share a dispatcher.
 *
 * @param dispatchers by served name, in the order of configuration
 */
public record ModelRegistry(Map<String, Dispatcher> dispatchers) {

    /** Keeps the order of configuration. */
    public ModelRegistry {
        dispatchers = Collections.unmodifiableMap(new LinkedHashMap<>(dispatchers));
    }

    /** The dispatcher of a model, if it is served. */
    public Optional<Dispatcher> dispatcher(String model) {
        return Optional.ofNullable(dispatchers.get(model));
    }
}
