package dev.jeton.models.onnx;

import java.nio.file.Path;

/** A decoder whose positions follow from the past's length, so that only rows of one length go together. */
class PlainDecoderTest extends OptimumDecoderTest {

    @Override
    protected DecoderExport export(Path model) {
        return super.export(model).withoutPositions();
    }
}
