package dev.jeton.benchmarks.engines;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.Engines;
import dev.jeton.models.SequenceEngineProvider;
import dev.jeton.natives.testing.TrtLlmDouble;
import dev.jeton.scheduler.Dispatcher;
import dev.jeton.scheduler.GenerationContract;
import dev.jeton.scheduler.SequenceLoop;
import dev.jeton.scheduler.StepListener;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

/** The trtllm engine on the double of TensorRT-LLM's executor, under the production loop for whole sequences. */
class TrtLlmGenerationTest extends GenerationContract {

    @TempDir
    private static Path built;

    @TempDir
    private Path folder;

    @BeforeAll
    static void build() throws IOException {
        assumeTrue(TrtLlmDouble.possible(), "there is no CMake, or no C++ compiler");
        TrtLlmDouble.load(built);
    }

    @Override
    protected Dispatcher create() throws IOException {
        SequenceEngineProvider provider =
                (SequenceEngineProvider) Engines.found().named("trtllm");
        Path engine = TrtLlmDouble.engine(folder.resolve("engine"), TrtLlmDouble.VERSION, "");
        EngineOptions options = new EngineOptions(128, 0, 4, 64, 16, 0, "none");
        return new SequenceLoop(
                "trtllm",
                provider.open(engine, options),
                config(),
                System::nanoTime,
                System.nanoTime(),
                StepListener.NONE);
    }
}
