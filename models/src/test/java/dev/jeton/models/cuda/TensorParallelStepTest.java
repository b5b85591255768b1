package dev.jeton.models.cuda;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.StepContract;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The engine contract where two GPUs share the model. */
class TensorParallelStepTest extends StepContract {

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine(2);

    @TempDir
    Path folder;

    @Override
    protected Engine create() throws IOException {
        String windows = "\"use_sliding_window\": true, \"sliding_window\": 24, \"max_window_layers\": 1";
        Path model = Files.createTempDirectory(folder, "model");
        new TinyModel(model, Configs.config("Qwen2ForCausalLM", 80, 4, 2, 16, 96, windows), TensorType.F16, 3);
        EngineOptions options = new EngineOptions(512, 8 << 20, 4, 64, 16, 0, "none")
                .with(new DeviceOptions("", false, "auto", Duration.ZERO, 2));
        return CudaEngine.load(model, options, MACHINE.libraries());
    }

    /** Activations have eleven bits of fraction, and sums over GPUs are rounded to them. */
    @Override
    protected double tolerance() {
        return 0.02;
    }
}
