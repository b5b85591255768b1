package dev.jeton.models;

import java.nio.file.Path;

/**
 * Makes engines of one kind; found by {@link java.util.ServiceLoader}. Asking one costs little and loads no model: a
 * distribution lists all that it has, also those whose libraries are not there, so a provider must not link against
 * them by its own fields and signatures.
 */
public sealed interface EngineProvider permits StepEngineProvider, SequenceEngineProvider {

    /** Name as in {@code --engine} and {@code jeton engines}. */
    String name();

    /** Empty where the engine can run here; otherwise what is missing and which artifact or setting brings it. */
    String missing();

    /** What it runs on, reads and can do. */
    EngineSupport support();

    /**
     * Whether the engine reads what a folder or file holds, by its names and its config.json alone.
     *
     * @return empty where it does; otherwise why not, in words that go on after the engine's name
     */
    String refusal(Path model);

    /**
     * How large steps are where nothing else is configured.
     *
     * @param device where the model is to run
     */
    default StepSize stepSize(DeviceOptions device) {
        return StepSize.PROCESSOR;
    }
}
