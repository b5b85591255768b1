package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Delta;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.MachineMemory;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What of models with layers of linear attention is not supported, and says so. */
class DeltaRefusalTest {

    private static final EngineOptions OPTIONS = new EngineOptions(0, 1 << 22, 4, 64, 16, 2, "none");

    @TempDir
    private Path folder;

    @Test
    void takesNoAdaptersWhileItRuns() throws IOException {
        TinyModel model = new TinyModel(folder.resolve("model"), Configs.qwen35(""), TensorType.F32, 1);
        try (CpuEngine engine = CpuEngine.load(model.folder, OPTIONS)) {
            assertThat(engine.info().capabilities())
                    .contains(Capability.STATE)
                    .doesNotContain(Capability.DRAFTS, Capability.ADAPTERS, Capability.ADAPTER_LOADING);
            assertThatThrownBy(() -> engine.prepareAdapter(folder, Long.MAX_VALUE))
                    .isInstanceOf(EngineException.class)
                    .hasMessageContaining("adapters of models with layers of linear attention");
        }
    }

    @Test
    void refusesStatesThatTheMachineHasNoMemoryFor() throws IOException {
        Delta delta = new Delta(16, 16, 128, 128, 4, false, List.of(true, false));
        Files.createDirectories(folder.resolve("proc"));
        Files.writeString(folder.resolve("proc/meminfo"), "MemAvailable:   40960 kB\n");
        MachineMemory machine = new MachineMemory(folder);
        long each = DeltaStates.bytes(delta, 1);
        int most = (int) ((40L << 20) / each);
        assertThatCode(() -> DeltaStates.requireRoom(delta, most, 0, machine)).doesNotThrowAnyException();
        assertThatThrownBy(() -> DeltaStates.requireRoom(delta, most, 2 * each, machine))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("lower --max-num-seqs");
    }

    @ParameterizedTest
    @CsvSource({
        "'\"full_attention_interval\": 3', '\"attention_bias\": true', attention_bias is not supported",
        "'\"full_attention_interval\": 3', '\"layer_types\": [\"sliding_attention\", 1, 2]', \"sliding_attention\"",
        "'\"full_attention_interval\": 3', '\"layer_types\": [\"full_attention\"]', 1 layer_types for 3 layers",
        "'\"full_attention_interval\": 3', '\"full_attention_interval\": 9', models need one with full attention",
        "'\"linear_num_value_heads\": 4', '\"linear_num_value_heads\": 3', linear_num_value_heads 3 is not a multiple"
    })
    void refusesByNameWhatItDoesNotCompute(String given, String instead, String message) throws IOException {
        Files.writeString(folder.resolve("config.json"), Configs.qwen35Moe("").replace(given, instead));
        assertThatThrownBy(() -> DecoderSpec.read(folder))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining(message);
    }

    @Test
    void namesTheTensorOfTheFilesThatIsMissing() throws IOException {
        TinyModel model = new TinyModel(folder.resolve("model"), Configs.qwen35(""), TensorType.F32, 1);
        String config = Files.readString(model.folder.resolve("config.json"));
        Files.writeString(
                model.folder.resolve("config.json"),
                config.replace("[\"linear_attention\", \"full", "[\"full_attention\", \"full"));
        assertThatThrownBy(() -> CpuEngine.load(model.folder, OPTIONS))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("\"model.layers.0.self_attn.q_proj.weight\" is missing");
    }
}
