package dev.jeton.models;

import java.nio.file.Path;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/**
 * The engines of a distribution.
 *
 * @param providers in the order in which they are preferred where a model is read by several
 */
public record Engines(List<EngineProvider> providers) {

    /** Takes the first engine that reads the model and can run here. */
    public static final String AUTO = "auto";

    /** With a list of its own. */
    public Engines {
        providers = List.copyOf(providers);
    }

    /** All that are on the class path. */
    public static Engines found() {
        return new Engines(ServiceLoader.load(EngineProvider.class).stream()
                .map(ServiceLoader.Provider::get)
                .toList());
    }

    /**
     * The engine of a name.
     *
     * @throws ModelException where there is none of it
     */
    public EngineProvider named(String name) {
        return providers.stream()
                .filter(provider -> provider.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new ModelException("there is no engine '%s'; this distribution has: %s"
                        .formatted(
                                name,
                                providers.stream().map(EngineProvider::name).collect(Collectors.joining(", ")))));
    }

    /**
     * The engine for a model.
     *
     * @param engine a name, or {@link #AUTO}
     * @throws ModelException where there is none, it cannot run here, or it does not read the model: with the reasons
     *     of all that were asked
     */
    public EngineProvider choose(String engine, Path model) {
        if (engine.equals(AUTO)) {
            return providers.stream()
                    .filter(provider -> provider.refusal(model).isEmpty())
                    .filter(provider -> provider.missing().isEmpty())
                    .findFirst()
                    .orElseThrow(() -> new ModelException("no engine of this distribution runs %s:%n%s"
                            .formatted(
                                    model,
                                    providers.stream()
                                            .map(provider -> "  " + provider.name() + ": " + why(provider, model))
                                            .collect(Collectors.joining(System.lineSeparator())))));
        }
        EngineProvider provider = named(engine);
        String missing = provider.missing();
        if (!missing.isEmpty()) {
            throw new ModelException("the engine '%s' cannot run here: %s".formatted(engine, missing));
        }
        String refusal = provider.refusal(model);
        if (!refusal.isEmpty()) {
            throw new ModelException("the engine '%s' does not run %s: %s".formatted(engine, model, refusal));
        }
        return provider;
    }

    private static String why(EngineProvider provider, Path model) {
        String refusal = provider.refusal(model);
        return refusal.isEmpty() ? "cannot run here: " + provider.missing() : refusal;
    }
}
