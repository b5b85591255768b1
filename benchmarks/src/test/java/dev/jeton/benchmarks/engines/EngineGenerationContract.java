package dev.jeton.benchmarks.engines;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.Engines;
import dev.jeton.models.StepEngineProvider;
import dev.jeton.models.TensorType;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import dev.jeton.scheduler.Dispatcher;
import dev.jeton.scheduler.GenerationContract;
import dev.jeton.scheduler.SteadyTimes;
import dev.jeton.scheduler.StepListener;
import dev.jeton.scheduler.StepLoop;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

/** An engine of this distribution on a tiny model, under the production step loop. */
abstract class EngineGenerationContract extends GenerationContract {

    @TempDir
    Path folder;

    private final String engine;

    private final String config;

    EngineGenerationContract(String engine) {
        this(engine, Configs.qwen2(""));
    }

    /** On another model than most. */
    EngineGenerationContract(String engine, String config) {
        this.engine = engine;
        this.config = config;
    }

    /** Changes what the folder of safetensors holds into what the engine reads. */
    void export(Path model) throws IOException {}

    @Override
    protected Dispatcher create() throws IOException {
        StepEngineProvider provider = (StepEngineProvider) Engines.found().named(engine);
        assumeTrue(provider.missing().isEmpty(), provider.missing());
        TinyModel model = new TinyModel(folder, config, TensorType.F32, 3);
        export(model.folder);
        long since = System.nanoTime();
        EngineOptions options = new EngineOptions(128, 8 << 20, 4, 256, 16, 1, "none");
        return new StepLoop(
                engine,
                new SteadyTimes(provider.open(model.folder, options)),
                config(),
                System::nanoTime,
                since,
                StepListener.NONE);
    }
}
