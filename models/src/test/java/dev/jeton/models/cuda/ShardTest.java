package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.ModelException;
import dev.jeton.models.Tensor;
import dev.jeton.models.TensorType;
import dev.jeton.models.WeightFiles;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ShardTest {

    private static final String LAYER = "model.layers.1.";

    @TempDir
    Path folder;

    private TinyModel model(int heads, int keyHeads, int width, String more) throws IOException {
        String config = Configs.config("LlamaForCausalLM", 64, heads, keyHeads, 16, width, more);
        return new TinyModel(folder, config, TensorType.F32, 3);
    }

    /** Parts put together are the whole, each element once, or once for every part that shares it. */
    @ParameterizedTest
    @CsvSource({"8, 4, 2", "8, 4, 4", "8, 2, 4", "8, 1, 8", "4, 4, 1"})
    void partsAreTheWhole(int heads, int keyHeads, int ranks) throws IOException {
        TinyModel tiny = model(heads, keyHeads, 64 * ranks, "\"attention_bias\": true");
        DecoderSpec whole = tiny.spec;
        for (int rank = 0; rank < ranks; rank++) {
            Shard shard = Shard.of(whole, rank, ranks);
            DecoderSpec part = shard.spec();
            assertThat(part.heads() * ranks).isEqualTo(heads);
            try (ShardFiles files = new ShardFiles(WeightFiles.open(folder, whole), shard)) {
                int keys = part.keyValueWidth();
                int firstKey = rank * keyHeads / ranks * 16;
                rows(tiny, files, "self_attn.q_proj", rank * part.queryWidth(), part.queryWidth());
                rows(tiny, files, "self_attn.k_proj", firstKey, keys);
                rows(tiny, files, "self_attn.v_proj", firstKey, keys);
                rows(tiny, files, "mlp.up_proj", rank * part.intermediate(), part.intermediate());
                columns(tiny, files, "self_attn.o_proj", rank * part.queryWidth(), part.queryWidth());
                columns(tiny, files, "mlp.down_proj", rank * part.intermediate(), part.intermediate());
                files.release();
                Tensor bias = files.tensor(LAYER + "self_attn.v_proj.bias", keys);
                assertThat(bias.at(keys - 1))
                        .isEqualTo((float) tiny.weights.get(LAYER + "self_attn.v_proj.bias")[firstKey + keys - 1]);
                assertThat(files.tensor(LAYER + "self_attn.o_proj.bias", 64).elements())
                        .isEqualTo(64);
            }
        }
    }

    private static void rows(TinyModel tiny, ShardFiles files, String name, int from, int count) {
        double[] all = tiny.weights.get(LAYER + name + ".weight");
        Tensor part = files.tensor(LAYER + name + ".weight", count, 64);
        Random random = new Random(from);
        for (int i = 0; i < 50; i++) {
            int at = random.nextInt(count * 64);
            assertThat(part.at(at)).as("%s, %d", name, at).isEqualTo((float) all[from * 64 + at]);
        }
    }

    private static void columns(TinyModel tiny, ShardFiles files, String name, int from, int count) {
        double[] all = tiny.weights.get(LAYER + name + ".weight");
        int width = all.length / 64;
        Tensor part = files.tensor(LAYER + name + ".weight", 64, count);
        Random random = new Random(from);
        for (int i = 0; i < 50; i++) {
            int row = random.nextInt(64);
            int column = random.nextInt(count);
            assertThat(part.at((long) row * count + column))
                    .as("%s, %d, %d", name, row, column)
                    .isEqualTo((float) all[row * width + from + column]);
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 304", "2, 152", "4, 80", "8, 40", "64, 8"})
    void rowsOfTheOutputProjectionCoverTheVocabularyOf301(int ranks, int rows) throws IOException {
        DecoderSpec tiny = model(8, 8, 512, "\"rms_norm_eps\": 1e-6").spec;
        assertThat(new Shard(0, ranks, tiny).headRows()).isEqualTo(rows);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "6 | 6 | 64 | 4 | 6 query heads; --tensor-parallel-size may be one of 1, 2",
                "8 | 8 | 72 | 8 | feed-forward width 72 is no multiple of 8 for each; --tensor-parallel-size may be one of 1",
                "12 | 6 | 96 | 4 | 6 key and value heads, and neither number is a multiple of the other"
            })
    void saysWhyAModelDoesNotDivideAndInWhatItDoes(int heads, int keyHeads, int width, int ranks, String message)
            throws IOException {
        DecoderSpec spec = model(heads, keyHeads, width, "\"rms_norm_eps\": 1e-6").spec;
        assertThatThrownBy(() -> Shard.of(spec, 0, ranks))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("cannot be divided among %d GPUs".formatted(ranks))
                .hasMessageContaining(message);
    }

    @Test
    void refusesATensorOfAFormatThatItCannotCut() throws IOException {
        DecoderSpec spec = model(8, 8, 64, "\"rms_norm_eps\": 1e-6").spec;
        try (ShardFiles files = new ShardFiles(WeightFiles.open(folder, spec), Shard.of(spec, 0, 2))) {
            assertThatThrownBy(() -> files.bytes(LAYER + "mlp.up_proj.strange", "I32", 4))
                    .isInstanceOf(ModelException.class)
                    .hasMessageContaining("up_proj.strange")
                    .hasMessageContaining("cannot be divided among GPUs");
        }
    }
}
