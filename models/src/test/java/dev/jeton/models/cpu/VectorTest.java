package dev.jeton.models.cpu;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.VectorContract;
import java.nio.file.Path;

class VectorTest extends VectorContract {

    @Override
    protected Engine load(Path model, EngineOptions options) {
        return CpuEngine.load(model, options);
    }

    @Override
    protected TensorType type() {
        return TensorType.F32;
    }

    @Override
    protected double tolerance() {
        return 1e-5;
    }
}
