package dev.jeton.models.torch;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.EngineProvider;
import dev.jeton.models.ModelException;
import dev.jeton.models.engine.Engine;
import java.nio.file.Path;

/** Brings the torch engine, where DJL's PyTorch engine and libtorch are found. Uses no class of DJL before that. */
public final class TorchEngineProvider implements EngineProvider {

    private final TorchLibraries libraries;

    /** For the service loader; libraries are found on the class path and as the environment says. */
    public TorchEngineProvider() {
        this(TorchLibraries.ofProcess());
    }

    TorchEngineProvider(TorchLibraries libraries) {
        this.libraries = libraries;
    }

    @Override
    public String name() {
        return "torch";
    }

    @Override
    public String missing() {
        return libraries.missing();
    }

    @Override
    public Engine open(Path folder, EngineOptions options) {
        String missing = missing();
        if (!missing.isEmpty()) {
            throw new ModelException("the torch engine lacks " + missing);
        }
        return TorchEngine.load(folder, options, TorchDevice.of(options.device().device(), libraries.environment()));
    }
}
