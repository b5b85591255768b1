package dev.jeton.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.GgufModel;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GgufFileTest {

    private static final long SEED = 4_711;

    @TempDir
    private Path folder;

    private int loaded;

    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void readsTensorsOfBothVersions(int version) throws IOException {
        Path file = small().version(version).write(folder.resolve("m.gguf"));
        try (GgufFile gguf = GgufFile.open(file)) {
            Tensor tensor = gguf.find("b", "renamed").orElseThrow();
            assertThat(tensor.name()).isEqualTo("renamed");
            assertThat(tensor.shape()).containsExactly(2L, 3L);
            assertThat(tensor.toFloats()).containsExactly(1, 2, 3, 4, 5, 6);
            assertThat(gguf.find("none", "none")).isEmpty();
        }
    }

    @Test
    void readsEveryTypeOfMetadata() throws IOException {
        GgufWriter writer = small().put("text", "\u00e9\ud83d\ude00")
                .put("yes", true)
                .put("tenth", 1e-5f)
                .put("words", List.of("a", "", "\u4e2d"))
                .put("many", new float[] {1, 2.5f})
                .entry("byte", 1, ByteBuffer.wrap(new byte[] {-3}))
                .entry("long", 11, le(8).putLong(-5))
                .entry("double", 12, le(8).putDouble(2.25));
        try (GgufFile gguf = GgufFile.open(writer.write(folder.resolve("m.gguf")))) {
            JsonObject metadata = gguf.metadata();
            assertThat(metadata.string("text")).contains("\u00e9\ud83d\ude00");
            assertThat(metadata.flag("yes", false)).isTrue();
            assertThat(metadata.number("tenth", 0)).isEqualTo(1e-5);
            assertThat(metadata.number("byte", 0)).isEqualTo(-3);
            assertThat(metadata.number("long", 0)).isEqualTo(-5);
            assertThat(metadata.number("double", 0)).isEqualTo(2.25);
            assertThat(gguf.list("words")).containsExactly("a", "", "\u4e2d");
            assertThat(gguf.list("many")).containsExactly(1.0, 2.5);
            assertThat(gguf.list("none")).isEmpty();
        }
    }

    @Test
    void namesWhatIsWrongWithTheFile() throws IOException {
        refused(b -> b.put(0, (byte) 'X'), "does not begin with \"GGUF\"");
        refused(b -> b.putInt(4, 1), "version 1");
        refused(b -> b.order(ByteOrder.BIG_ENDIAN).putInt(4, 3), "big-endian");
        refused(b -> b.putLong(8, 1L << 40), "1099511627776 tensors");
        refused(b -> b.putLong(16, -1), "18446744073709551615 entries of metadata");
        refused(small().alignment(0), "general.alignment is 0");
        refused(small().alignment(48), "general.alignment is 48");
        refused(small().put("split.count", 3), "one of 3 parts");
        refused(small().put("twice", 1).put("twice", 2), "\"twice\" twice");
        refused(small().entry("strange", 13, le(8)), "type 13");
        refused(small().entry("strange", 9, le(12).putInt(77)), "array of type 77");
        refused(
                new GgufWriter().tensor("q", TensorType.Q4_K, new int[] {1, 128}, new byte[144]),
                "rows of 128, no multiple of 256");
        refused(
                new GgufWriter().tensor("big", TensorType.F32, new int[] {1 << 30, 1 << 30}, new byte[16]),
                "ends past the end of the file");
        refused(
                new GgufWriter().tensor("five", TensorType.F32, new int[] {1, 1, 1, 1, 1}, new byte[4]),
                "5 dimensions");
    }

    @Test
    void namesTheTypeThatCannotBeRead() throws IOException {
        Path file = new GgufWriter()
                .tensor("x", 19, new int[] {1, 256}, new byte[64])
                .write(folder.resolve("m.gguf"));
        try (GgufFile gguf = GgufFile.open(file)) {
            assertThatThrownBy(() -> gguf.find("x", "x"))
                    .isInstanceOf(ModelException.class)
                    .hasMessageContaining("IQ1_S")
                    .hasMessageContaining("Q4_K_M");
        }
    }

    @Test
    void refusesTensorsThatLieOverEachOther() throws IOException {
        byte[] bytes = small().bytes();
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int second = find(bytes, "b", 24) + 1 + 4 + 16 + 4;
        assertThat(buffer.getLong(second)).isEqualTo(32);
        buffer.putLong(second, 0);
        Path file = Files.write(folder.resolve("m.gguf"), bytes);
        assertThatThrownBy(() -> GgufFile.open(file).close()).hasMessageContaining("lies within another");
    }

    @Test
    void readsAllPartsOfASplitModelFromAnyOfThem() throws IOException {
        Path first = parts();
        for (String part : List.of("m-00001-of-00002.gguf", "m-00002-of-00002.gguf")) {
            try (GgufFile gguf = GgufFile.open(folder.resolve(part))) {
                assertThat(gguf.names()).containsExactlyInAnyOrder("a", "b");
                assertThat(gguf.metadata().string("general.name")).contains("split");
            }
        }
        assertThat(GgufFile.name(first)).isEqualTo("m");
        assertThat(ModelFolders.servedName(first.toString())).isEqualTo("m");
        Files.delete(folder.resolve("m-00002-of-00002.gguf"));
        assertThatThrownBy(() -> GgufFile.open(first).close())
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("m-00002-of-00002.gguf is missing");
    }

    private Path parts() throws IOException {
        new GgufWriter()
                .put("split.no", 1)
                .put("split.count", 2)
                .tensor("b", TensorType.F32, new int[] {1}, new byte[4])
                .write(folder.resolve("m-00002-of-00002.gguf"));
        return new GgufWriter()
                .put("general.name", "split")
                .put("split.no", 0)
                .put("split.count", 2)
                .tensor("a", TensorType.F32, new int[] {1}, new byte[4])
                .write(folder.resolve("m-00001-of-00002.gguf"));
    }

    @Test
    void findsTheOneFileOfAFolder() throws IOException {
        ModelFolders folders = ModelFolders.of(java.util.Map.of(), folder);
        assertThatThrownBy(() -> folders.resolve(folder.toString())).hasMessageContaining("nor a .gguf file");
        Path first = parts();
        assertThat(folders.resolve(folder.toString())).isEqualTo(first);
        assertThat(folders.resolve(first.toString())).isEqualTo(first);
        small().write(folder.resolve("other.gguf"));
        assertThatThrownBy(() -> folders.resolve(folder.toString()))
                .hasMessageContaining("several GGUF files")
                .hasMessageContaining("other.gguf");
        Files.writeString(folder.resolve("config.json"), "{}");
        assertThat(folders.resolve(folder.toString())).isEqualTo(folder);
    }

    /** Every truncation, and every byte changed in two ways, is refused with a reason or read; nothing else happens. */
    @Test
    void brokenFilesAreRefusedOrReadAndNothingElse() throws IOException {
        byte[] whole = whole().bytes();
        int refused = 0;
        for (int length = 0; length < whole.length; length += length < 3000 ? 1 : 97) {
            refused += readsOrRefuses(java.util.Arrays.copyOf(whole, length), "cut to " + length);
        }
        assertThat(refused).as("a cut file lacks something").isGreaterThan(whole.length / 97);
        Random random = new Random(SEED);
        for (int at = 0; at < whole.length; at += at < 3000 ? 1 : 97) {
            for (int flip : new int[] {1 << random.nextInt(8), 0xFF}) {
                byte[] broken = whole.clone();
                broken[at] ^= (byte) flip;
                readsOrRefuses(broken, "seed %d, byte %d ^ %d".formatted(SEED, at, flip));
            }
        }
        assertThat(readsOrRefuses(whole, "whole")).isZero();
    }

    private int readsOrRefuses(byte[] bytes, String what) throws IOException {
        Path file = Files.write(folder.resolve("broken.gguf"), bytes);
        try {
            DecoderSpec.read(file);
            GenerationDefaults.read(file);
            ChatTemplates.ofModel(file, Clock.systemUTC());
            TokenizerFile.parse(file, ModelFiles.tokenizer(file));
            if (loaded++ % 40 == 0) {
                FolderTokenizer.load(file).close();
            }
            try (WeightFiles weights = WeightFiles.open(file)) {
                for (String name : weights.names()) {
                    weights.find(name).orElseThrow().toFloats();
                }
            }
            return 0;
        } catch (ModelException e) {
            assertThat(e.getMessage()).as(what).isNotEmpty();
            return 1;
        } catch (TemplateException e) {
            return 1;
        } catch (RuntimeException e) {
            throw new AssertionError(what, e);
        }
    }

    private GgufWriter whole() throws IOException {
        String config = Configs.config("LlamaForCausalLM", 32, 2, 1, 16, 32, "\"tie_word_embeddings\": true")
                .replace("301", "40")
                .replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 1");
        TinyModel model = new TinyModel(folder.resolve("hf"), config, TensorType.F32, SEED);
        GgufModel gguf = new GgufModel("llama", model.spec, model.weights, name -> TensorType.Q8_0);
        List<String> tokens = new java.util.ArrayList<>(List.of("<unk>", "<s>", "</s>", "\u2581", "a", "\u2581a"));
        while (tokens.size() < 40) {
            tokens.add("<0x%02X>".formatted(tokens.size()));
        }
        int[] types = new int[40];
        java.util.Arrays.fill(types, 6);
        System.arraycopy(new int[] {2, 3, 3, 1, 1, 1}, 0, types, 0, 6);
        return gguf.writer
                .put("tokenizer.ggml.model", "llama")
                .put("tokenizer.ggml.tokens", tokens)
                .put("tokenizer.ggml.scores", new float[40])
                .put("tokenizer.ggml.token_type", types)
                .put("tokenizer.ggml.bos_token_id", 1)
                .put("tokenizer.ggml.eos_token_id", 2)
                .put("tokenizer.chat_template", "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}");
    }

    private static GgufWriter small() {
        ByteBuffer values = le(24);
        for (int i = 1; i <= 6; i++) {
            values.putFloat(i);
        }
        return new GgufWriter()
                .tensor("a", TensorType.F32, new int[] {1}, new byte[4])
                .tensor("b", TensorType.F32, new int[] {2, 3}, values.array());
    }

    private void refused(Consumer<ByteBuffer> change, String message) throws IOException {
        byte[] bytes = small().bytes();
        change.accept(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN));
        refused(bytes, message);
    }

    private void refused(GgufWriter writer, String message) throws IOException {
        refused(writer.bytes(), message);
    }

    private void refused(byte[] bytes, String message) throws IOException {
        Path file = Files.write(folder.resolve("refused.gguf"), bytes);
        assertThatThrownBy(() -> GgufFile.open(file).close())
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("refused.gguf")
                .hasMessageContaining(message);
    }

    private static int find(byte[] bytes, String name, int from) {
        for (int i = from; i < bytes.length; i++) {
            if (bytes[i] == name.charAt(0) && bytes[i - 8] == 1 && bytes[i - 7] == 0) {
                return i;
            }
        }
        throw new AssertionError(name);
    }

    private static ByteBuffer le(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
