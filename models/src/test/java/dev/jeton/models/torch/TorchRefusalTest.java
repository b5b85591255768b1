package dev.jeton.models.torch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.TensorType;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What must end in a message and never in a dead JVM; each in a process of its own. */
@ExtendWith(NeedsTorch.class)
class TorchRefusalTest {

    @TempDir
    Path folder;

    private Path model = Path.of("");

    @BeforeEach
    void writeModel() throws IOException {
        model = new TinyModel(folder.resolve("model"), Configs.llama(""), TensorType.BF16, 1).folder;
    }

    private Outcome run(Map<String, String> environment, String... arguments) throws IOException, InterruptedException {
        return Outcome.of(folder, environment, arguments);
    }

    private void refused(String message, String... arguments) throws IOException, InterruptedException {
        run(Map.of(), arguments).refused(message);
    }

    private void cut(int bytes) throws IOException {
        Path file = model.resolve("model.safetensors");
        byte[] whole = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(whole, bytes < 0 ? whole.length + bytes : bytes));
    }

    @Test
    void shouldLoadWhatIsWhole() throws IOException, InterruptedException {
        Outcome outcome = run(Map.of(), model.toString(), "0", "none", "");
        assertThat(outcome.code()).as(outcome.output()).isZero();
    }

    @Test
    void shouldRefuseTruncatedWeights() throws IOException, InterruptedException {
        cut(-100);
        refused("\"data_offsets\" is", model.toString(), "0", "none", "");
    }

    @Test
    void shouldRefuseATruncatedHeader() throws IOException, InterruptedException {
        cut(200);
        refused("truncated", model.toString(), "0", "none", "");
    }

    @Test
    void shouldRefuseWeightsOfAnotherShape() throws IOException, InterruptedException {
        Files.writeString(
                model.resolve("config.json"), Configs.llama("").replace("\"hidden_size\": 96", "\"hidden_size\": 192"));
        refused("has shape", model.toString(), "0", "none", "");
    }

    @Test
    void shouldRefuseMoreMemoryThanThereIs() throws IOException, InterruptedException {
        Files.writeString(
                model.resolve("config.json"),
                Configs.llama("")
                        .replace("\"max_position_embeddings\": 1024", "\"max_position_embeddings\": 268435456"));
        refused("of KV memory", model.toString(), Long.toString(1L << 45), "none", "");
    }

    @Test
    void shouldRefuseToQuantise() throws IOException, InterruptedException {
        refused("quantize \"q8_0\"", model.toString(), "0", "q8_0", "");
    }

    @Test
    void shouldRefuseAQuantisedCheckpoint() throws IOException, InterruptedException {
        Files.writeString(
                model.resolve("config.json"),
                Configs.llama("\"quantization_config\": {\"quant_method\": \"awq\", \"bits\": 4}"));
        refused("quantised weights are not supported by this engine", model.toString(), "0", "none", "");
    }

    @Test
    void shouldRefuseAFamilyThatItWouldComputeWrongly() throws IOException, InterruptedException {
        Files.writeString(
                model.resolve("config.json"), Configs.llama("").replace("LlamaForCausalLM", "FalconForCausalLM"));
        refused("architecture \"FalconForCausalLM\" is not supported", model.toString(), "0", "none", "");
    }

    @Test
    void shouldRefuseExpertsThatTheFilesLack() throws IOException, InterruptedException {
        Files.writeString(
                model.resolve("config.json"), Configs.llama("").replace("LlamaForCausalLM", "MixtralForCausalLM"));
        refused("mlp.experts.0.gate_proj.weight\" is missing", model.toString(), "0", "none", "");
    }

    @Test
    void shouldRefuseAGpuWithoutALibtorchForIt() throws IOException, InterruptedException {
        refused("PYTORCH_FLAVOR=cu128", model.toString(), "0", "none", "0");
    }

    @Test
    void shouldRefuseATruncatedScript() throws IOException, InterruptedException {
        DecoderSpec spec = DecoderSpec.read(model);
        byte[] whole = new DecoderScript(spec, DecoderTensors.of(spec), TorchType.FLOAT, "cpu", 16).archive();
        Path script = folder.resolve("script.pt");
        for (int length : new int[] {0, 1000, whole.length - 30}) {
            Files.write(script, Arrays.copyOf(whole, length));
            refused("the TorchScript archive cannot be loaded", "script", script.toString());
        }
    }

    @Test
    void shouldRefuseALibtorchThatIsNone() throws IOException, InterruptedException {
        Path libtorch = Files.createDirectory(folder.resolve("libtorch"));
        Files.writeString(libtorch.resolve(System.mapLibraryName("torch_cpu")), "no library");
        Files.writeString(libtorch.resolve(System.mapLibraryName("torch")), "no library");
        Files.writeString(libtorch.resolve(System.mapLibraryName("c10")), "no library");
        Outcome outcome = run(
                Map.of(
                        "PYTORCH_LIBRARY_PATH",
                        libtorch.toString(),
                        "PYTORCH_VERSION",
                        "2.7.1",
                        "PYTORCH_FLAVOR",
                        "cpu",
                        "DJL_CACHE_DIR",
                        folder.resolve("cache").toString()),
                model.toString(),
                "0",
                "none",
                "");
        assertThat(outcome.output()).contains("libtorch cannot be loaded");
        assertThat(outcome.code()).isEqualTo(1);
    }
}
