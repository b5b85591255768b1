package dev.jeton.models;

import dev.jeton.models.engine.Engine;
import java.nio.file.Path;

/** Makes engines of one kind; found by {@link java.util.ServiceLoader}. */
public interface EngineProvider {

    /** Name as in {@code --engine} and {@code jeton engines}. */
    String name();

    /** Empty where the engine can run here; otherwise what is missing and which artifact or setting brings it. */
    String missing();

    /** Loads a model folder onto this engine. */
    Engine open(Path folder, EngineOptions options);
}
