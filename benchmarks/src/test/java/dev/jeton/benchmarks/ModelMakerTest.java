package dev.jeton.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.FolderTokenizer;
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
    void refusesShapesAndTypesItDoesNotKnow() {
        assertThat(ModelShape.named("15M")).isEqualTo(ModelShape.S15M);
        assertThatThrownBy(() -> ModelShape.named("2b")).hasMessageContaining("15m, 110m, 1b, 8b");
        assertThatThrownBy(() -> new ModelMaker.Options(ModelShape.S15M, folder, "q8", 1))
                .hasMessageContaining("f32 and bf16");
    }
}
