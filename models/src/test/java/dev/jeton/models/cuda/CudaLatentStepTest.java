package dev.jeton.models.cuda;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.StepContract;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The engine contract with keys and values computed from a narrow vector. */
class CudaLatentStepTest extends StepContract {

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @TempDir
    Path folder;

    @Override
    protected Engine create() throws IOException {
        Path model = Files.createTempDirectory(folder, "model");
        new TinyModel(model, Configs.deepSeekV3(""), TensorType.F16, 4);
        return CudaEngine.load(model, new EngineOptions(512, 8 << 20, 4, 64, 16, 0, "none"), MACHINE.libraries());
    }

    /** Activations have eleven bits of fraction. */
    @Override
    protected double tolerance() {
        return 0.02;
    }
}
