package dev.jeton.models.cuda;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.AdapterCheck;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.FamilyContract;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Adapters of a model that several GPUs share, with fewer key heads than GPUs; and of one whose width is padded. */
class TensorParallelAdapterTest {

    private static final Pattern ALL = Pattern.compile("_proj\\.weight$");
    private static final Pattern SOME =
            Pattern.compile("layers\\.[02]\\..*(v_proj|o_proj|up_proj|down_proj)\\.weight$");

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine(4);

    @TempDir
    Path folder;

    private static Engine load(Path model, EngineOptions options, int devices) {
        DeviceOptions shared = new DeviceOptions("", false, "auto", Duration.ZERO, devices);
        return CudaEngine.load(model, options.with(shared), MACHINE.libraries());
    }

    @Test
    void shouldMatchTheReferenceOnMoreDevicesThanThereAreKeyHeads() throws IOException {
        String config = Configs.config(
                "LlamaForCausalLM", 96, 4, 2, 24, 160, "\"tie_word_embeddings\": true, \"attention_bias\": true");
        TinyModel model = new TinyModel(folder, config, TensorType.F16, AdapterCheck.SEED);
        AdapterCheck.check((path, options) -> load(path, options, 4), model, ALL, SOME, FamilyContract.plain(24), 0.15);
    }

    @Test
    void shouldMatchTheReferenceWhereAWidthIsNoWholeVector() throws IOException {
        String config = Configs.config("LlamaForCausalLM", 96, 4, 2, 24, 157, "\"tie_word_embeddings\": true");
        TinyModel model = new TinyModel(folder, config, TensorType.F16, AdapterCheck.SEED);
        AdapterCheck.check((path, options) -> load(path, options, 1), model, ALL, SOME, FamilyContract.plain(24), 0.15);
    }
}
