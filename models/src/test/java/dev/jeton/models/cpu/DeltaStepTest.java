package dev.jeton.models.cpu;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.StepContract;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

/** The engine contract with layers that keep a state in the slot. */
class DeltaStepTest extends StepContract {

    @TempDir
    Path folder;

    @Override
    protected Engine create() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.qwen35(""), TensorType.BF16, 3);
        return CpuEngine.load(model.folder, new EngineOptions(512, 8 << 20, 4, 64, 16, 2, "none"));
    }
}
