package dev.jeton.models.cuda;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.FamilyContract;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

class CudaFamilyTest extends FamilyContract {

    @TempDir
    Path folder;

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @Override
    protected Engine load(Path model, EngineOptions options) {
        return CudaEngine.load(model, options, MACHINE.libraries());
    }

    /** What the engine would round is tested with weights of eleven bits; bf16 stays as it is. */
    @Override
    protected TensorType exactly(TensorType type) {
        return type == TensorType.F32 ? TensorType.F16 : type;
    }

    /**
     * Errors grow with the unit of rounding: of fp16 2^13 times float32's, of bf16 2^16 times. Where float32 is off by
     * 0.00006 at most (FamilyReferenceTest), that is 0.5 and 4; most of it averages out.
     */
    @Override
    protected double tolerance(double ofFloat32, TensorType weights) {
        return weights == TensorType.BF16 ? 1 : 0.15;
    }

    @Test
    void shouldMatchTheReferenceForPhi3() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.phi3("\"sliding_window\": 21"), TensorType.F16, SEED);
        check(model, plain(24), 1, tolerance(2e-4, TensorType.F16), "none");
    }

    @Test
    void shouldMatchTheReferenceForLongRope() throws IOException {
        String factors =
                IntStream.range(0, 12).mapToObj(i -> 2 + i / 4.0).toList().toString();
        String longRope = "\"original_max_position_embeddings\": 128, \"rope_scaling\": {\"type\": \"longrope\","
                + " \"short_factor\": %s, \"long_factor\": %s}".formatted(factors.replace("2.0", "1.0"), factors);
        double[] frequencies = plain(24);
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] /= 2 + i / 4.0;
        }
        TinyModel model = new TinyModel(folder, Configs.phi3(longRope), TensorType.F16, SEED);
        double attention = Math.sqrt(1 + Math.log(8) / Math.log(128));
        check(model, frequencies, attention, tolerance(2e-4, TensorType.F16), "none");
    }
}
