package dev.jeton.models.torch;

import dev.jeton.models.DecoderFeature;
import dev.jeton.models.DecoderFiles;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.EngineSupport;
import dev.jeton.models.MachineMemory;
import dev.jeton.models.ModelException;
import dev.jeton.models.StepEngineProvider;
import dev.jeton.models.StepSize;
import dev.jeton.models.TorchScriptFolder;
import dev.jeton.models.VectorSpec;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Engine;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Brings the torch engine, where DJL's PyTorch engine and libtorch are found. Uses no class of DJL before that. */
public final class TorchEngineProvider implements StepEngineProvider {

    /** What it computes of what only some models need. */
    static final Set<DecoderFeature> ABLE = Set.of(
            DecoderFeature.EXPERTS,
            DecoderFeature.EXPERT_ROUTING,
            DecoderFeature.SHARED_EXPERTS,
            DecoderFeature.FUSED_TENSORS,
            DecoderFeature.PARTIAL_ROTARY,
            DecoderFeature.FACTORS_BY_LENGTH,
            DecoderFeature.WINDOW_ROTARY,
            DecoderFeature.BRANCH_NORMS,
            DecoderFeature.GELU,
            DecoderFeature.EMBEDDING_SCALE,
            DecoderFeature.QUERY_SCALE,
            DecoderFeature.SOFT_CAPS,
            DecoderFeature.NORMS_TOGETHER,
            DecoderFeature.NORMS_BEHIND,
            DecoderFeature.UNTURNED_LAYERS,
            DecoderFeature.QUERY_GROWTH);

    /** What it can do with decoders beyond plain sampling. */
    static final Set<Capability> CAPABILITIES = Set.of(
            Capability.LOG_PROBABILITIES, Capability.PROMPT_LOG_PROBABILITIES, Capability.MASKS, Capability.DRAFTS);

    /** What it can do with decoders, or with encoders. */
    private static final Set<Capability> SUPPORTED =
            Stream.concat(CAPABILITIES.stream(), Stream.of(Capability.POOLING)).collect(Collectors.toUnmodifiableSet());

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
                List.of("safetensors (f32, f16, bf16)", "GGUF (widened to 16 bits)", "TorchScript encoders"),
                List.of(),
                SUPPORTED);
    }

    @Override
    public String refusal(Path model) {
        try {
            if (TorchScriptFolder.describes(model)) {
                TorchScriptFolder.read(model);
                return "";
            }
            String refusal = DecoderFiles.refusal(
                    model, folder -> DecoderSpec.read(folder).requireOnly("torch", ABLE));
            return !refusal.isEmpty() && VectorSpec.describes(model) && !DecoderFiles.areOfDecoder(model)
                    ? "it is an encoder, and there is no TorchScript module (model.pt), as torch.jit.save writes one"
                    : refusal;
        } catch (ModelException e) {
            return String.valueOf(e.getMessage());
        }
    }

    @Override
    public StepSize stepSize(DeviceOptions device) {
        return TorchDevice.of(device.device(), libraries.environment()).isGpu() ? StepSize.GPU : StepSize.PROCESSOR;
    }

    @Override
    public Engine open(Path folder, EngineOptions options) {
        String missing = missing();
        if (!missing.isEmpty()) {
            throw new ModelException("the torch engine lacks " + missing);
        }
        TorchDevice device = TorchDevice.of(options.device().device(), libraries.environment());
        return TorchScriptFolder.describes(folder)
                ? TorchEncoders.load(folder, options, device, MachineMemory.OF_MACHINE)
                : TorchEngine.load(folder, options, device);
    }
}
