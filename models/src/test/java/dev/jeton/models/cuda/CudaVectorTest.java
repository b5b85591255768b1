package dev.jeton.models.cuda;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.engine.Engine;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Vectors of texts on the stand-in. */
class CudaVectorTest extends SixteenBitVectors {

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @Override
    protected Engine load(Path model, EngineOptions options) {
        return CudaEngine.load(model, options, MACHINE.libraries());
    }
}
