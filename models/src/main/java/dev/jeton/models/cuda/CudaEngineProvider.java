package dev.jeton.models.cuda;

import dev.jeton.models.CheckpointQuantization;
import dev.jeton.models.DecoderFiles;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.EngineSupport;
import dev.jeton.models.StepEngineProvider;
import dev.jeton.models.StepSize;
import dev.jeton.models.engine.Engine;
import dev.jeton.natives.CudaDevice;
import dev.jeton.natives.CudaDriver;
import dev.jeton.natives.NativeException;
import dev.jeton.natives.Nvrtc;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/** Brings the CUDA engine: an NVIDIA GPU, its driver, NVRTC and cuBLASLt. */
public final class CudaEngineProvider implements StepEngineProvider {

    private final DeviceLibraries libraries;

    /** For the service loader; libraries are found as the environment and the usual places have them. */
    public CudaEngineProvider() {
        this(DeviceLibraries.of(System.getenv()));
    }

    CudaEngineProvider(DeviceLibraries libraries) {
        this.libraries = libraries;
    }

    @Override
    public String name() {
        return "cuda";
    }

    @Override
    public String missing() {
        try {
            CudaDriver driver = CudaDriver.open(libraries.driver());
            if (driver.devices().isEmpty()) {
                return "a GPU; the driver shows this process none (see CUDA_VISIBLE_DEVICES)";
            }
            Nvrtc.open(libraries.nvrtc(), driver.version());
            return "";
        } catch (NativeException e) {
            return String.valueOf(e.getMessage());
        }
    }

    @Override
    public EngineSupport support() {
        return new EngineSupport(
                devices(),
                List.of(
                        "safetensors (f32, f16, bf16, fp8, AWQ, GPTQ, compressed-tensors, MXFP4)",
                        "GGUF (widened to 16 bits, but experts in MXFP4)"),
                List.of("int8", "fp8"),
                CudaEngine.ALL_CAPABILITIES);
    }

    private String devices() {
        try {
            return CudaDriver.open(libraries.driver()).devices().stream()
                    .map(CudaDevice::name)
                    .collect(Collectors.joining(", "));
        } catch (NativeException e) {
            return "";
        }
    }

    @Override
    public String refusal(Path model) {
        return DecoderFiles.refusal(model, folder -> {
            DecoderSpec.readQuantized(folder).requireOnly("cuda", CudaEngine.ABLE);
            CheckpointQuantization.read(folder);
        });
    }

    @Override
    public StepSize stepSize(DeviceOptions device) {
        return StepSize.GPU;
    }

    @Override
    public Engine open(Path folder, EngineOptions options) {
        return CudaEngine.load(folder, options, libraries);
    }
}
