package dev.jeton.models.cuda;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import dev.jeton.scheduler.Dispatcher;
import dev.jeton.scheduler.GenerationContract;
import dev.jeton.scheduler.SteadyTimes;
import dev.jeton.scheduler.StepListener;
import dev.jeton.scheduler.StepLoop;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * The CUDA engine, two steps in flight, under the production step loop, on a machine that stands in for a GPU. In the
 * engine's package for the sake of that machine.
 */
class CudaGenerationTest extends GenerationContract {

    private static final EngineOptions OPTIONS = new EngineOptions(128, 8 << 20, 4, 256, 16, 0, "none");

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @TempDir
    Path folder;

    @Override
    protected boolean sameInAnyBatch() {
        return false;
    }

    @Override
    protected Dispatcher create() throws IOException {
        Path model = Files.createTempDirectory(folder, "model");
        new TinyModel(model, Configs.qwen2(""), TensorType.BF16, 3);
        long since = System.nanoTime();
        return new StepLoop(
                "cuda",
                new SteadyTimes(CudaEngine.load(model, OPTIONS, MACHINE.libraries())),
                config(),
                System::nanoTime,
                since,
                StepListener.NONE);
    }
}
