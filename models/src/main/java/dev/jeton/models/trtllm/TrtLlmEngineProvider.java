package dev.jeton.models.trtllm;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.EngineSupport;
import dev.jeton.models.ModelException;
import dev.jeton.models.SequenceEngineProvider;
import dev.jeton.models.StepSize;
import dev.jeton.models.TrtLlmFolder;
import dev.jeton.models.engine.SequenceEngine;
import dev.jeton.natives.NativeException;
import dev.jeton.natives.TrtLlm;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Brings the trtllm engine: TensorRT-LLM and the shim that was built against it. */
public final class TrtLlmEngineProvider implements SequenceEngineProvider {

    /** Names the shim's file. */
    static final String SHIM = "JETON_TRTLLM";

    private static final int MOST = 65_536;

    private final Optional<Path> shim;

    /** For the service loader. */
    public TrtLlmEngineProvider() {
        this(System.getenv());
    }

    TrtLlmEngineProvider(Map<String, String> environment) {
        shim = Optional.ofNullable(environment.get(SHIM))
                .filter(file -> !file.isBlank())
                .map(Path::of);
    }

    @Override
    public String name() {
        return "trtllm";
    }

    @Override
    public String missing() {
        try {
            TrtLlm.load(shim);
            return "";
        } catch (NativeException e) {
            return String.valueOf(e.getMessage());
        }
    }

    @Override
    public EngineSupport support() {
        String device = missing().isEmpty() ? "TensorRT-LLM " + TrtLlm.version() : "";
        return new EngineSupport(device, List.of("engines of trtllm-build"), List.of(), TrtLlmEngine.CAPABILITIES);
    }

    @Override
    public String refusal(Path model) {
        return TrtLlmFolder.refusal(model);
    }

    /** The engine's folder says itself how much a step of it holds, which is less than this. */
    @Override
    public StepSize stepSize(DeviceOptions device) {
        return new StepSize(MOST, MOST, Duration.ZERO, 0);
    }

    @Override
    public SequenceEngine open(Path model, EngineOptions options) {
        String missing = missing();
        if (!missing.isEmpty()) {
            throw new ModelException("the trtllm engine lacks " + missing);
        }
        return TrtLlmEngine.load(model, options);
    }
}
