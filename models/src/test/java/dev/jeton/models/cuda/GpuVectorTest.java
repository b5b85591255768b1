package dev.jeton.models.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.engine.Engine;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;

/** Vectors of texts on the GPU at hand; skipped where there is none. */
@Tag("gpu")
class GpuVectorTest extends SixteenBitVectors {

    private final CudaEngineProvider provider = new CudaEngineProvider();

    @BeforeEach
    void needsAGpu() {
        String missing = provider.missing();
        assumeTrue(missing.isEmpty(), missing);
    }

    @Override
    protected Engine load(Path model, EngineOptions options) {
        return provider.open(model, options);
    }
}
