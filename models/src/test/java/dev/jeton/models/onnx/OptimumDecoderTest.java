package dev.jeton.models.onnx;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.StepContract;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

/** A decoder that Optimum exported, with positions. */
class OptimumDecoderTest extends StepContract {

    static final EngineOptions OPTIONS = new EngineOptions(512, 8 << 20, 4, 64, 16, 2, "none");

    @TempDir
    Path folder;

    @Override
    protected Engine create() throws IOException {
        Path model = Files.createTempDirectory(folder, "model");
        new TinyModel(model, Configs.qwen3(""), TensorType.F32, 3);
        return OnnxEngines.load(export(model).write(), OPTIONS);
    }

    protected DecoderExport export(Path model) {
        return new DecoderExport(model, DecoderExport.Style.OPTIMUM);
    }

    @Override
    protected double tolerance() {
        return 2e-4;
    }
}
