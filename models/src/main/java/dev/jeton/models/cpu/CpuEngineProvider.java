package dev.jeton.models.cpu;

import dev.jeton.models.DecoderFiles;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.EngineSupport;
import dev.jeton.models.StepEngineProvider;
import dev.jeton.models.engine.Engine;
import java.nio.file.Path;
import java.util.List;

/** Brings the cpu engine: any machine, no native library. */
public final class CpuEngineProvider implements StepEngineProvider {

    /** For the service loader. */
    public CpuEngineProvider() {}

    @Override
    public String name() {
        return "cpu";
    }

    @Override
    public String missing() {
        boolean vectors = ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
        return vectors ? "" : "the Vector API; start java with --add-modules jdk.incubator.vector";
    }

    @Override
    public EngineSupport support() {
        return new EngineSupport(
                Runtime.getRuntime().availableProcessors() + " cores",
                List.of(
                        "safetensors (f32, f16, bf16)",
                        "GGUF (F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q4_K, MXFP4 and others)"),
                List.of("q8_0"),
                CpuEngine.ALL_CAPABILITIES);
    }

    @Override
    public String refusal(Path model) {
        return DecoderFiles.refusal(model, DecoderSpec::read);
    }

    @Override
    public Engine open(Path folder, EngineOptions options) {
        options.device().requireOneDevice("cpu");
        return CpuEngine.load(folder, options);
    }
}
