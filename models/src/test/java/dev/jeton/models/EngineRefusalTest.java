package dev.jeton.models;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.cuda.CudaEngineProvider;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.torch.TorchEngineProvider;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** An engine refuses by name the models of which it would compute wrong numbers, before it looks for a device. */
class EngineRefusalTest {

    @TempDir
    Path folder;

    private Path model(String config) throws IOException {
        Files.writeString(folder.resolve("config.json"), config);
        Files.createFile(folder.resolve("model.safetensors"));
        return folder;
    }

    private static String config(String family) {
        return switch (family) {
            case "mixtral" -> Configs.mixtral("");
            case "qwen3moe" -> Configs.qwen3Moe("");
            case "gemma2" -> Configs.gemma2("");
            case "gemma3" -> Configs.gemma3("");
            case "partial" -> Configs.phi3("\"partial_rotary_factor\": 0.75");
            default -> Configs.phi3("");
        };
    }

    @Test
    void letsCudaRunExpertsOfFewerBits() throws IOException {
        String fp8 = "\"quantization_config\": {\"quant_method\": \"fp8\", \"weight_block_size\": [128, 128]}";
        assertThat(new CudaEngineProvider().refusal(model(Configs.qwen3Moe(fp8))))
                .isEmpty();
    }

    @Test
    void cudaRefusesQuantisationsThatItDoesNotRead() throws IOException {
        String other = "\"quantization_config\": {\"quant_method\": \"bitsandbytes\"}";
        assertThat(new CudaEngineProvider().refusal(model(Configs.qwen3Moe(other))))
                .contains("bitsandbytes");
    }

    @ParameterizedTest
    @CsvSource({"mixtral", "qwen3moe", "phi3", "partial", "gemma2", "gemma3"})
    void letsTorchRunThemAll(String family) throws IOException {
        assertThat(new TorchEngineProvider().refusal(model(config(family)))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"phi3", "partial", "gemma2", "gemma3", "mixtral", "qwen3moe"})
    void letsCudaRunWhatItComputes(String family) throws IOException {
        assertThat(new CudaEngineProvider().refusal(model(config(family)))).isEmpty();
    }
}
