package dev.jeton.models;

import dev.jeton.models.engine.Engine;
import java.nio.file.Path;

/** Makes engines that execute the scheduler's steps. */
public non-sealed interface StepEngineProvider extends EngineProvider {

    /**
     * Loads a model onto this engine.
     *
     * @throws ModelException if the model cannot be run, with the reason
     */
    Engine open(Path model, EngineOptions options);
}
