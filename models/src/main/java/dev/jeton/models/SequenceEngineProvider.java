package dev.jeton.models;

import dev.jeton.models.engine.SequenceEngine;
import java.nio.file.Path;

/** Makes engines that batch by themselves. */
public non-sealed interface SequenceEngineProvider extends EngineProvider {

    /**
     * Loads a model onto this engine.
     *
     * @throws ModelException if the model cannot be run, with the reason
     */
    SequenceEngine open(Path model, EngineOptions options);
}
