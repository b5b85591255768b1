package dev.jeton.models.onnx;

import java.nio.file.Path;

/** A decoder that onnxruntime-genai's model builder exported: past and present share a buffer. */
class GenaiDecoderTest extends OptimumDecoderTest {

    @Override
    protected DecoderExport export(Path model) {
        return new DecoderExport(model, DecoderExport.Style.GENAI);
    }
}
