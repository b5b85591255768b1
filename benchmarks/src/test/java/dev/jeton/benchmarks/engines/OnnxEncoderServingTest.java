package dev.jeton.benchmarks.engines;

import dev.jeton.models.onnx.EncoderExport;
import dev.jeton.models.reference.TinyEncoder;
import java.io.IOException;
import java.nio.file.Path;

/** Encoders as ONNX exports. */
class OnnxEncoderServingTest extends EncoderServingContract {

    OnnxEncoderServingTest() {
        super("onnx");
    }

    @Override
    void export(TinyEncoder encoder, Path model, String architecture, String more) throws IOException {
        new EncoderExport(encoder).write(model, architecture, more);
    }
}
