package dev.jeton.benchmarks.engines;

import dev.jeton.models.onnx.DecoderExport;
import java.io.IOException;
import java.nio.file.Path;

/** The onnx engine on an export as Optimum makes it; its logits depend on the batch within rounding. */
class OnnxGenerationTest extends EngineGenerationContract {

    OnnxGenerationTest() {
        super("onnx");
    }

    @Override
    void export(Path model) throws IOException {
        new DecoderExport(model, DecoderExport.Style.OPTIMUM).write();
    }

    @Override
    protected boolean sameInAnyBatch() {
        return false;
    }
}
