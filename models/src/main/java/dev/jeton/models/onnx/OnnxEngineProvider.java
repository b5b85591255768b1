package dev.jeton.models.onnx;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.EngineSupport;
import dev.jeton.models.ModelException;
import dev.jeton.models.OnnxFolder;
import dev.jeton.models.StepEngineProvider;
import dev.jeton.models.StepSize;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Engine;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/**
 * Brings the onnx engine: folders with an ONNX export, run by ONNX Runtime, whose jar need not be there.
 *
 * <p>Nothing here is linked against ONNX Runtime, so this can always be asked what is missing.
 */
public final class OnnxEngineProvider implements StepEngineProvider {

    /** What brings ONNX Runtime's classes and natives. */
    static final String ARTIFACT = "com.microsoft.onnxruntime:onnxruntime:1.29.0";

    /** For the service loader. */
    public OnnxEngineProvider() {}

    @Override
    public String name() {
        return "onnx";
    }

    @Override
    public String missing() {
        try {
            OrtModel.version();
            return "";
        } catch (LinkageError | RuntimeException e) {
            String said = String.valueOf(e.getMessage());
            if (e instanceof NoClassDefFoundError && said.startsWith("ai/onnxruntime/")) {
                return "ONNX Runtime; put the jar of %s on the class path (for a GPU that of onnxruntime_gpu)"
                        .formatted(ARTIFACT);
            }
            Throwable cause = e.getCause() == null ? e : e.getCause();
            return "ONNX Runtime's native libraries do not load here (%s); %s has them for Linux, macOS and Windows"
                    .formatted(cause.getMessage(), ARTIFACT);
        }
    }

    @Override
    public EngineSupport support() {
        return new EngineSupport(
                Runtime.getRuntime().availableProcessors() + " cores",
                List.of("ONNX decoders with past (f32, f16, bf16)", "ONNX encoders"),
                List.of(),
                Set.of(
                        Capability.LOG_PROBABILITIES,
                        Capability.PROMPT_LOG_PROBABILITIES,
                        Capability.MASKS,
                        Capability.DRAFTS,
                        Capability.POOLING));
    }

    @Override
    public String refusal(Path model) {
        if (!OnnxFolder.describes(model)) {
            return "there is no ONNX file with a config.json or genai_config.json";
        }
        try {
            OnnxFolder.read(model);
            return "";
        } catch (ModelException e) {
            return String.valueOf(e.getMessage());
        }
    }

    @Override
    public StepSize stepSize(DeviceOptions device) {
        return device.device().isEmpty() || device.device().equals("cpu") ? StepSize.PROCESSOR : StepSize.GPU;
    }

    @Override
    public Engine open(Path folder, EngineOptions options) {
        String missing = missing();
        if (!missing.isEmpty()) {
            throw new ModelException("the engine 'onnx' cannot run here: " + missing);
        }
        return OnnxEngines.load(folder, options);
    }
}
