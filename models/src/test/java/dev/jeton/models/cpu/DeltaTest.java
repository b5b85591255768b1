package dev.jeton.models.cpu;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.DeltaContract;
import java.nio.file.Path;

/** What is computed without the kernels in C, which round inputs: see {@link NativeDeltaTest}. */
class DeltaTest extends DeltaContract {

    @Override
    protected Engine load(Path model, EngineOptions options) {
        return CpuEngine.load(model, KvTypes.precise(options), false);
    }
}
