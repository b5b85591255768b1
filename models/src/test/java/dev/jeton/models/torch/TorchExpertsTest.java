package dev.jeton.models.torch;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.StepContract;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The engine contract with layers of experts. */
@ExtendWith(NeedsTorch.class)
class TorchExpertsTest {

    abstract static class Contract extends StepContract {

        @TempDir
        Path folder;

        abstract String config();

        @Override
        protected Engine create() throws IOException {
            TinyModel model = new TinyModel(folder, config(), TensorType.F32, 3);
            EngineOptions options = new EngineOptions(512, 8 << 20, 4, 64, 16, 1, "none");
            return TorchEngine.load(model.folder, options, TorchDevice.PROCESSORS);
        }

        @Override
        protected double tolerance() {
            return 1e-4;
        }
    }

    @Nested
    class Mixtral extends Contract {
        @Override
        String config() {
            return Configs.mixtral("\"sliding_window\": 24");
        }
    }

    @Nested
    class Qwen3Moe extends Contract {
        @Override
        String config() {
            return Configs.qwen3Moe("\"decoder_sparse_step\": 2, \"norm_topk_prob\": true");
        }
    }

    @Nested
    class Qwen2Moe extends Contract {
        @Override
        String config() {
            return Configs.qwen2Moe("");
        }
    }

    @Nested
    class Glm4Moe extends Contract {
        @Override
        String config() {
            return Configs.glm4Moe("");
        }
    }
}
