package dev.jeton.models.torch;

import dev.jeton.models.DecoderFiles;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.EngineSupport;
import dev.jeton.models.ModelException;
import dev.jeton.models.StepEngineProvider;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Engine;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/** Brings the torch engine, where DJL's PyTorch engine and libtorch are found. Uses no class of DJL before that. */
public final class TorchEngineProvider implements StepEngineProvider {

    /** What it can do beyond plain sampling. */
    static final Set<Capability> CAPABILITIES = Set.of(
            Capability.LOG_PROBABILITIES, Capability.PROMPT_LOG_PROBABILITIES, Capability.MASKS, Capability.DRAFTS);

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
    public EngineSupport support() {
        return new EngineSupport(
                libraries.device(),
                List.of("safetensors (f32, f16, bf16)", "GGUF (widened to 16 bits)"),
                List.of(),
                CAPABILITIES);
    }

    @Override
    public String refusal(Path model) {
        return DecoderFiles.refusal(model, DecoderSpec::read);
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
