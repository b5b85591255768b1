package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.StepContract;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The whole engine on a machine that stands in for a GPU and really runs its kernels. */
class CudaEngineTest extends StepContract {

    private static final EngineOptions OPTIONS = new EngineOptions(512, 8 << 20, 4, 64, 16, 0, "none");

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @TempDir
    Path folder;

    @Override
    protected Engine create() throws IOException {
        String windows = "\"use_sliding_window\": true, \"sliding_window\": 24, \"max_window_layers\": 1";
        Path model = Files.createTempDirectory(folder, "model");
        new TinyModel(model, Configs.qwen2(windows), TensorType.BF16, 3);
        return CudaEngine.load(model, OPTIONS, MACHINE.libraries());
    }

    /** Activations have eight bits of fraction. */
    @Override
    protected double tolerance() {
        return 0.05;
    }

    @Test
    void hasOneLayerGroupPerWindow() throws IOException {
        try (Engine engine = create()) {
            assertThat(engine.info().groups()).extracting(g -> g.window()).containsExactly(0, 24);
        }
    }
}
