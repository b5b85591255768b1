package dev.jeton.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.FolderTokenizer;
import dev.jeton.models.WeightFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The tokenizer that comes with made models, and what is refused; the weights are too large for a test. */
class ModelMakerTest {

    @TempDir
    Path folder;

    @Test
    void itsTokenizerGivesEveryTextBack() throws IOException {
        MadeTokenizer.write(folder, 1_500, 128);

        try (FolderTokenizer tokenizer = FolderTokenizer.load(folder)) {
            for (String text : new String[] {"hello world", "Ünï\u00adcödé \uD83D\uDE00\n\t\0", "aaaa  bbbb", ""}) {
                int[] ids = tokenizer.encode(text, false);
                assertThat(tokenizer.decode(ids, false)).isEqualTo(text);
                assertThat(Arrays.stream(ids)).allMatch(id -> id >= 5 && id < 1_500);
            }
        }
    }

    @Test
    void aVocabularyHoldsAtLeastTheBytes() {
        assertThatThrownBy(() -> MadeTokenizer.write(folder, 200, 128)).hasMessageContaining("does not hold the bytes");
    }

    @Test
    void writesGgufFilesOfTheShapeAndSizeOfWeightsAsked() throws IOException {
        GgufMaker.make(ModelShape.S15M, folder, "q4_k_m", 1);

        Path file = folder.resolve("model.gguf");
        DecoderSpec spec = DecoderSpec.read(file);
        assertThat(spec.layers()).isEqualTo(6);
        assertThat(spec.tiedEmbedding()).isTrue();
        try (WeightFiles weights = WeightFiles.open(file)) {
            assertThat(weights.names()).hasSize(2 + 6 * 9);
            // 288 is no multiple of 256, 768 is
            assertThat(weights.type("model.layers.1.mlp.up_proj.weight")).contains("Q5_0");
            assertThat(weights.type("model.layers.1.mlp.down_proj.weight")).contains("Q4_K");
            assertThat(weights.type("model.embed_tokens.weight")).contains("Q8_0");
            for (String name : new String[] {"embed_tokens", "layers.1.mlp.up_proj", "layers.1.mlp.down_proj"}) {
                float[] values =
                        weights.find("model." + name + ".weight").orElseThrow().toFloats();
                double squares = 0;
                for (float value : values) {
                    squares += value * value;
                }
                assertThat(Math.sqrt(squares / values.length)).as(name).isBetween(0.015, 0.027);
            }
        }
        try (FolderTokenizer tokenizer = FolderTokenizer.load(file)) {
            assertThat(tokenizer.decode(tokenizer.encode("hello world", false), false))
                    .isEqualTo("hello world");
        }
    }

    @Test
    void writesLayersOfMxfp4() throws IOException {
        GgufMaker.make(ModelShape.S15M, folder, "mxfp4", 1);
        try (WeightFiles weights = WeightFiles.open(folder.resolve("model.gguf"))) {
            assertThat(weights.type("model.embed_tokens.weight")).contains("Q8_0");
            String down = "model.layers.1.mlp.down_proj.weight";
            assertThat(weights.type(down)).contains("MXFP4");
            float[] values = weights.find(down).orElseThrow().toFloats();
            double squares = 0;
            for (float value : values) {
                squares += value * value;
            }
            assertThat(Math.sqrt(squares / values.length)).isBetween(0.015, 0.027);
        }
    }

    @Test
    void refusesShapesAndTypesItDoesNotKnow() {
        assertThat(ModelShape.named("15M")).isEqualTo(ModelShape.S15M);
        assertThatThrownBy(() -> ModelShape.named("2b")).hasMessageContaining("15m, 110m, 8x110m, 1b, 8b");
        assertThatThrownBy(() -> new ModelMaker.Options(ModelShape.S15M, folder, "q8", 1))
                .hasMessageContaining("f32 and bf16");
        assertThatThrownBy(() -> GgufMaker.make(ModelShape.S15M, folder, "q3", 1))
                .hasMessageContaining("q4_k_m and mxfp4");
        assertThatThrownBy(() -> GgufMaker.make(ModelShape.E8X110M, folder, "bf16", 1))
                .hasMessageContaining("safetensors only");
    }
}
