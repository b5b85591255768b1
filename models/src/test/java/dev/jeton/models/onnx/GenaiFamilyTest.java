package dev.jeton.models.onnx;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.models.DecoderSpec;
import java.nio.file.Path;

/** The same with GroupQueryAttention, which wants heads of a multiple of sixteen elements. */
class GenaiFamilyTest extends OptimumFamilyTest {

    @Override
    protected DecoderExport export(Path model) {
        assumeTrue(DecoderSpec.read(model).headDim() % 16 == 0, "GroupQueryAttention has no kernel for this head");
        return new DecoderExport(model, DecoderExport.Style.GENAI);
    }
}
