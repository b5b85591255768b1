package dev.jeton.models.cuda;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.EngineProvider;
import dev.jeton.models.engine.Engine;
import dev.jeton.natives.CudaDriver;
import dev.jeton.natives.NativeException;
import dev.jeton.natives.Nvrtc;
import java.nio.file.Path;

/** Brings the CUDA engine: an NVIDIA GPU, its driver, NVRTC and cuBLASLt. */
public final class CudaEngineProvider implements EngineProvider {

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
            if (CudaDriver.open(libraries.driver()).devices().isEmpty()) {
                return "a GPU; the driver shows this process none (see CUDA_VISIBLE_DEVICES)";
            }
            Nvrtc.open(libraries.nvrtc());
            return "";
        } catch (NativeException e) {
            return String.valueOf(e.getMessage());
        }
    }

    @Override
    public Engine open(Path folder, EngineOptions options) {
        return CudaEngine.load(folder, options, libraries);
    }
}
