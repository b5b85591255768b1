package dev.jeton.models.torch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.TensorType;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TorchEngineProviderTest {

    private final TorchEngineProvider provider = new TorchEngineProvider();

    @TempDir
    Path folder;

    @Test
    void refusesByNameWhatItDoesNotCompute() throws IOException {
        Path model = new TinyModel(folder, Configs.gptOss(""), TensorType.F32, 3).folder;
        assertThat(provider.refusal(model))
                .contains("attention sinks", "biases of experts", "the activation of gpt-oss", "the torch engine")
                .doesNotContain("feed-forward layers of experts");
    }

    @Test
    void takesExpertsBesideWhatAllTokensGoThrough() throws IOException {
        Path model = new TinyModel(folder, Configs.glm4Moe(""), TensorType.F32, 3).folder;
        assertThat(provider.refusal(model)).isEmpty();
    }
}
