package dev.jeton.models.torch;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.StepContract;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(NeedsTorch.class)
class TorchEngineTest extends StepContract {

    private static final EngineOptions OPTIONS = new EngineOptions(512, 8 << 20, 4, 64, 16, 1, "none");

    @TempDir
    Path folder;

    @Override
    protected Engine create() throws IOException {
        String windows = "\"use_sliding_window\": true, \"sliding_window\": 24, \"max_window_layers\": 1";
        TinyModel model = new TinyModel(folder, Configs.qwen2(windows), TensorType.F32, 3);
        return TorchEngine.load(model.folder, OPTIONS, TorchDevice.PROCESSORS);
    }

    @Override
    protected double tolerance() {
        return 1e-4;
    }
}
