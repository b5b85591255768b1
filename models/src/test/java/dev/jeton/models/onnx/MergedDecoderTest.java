package dev.jeton.models.onnx;

import java.nio.file.Path;

/** A decoder in two branches, of which that for a past has lost the order among several inputs. */
class MergedDecoderTest extends OptimumDecoderTest {

    @Override
    protected DecoderExport export(Path model) {
        return super.export(model).merged(false);
    }
}
